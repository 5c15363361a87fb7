"""How it starts: the banner, the boot lines, and every way in which it does not."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from .conftest import Make
from .host import Host, Port, command
from .wire import until

GOOD = "def init(): pass\ndef run(data): return data\n"


def call(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    return subprocess.run([*command(), *arguments], cwd=folder, capture_output=True, text=True,
                          timeout=250, check=False)


def ended(server: Host, code: int) -> Host:
    """Wait for a start that fails."""
    assert server.wait() == code, server.stdout + server.stderr
    return server


# The command line


def test_help_lists_the_flags_and_ends_with_1(tmp_path: Path) -> None:
    done = call(tmp_path, "--help")
    assert done.returncode == 1
    for flag in ("--entry_script", "--model_dir", "--port", "--worker_count", "--config_file",
                 "--access_control_allow_origins", "--appinsights_instrumentation_key",
                 "--health_port", "--worker_kind", "--socket", "--host"):
        assert flag in done.stdout
    assert "--rest" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--port", "0"], "argument --port: invalid validate_port value: '0'"),
        (["--port", "65536"], "argument --port: invalid validate_port value: '65536'"),
        (["--port", "0x10"], "argument --port: invalid validate_port value: '0x10'"),
        (["--health_port=x"], "argument --health_port: invalid validate_port value: 'x'"),
        (["--worker_count", "0"],
         "argument --worker_count: invalid validate_worker_count value: '0'"),
        (["--port"], "argument --port: expected one argument"),
        (["--unknown"], "unrecognized arguments: --unknown"),
        (["score.py"], "unrecognized arguments: score.py"),
        (["--worker_kind", "fibre"], "argument --worker_kind: expected auto or process or "
         "interpreter or thread, got 'fibre'"),
        (["--max_body_bytes", "-1"], None),
        (["--access_log", "perhaps"], None),
    ],
)
def test_a_bad_command_line(tmp_path: Path, arguments: list[str], error: str) -> None:
    done = call(tmp_path, *arguments)
    assert done.returncode == 1
    assert done.stdout.startswith("\nAzure ML Inferencing HTTP server v1.5.1\n")
    assert "usage: " in done.stderr
    last = done.stderr.splitlines()[-1]
    assert ": error: " in last
    assert error is None or last.endswith(f": error: {error}")


@pytest.mark.parametrize("arguments", [[], ["--entry_script", ""], ["--port", "5001"]])
def test_nothing_to_serve(tmp_path: Path, arguments: list[str]) -> None:
    done = call(tmp_path, *arguments)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert re.search(r" I \[\d+\] azmlinfsrv - Loaded logging config from .*logging.json$",
                     lines[0])
    assert re.search(r" E \[\d+\] azmlinfsrv - Error!$", lines[1])
    assert lines[2].endswith(
        "Either provide an entry_script using --entry_script or provide a path to the "
        "configuration file using --config_file")


def test_the_version_tells_how_strict_the_parser_is(tmp_path: Path) -> None:
    done = call(tmp_path, "--version")
    assert done.returncode == 0
    assert "scorehost" in done.stdout and "libmicrohttpd" in done.stdout


def test_abbreviated_flags(host: Make) -> None:
    server = host("", "--entry", "echo.py", "--worker", "2", copies=["echo.py"])
    assert "Worker Count: 2" in server.stdout


# What is printed


def test_the_banner(host: Make) -> None:
    server = host("echo.py", "--model_dir", "models", env={"WORKER_TIMEOUT": "77"})
    lines = server.stdout.splitlines()
    assert lines[0].endswith("logging.json")
    assert f"I [{server.process.pid}] azmlinfsrv - " in lines[0]
    assert lines[1:25] == [
        "",
        "Azure ML Inferencing HTTP server v1.5.1",
        "",
        "",
        "Server Settings",
        "---------------",
        f"Entry Script Name: {server.app}/echo.py",
        "Model Directory: models",
        "Config File: None",
        "Worker Count: 1",
        "Worker Timeout (seconds): 77",
        f"Server Port: {server.port}",
        f"Health Port: {server.port}",
        "Application Insights Enabled: false",
        "Application Insights Key: None",
        "Inferencing HTTP server version: azmlinfsrv/1.5.1",
        "CORS for the specified origins: None",
        "Create dedicated endpoint for health: None",
        "",
        "",
        "Server Routes",
        "---------------",
        f"Liveness Probe: GET   127.0.0.1:{server.port}/",
        f"Score:          POST  127.0.0.1:{server.port}/score",
    ]


def test_the_banner_comes_once(host: Make) -> None:
    """Also with several workers and a buffered stdout."""
    server = host("echo.py", "--worker_count", "2").wait_ready(2)
    assert server.stop() == 0
    assert server.stdout.count("Server Settings") == 1


def test_the_lines_of_a_boot_and_their_order(host: Make) -> None:
    server = host("prints.py")
    worker = server.scorers()[0]
    lines = server.lines()
    at = next(i for i, line in enumerate(lines) if line.raw == "Initializing logger")
    expected = [
        ("azmlinfsrv", "Starting up app insights client"),
        ("azmlinfsrv.print", "printed at import"),
        ("azmlinfsrv.user_script", f"Found user script at {server.app}/prints.py"),
        ("azmlinfsrv.user_script",
         "run() is not decorated. Server will invoke it with the input in JSON string."),
        ("azmlinfsrv.user_script", "Invoking user's init function"),
        ("azmlinfsrv.print", "printed at init"),
        ("azmlinfsrv.user_script", "Users's init has completed successfully"),
        ("azmlinfsrv.swagger",
         "Swaggers are prepared for the following versions: [2, 3, 3.1]."),
        ("azmlinfsrv", "Scoring timeout is set to 3600000"),
        ("azmlinfsrv", f"Worker with pid {worker} ready for serving traffic"),
    ]
    boot = lines[at + 1:at + 1 + len(expected)]
    assert [(line.logger, line.text) for line in boot] == expected
    assert {(line.level, line.pid) for line in boot} == {("I", worker)}
    told = [line.text for line in server.lines("stderr")]
    if server.kind == "process":
        threads = told.pop(2)
        assert re.fullmatch(r"threads \d+ threads in each worker for .*OMP_NUM_THREADS.*", threads)
    assert told == [
        f"Listening at: http://127.0.0.1:{server.port} ({server.process.pid})",
        f"Using worker: {server.kind}",
        *([f"Booting worker with pid: {worker}"] if server.kind == "process" else []),
    ]


def test_the_hint_about_the_model_directory(host: Make) -> None:
    server = host("echo.py")
    assert ("The environment variable 'AZUREML_MODEL_DIR' has not been set.\n"
            "Use the --model_dir command line argument to set it.\n") in server.stdout


def test_a_model_directory_that_is_not_there_is_warned_of(host: Make) -> None:
    server = host("echo.py", "--model_dir", "/nowhere/at/all")
    assert "Model directory is not set or does not exist: /nowhere/at/all" in server.texts(
        "azmlinfsrv.trace")


@pytest.mark.parametrize(
    ("key", "lines"),
    [("01234567-89ab-cdef-0123-456789ABCDEF",
      ["Valid Application Insights instrumentation key provided."]),
     ("not-a-key", ["Invalid Application Insights instrumentation key provided.",
                    "Application Insights has been disabled."])])
def test_the_verdict_on_telemetry(host: Make, key: str, lines: list[str]) -> None:
    server = host("echo.py", "--appinsights_instrumentation_key", key)
    for line in lines:
        assert line in server.stdout.splitlines()
    assert key not in server.stdout
    assert server.post("x").status == 200


def test_what_is_ignored_is_said(host: Make) -> None:
    server = host("echo.py", env={"GUNICORN_CMD_ARGS": "--threads 4"},
                  files={"gunicorn.conf.py": "threads = 4"})
    warned = [line.text for line in server.lines() if line.level == "W"]
    assert any("GUNICORN_CMD_ARGS" in text and "gunicorn.conf.py" in text for text in warned)


def test_the_environment_of_the_script(host: Make) -> None:
    server = host("environment.py", "--model_dir", "models", "--worker_count", "2",
                  env={"AML_CORS_ORIGINS": "a"})
    names = ["AML_APP_ROOT", "AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR", "WORKER_COUNT",
             "SERVER_PORT", "HEALTH_PORT", "TRANSPORT_PROTOCOL", "HTTP_X_MS_SERVER_VERSION",
             "AML_APP_INSIGHTS_ENABLED", "AML_CORS_ORIGINS"]
    assert server.post(json.dumps({"env": names})).json == dict(zip(names, [
        str(server.app), f"{server.app}/environment.py", "models", "2", str(server.port),
        str(server.port), "grpc", "azmlinfsrv/1.5.1", "false", "a"]))
    views = {"in sys.modules": False,
             "main thread": server.kind == "process",  # else two of the host's
             "app root is cwd": True, "app root in path": True, "file is absolute": True,
             "stdin": ""}
    for view, value in views.items():
        assert server.post(json.dumps({"view": view})).json == value
    # Either thread may answer, and each has a copy of its own.
    copies = ["entry_module", "entry_module_2"][:2 if server.kind == "thread" else 1]
    assert server.post(json.dumps({"view": "name"})).json in copies


# Configuration


def test_all_from_a_file(host: Make) -> None:
    settings = {
        "AZUREML_ENTRY_SCRIPT": "score.py", "SCORING_TIMEOUT_MS": "800",
        "SERVICE_NAME": "From file", "AML_CORS_ORIGINS": "https://a.example",
        "MAX_BODY_BYTES": 1000, "UNKNOWN_KEY": 1,
    }
    server = host("", "--config_file", "mine.json", files={
        "mine.json": json.dumps(settings),
        "score.py": "import time\ndef init(): pass\ndef run(d): time.sleep(float(d))\n"})
    assert server.post("5").message == "Scoring timeout after 800 ms"
    assert server.ask("GET", "/swagger.json").json["info"]["title"] == "From file"
    assert server.post("0").get("access-control-allow-origin") == "https://a.example"
    assert server.post("0" * 1001).status == 413
    assert ("Found extra keys in the config file that are not supported by the server.\n"
            "Extra keys = ['UNKNOWN_KEY']") in server.stdout


def test_flags_before_environment_before_file(host: Make) -> None:
    server = host(
        "echo.py", "--scoring_timeout_ms", "1111",
        env={"SCORING_TIMEOUT_MS": "2222", "SERVICE_NAME": "env", "service_version": "9"},
        files={"config.json": '{"SCORING_TIMEOUT_MS": 3333, "SERVICE_NAME": "file", '
                              '"SERVICE_VERSION": "8", "SERVICE_PATH_PREFIX": "p"}'})
    assert "Scoring timeout is set to 1111" in server.texts("azmlinfsrv")
    document = server.ask("GET", "/swagger.json").json
    assert (document["info"]["title"], document["info"]["version"]) == ("env", "9")
    assert "/p/score" in document["paths"]


def test_main_py_when_nobody_names_a_script(host: Make) -> None:
    server = host("", "--config_file", "c.json", files={"c.json": "{}", "main.py": GOOD})
    assert server.post("x").json == "x"


BLOCK = ("\n===============Configuration Error=================\n{0}: {1} "
         "(environment variable: {0})\n" + "=" * 51 + "\n")


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"SCORING_TIMEOUT_MS": "soon"}, ("SCORING_TIMEOUT_MS", "Input should be a valid "
         "integer, unable to parse string as an integer")),
        ({"SCORING_TIMEOUT_MS": "-1"}, None),
        ({"SCORING_TIMEOUT_MS": "9" * 30}, None),
        ({"APP_INSIGHTS_LOG_RESPONSE_ENABLED": "perhaps"}, (
            "APP_INSIGHTS_LOG_RESPONSE_ENABLED",
            "Input should be a valid boolean, unable to interpret input")),
        ({"MAX_BODY_BYTES": "many"}, None),
        ({"WORKER_KIND": "fibre"}, None),
    ],
)
def test_a_bad_setting(host: Make, env: dict[str, str], problem: tuple[str, str]) -> None:
    server = ended(host("echo.py", env=env, wait=False), 3)
    assert any(line.level == "C" for line in server.lines())
    assert "Configuration Error" in server.stdout
    if problem:
        assert BLOCK.format(*problem) in server.stdout


@pytest.mark.parametrize("text", ["{bad", "[]", '"text"', "\xff"])
def test_a_bad_config_file(host: Make, text: str) -> None:
    server = ended(host("echo.py", files={"config.json": text.encode("latin-1")}, wait=False), 3)
    assert "C [" in server.stdout and "Invalid config file!: Traceback" in server.stdout


@pytest.mark.parametrize(
    ("env", "code", "text"),
    [
        ({"WORKER_COUNT": "two"}, 1, "invalid literal for int()"),
        ({"WORKER_COUNT": "-1"}, 1, "Error: Value must be positive: -1"),
        ({"WORKER_COUNT": "0"}, 1, "Error: Value must be positive: 0"),
        ({"WORKER_TIMEOUT": "-1"}, 1, "Error: Value must be positive: -1"),
        ({"WORKER_TIMEOUT": "abc"}, 2, "invalid int value: 'abc'"),
    ],
)
def test_a_bad_number_of_the_environment(
    host: Make, env: dict[str, str], code: int, text: str
) -> None:
    server = ended(host("echo.py", env=env, wait=False), code)
    assert text in server.stderr


# Scripts that cannot be served


def boot_fails(server: Host, *texts: str) -> None:
    """Checks what operators see of a script that cannot be served."""
    ended(server, 3)
    for text in texts:
        assert text in server.stdout, server.stdout
    said = server.texts("gunicorn.error", "stderr")
    assert said[-2:] == ["Shutting down: Master", "Reason: Worker failed to boot."]
    if server.kind == "process":
        worker = next(re.fullmatch(r"Booting worker with pid: (\d+)", text) for text in said
                      if text.startswith("Booting"))
        assert worker is not None
        assert said[-4:-2] == [f"Worker exiting (pid: {worker[1]})",
                               f"Worker (pid:{worker[1]}) exited with code 3"]
    assert said.count("Shutting down: Master") == 1
    assert "Traceback" not in server.stderr


IMPORT = "Failed to import user script because it raised an unhandled exception"
CAUSE = "The above exception was the direct cause of the following exception:"


@pytest.mark.parametrize(
    ("script", "texts"),
    [
        ("raise ValueError('at import')\n", ["ValueError: at import", CAUSE, IMPORT]),
        ("import no_such_module\n", ["No module named 'no_such_module'", IMPORT]),
        ("def run(:\n", ["SyntaxError", IMPORT]),
        ("raise SystemExit(0)\n", [IMPORT]),
        ("raise KeyboardInterrupt\n", [IMPORT]),
        ("def run(d): pass\n", [" does not have a init() function defined."]),
        ("def init(): pass\n", [" does not have a run() function defined."]),
        ("def init(): pass\ndef run(): pass\n",
         ["run() needs to accept an argument for input data."]),
        ("def init(): pass\ndef run(request_headers): pass\n",
         ['run() needs to accept an argument other than "request_headers".']),
        ("def init(): pass\ndef run(*d): pass\n",
         ["run() cannot accept positional-only arguments, *args, or **kwargs."]),
        ("def init(): pass\ndef run(d, /): pass\n",
         ["run() cannot accept positional-only arguments, *args, or **kwargs."]),
        ("def init(): raise RuntimeError('no model')\ndef run(d): pass\n",
         ["User's init function failed", "RuntimeError: no model", CAUSE,
          "Caught an unhandled exception from the user script"]),
        ("def init(): raise SystemExit(0)\ndef run(d): pass\n",
         ["User's init function failed"]),
        ("open('missing.pkl')\n", ["FileNotFoundError", "missing.pkl", IMPORT]),
    ],
)
def test_a_script_that_cannot_be_served(host: Make, script: str, texts: list[str]) -> None:
    server = host("", "--entry_script", "score.py", files={"score.py": script}, wait=False)
    boot_fails(server, *texts)


def test_run_that_is_no_function(host: Make) -> None:
    server = host("", "--entry_script", "score.py", wait=False,
                  files={"score.py": "def init(): pass\nrun = 5\n"})
    ended(server, 3)
    assert "Reason: Worker failed to boot." in server.stderr


def test_a_script_that_is_not_there(host: Make) -> None:
    boot_fails(host("", "--entry_script", "nowhere.py", wait=False),
               "E [", "No such file or directory.", "FileNotFoundError")


def test_no_script_at_all(host: Make) -> None:
    server = host("", "--config_file", "c.json", files={"c.json": "{}"}, wait=False)
    boot_fails(server, "No score script found. Expected score script main.py.",
               "Expected script to be found in PYTHONPATH: [",
               "Current contents of AML_APP_ROOT: ['c.json']")


def test_the_models_are_listed_when_init_fails(host: Make) -> None:
    server = host("", "--entry_script", "score.py", "--model_dir", "models", wait=False, files={
        "score.py": "def init(): 1 / 0\ndef run(d): pass\n", "models/b/2/m.pkl": "",
        "models/a.txt": ""})
    ended(server, 3)
    listed = server.texts("azmlinfsrv")
    at = listed.index("Model Directory Contents:")
    assert listed[at + 1:at + 6] == [
        "models/", "    a.txt", "    b/", "        2/", "            m.pkl"]


def test_all_workers_end_when_one_cannot_boot(host: Make) -> None:
    server = host("", "--entry_script", "score.py", "--worker_count", "2", wait=False,
                  files={"score.py": "def init(): 1 / 0\ndef run(d): pass\n"})
    ended(server, 3)


@pytest.mark.kinds("process", "thread", why="a debugger sees the main interpreter alone")
def test_a_debugger_that_is_not_installed(host: Make) -> None:
    server = host("echo.py", env={"AZUREML_DEBUG_PORT": "5678"}, wait=False, files={
        "debugpy.py": "raise ModuleNotFoundError(\"No module named 'debugpy'\", "
                      "name='debugpy')"})
    ended(server, 3)
    lines = server.stdout.splitlines()
    assert ("!! Starting the inference server in DEBUGGING mode because AZUREML_DEBUG_PORT is "
            "set.") in lines
    assert ("** Cannot connect to a debugger because debugpy is not installed." in lines)


# Ports


def test_a_port_that_is_taken(host: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        begun = time.monotonic()
        server = ended(host("echo.py", "--port", str(port), port=False, wait=False), 1)
        assert time.monotonic() - begun > 3.5
    said = server.texts("gunicorn.error", "stderr")
    assert said.count(f"Connection in use: ('127.0.0.1', {port})") == 5
    assert said[-1] == f"Can't connect to ('127.0.0.1', {port})"
    assert any("[Errno 98] Address already in use" in text for text in said)
    assert "Server Settings" in server.stdout


def test_a_port_that_becomes_free_in_time(host: Make) -> None:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    server = host("echo.py", "--port", str(port), port=False, wait=False,
                  address=("127.0.0.1", port))
    server.wait_said("Connection in use")
    taken.close()
    assert server.wait_ready().post("x").status == 200


def test_two_listeners_of_one_host_cannot_share_a_port(host: Make) -> None:
    server = host("echo.py", "--health_port", "{port}", wait=False,
                  env={"SEPERATE_HEALTH_ENDPOINT": "true"})
    ended(server, 1)


def test_a_restart_gets_its_port_back_at_once(host: Make) -> None:
    first = host("echo.py")
    with first.connect() as connection:
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").response("GET")
        assert first.stop() == 0
    second = host("echo.py", "--port", str(first.port), port=False,
                  address=("127.0.0.1", first.port))
    assert "Connection in use" not in second.stderr


def test_an_address_that_is_none(host: Make) -> None:
    port = Port()
    server = ended(host("echo.py", listen=("--host", "203.0.113.1"), wait=False), 1)
    port.close()
    assert "203.0.113.1" in server.stderr


def test_the_default_is_every_address(host: Make) -> None:
    server = host("echo.py", listen=())
    assert f"Listening at: http://0.0.0.0:{server.port} " in server.stderr
    until("served", lambda: server.post("x").status == 200)
