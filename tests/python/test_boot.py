"""How a worker comes up, line by line, and what it says when it cannot."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import logged
from scorehost import boot, stacks

# A worker process whose link shows what it was given instead of serving.
WORKER = """
import sys, types
sys.path[:] = ["", *{path!r}]
core = types.ModuleType("scorehost._core")
class Link:
    boot = sys.argv.pop()
    def serve(self, scoring):
        print("argv", *sys.argv)
        sys.stderr.write("PATH " + repr(sys.path) + "\\n")
        sys.stderr.write("MODULES " + " ".join(sys.modules) + "\\n")
        sys.stderr.write("SCORE " + repr(scoring.run(**{{scoring.parameter: 4}})) + "\\n")
        return 5
core.attach = lambda fd: Link()
sys.modules["scorehost._core"] = core
from scorehost.worker import main
sys.exit(main())
"""

SCRIPT = """
import logging
print("imported")
logging.getLogger("mine").warning("a warning")
logging.getLogger("mine").info("lost")
def init():
    print("init")
def run(data):
    return data + 1
"""

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([DIWEC]) \[(\d+)\] (\S+) - (.*)")


@dataclass
class Worker:
    """A directory with a script, and the worker that loads it."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)
    boot: dict[str, object] = field(default_factory=dict)
    code: int = -1
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)

    def write(self, name: str, text: str = SCRIPT) -> Path:
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def start(self) -> Worker:
        environ = {
            "PATH": os.environ["PATH"],
            "AML_APP_ROOT": str(self.root),
            "AZUREML_ENTRY_SCRIPT": str(self.root / "score.py"),
            **self.environ,
        }
        boot = {"argv": ["/bin/azmlinfsrv", "-x"], "path0": "/bin", **self.boot}
        done = subprocess.run(
            [sys.executable, "-c", WORKER.format(path=sys.path), "3", json.dumps(boot)],
            cwd=self.root,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        self.code = done.returncode
        self.out, self.err = done.stdout.splitlines(), done.stderr.splitlines()
        return self

    @property
    def lines(self) -> list[str]:
        """stdout: level, logger and message of each line, or a bare line as it is."""
        found = []
        for line in self.out:
            parts = LINE.fullmatch(line)
            found.append(f"{parts[1]} {parts[3]} - {parts[4]}" if parts else line)
        return found

    def marked(self, mark: str) -> str:
        """What the link showed under a name."""
        return next(line for line in self.err if line.startswith(mark)).partition(" ")[2]


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    found = Worker(tmp_path.resolve())
    found.write("score.py")
    return found


def test_a_worker_comes_up(worker: Worker) -> None:
    worker.start()
    pids = {parts[2] for parts in map(LINE.fullmatch, worker.out) if parts}
    assert len(pids) == 1
    assert worker.lines == [
        "Initializing logger",
        "I azmlinfsrv - Starting up app insights client",
        "I azmlinfsrv.print - imported",
        f"I azmlinfsrv.user_script - Found user script at {worker.root}/score.py",
        "I azmlinfsrv.user_script - run() is not decorated. "
        "Server will invoke it with the input in JSON string.",
        "I azmlinfsrv.user_script - Invoking user's init function",
        "I azmlinfsrv.print - init",
        "I azmlinfsrv.user_script - Users's init has completed successfully",
        "I azmlinfsrv.swagger - Swaggers are prepared for the following versions: [2, 3, 3.1].",
        "I azmlinfsrv - Scoring timeout is set to 3600000",
        f"I azmlinfsrv - Worker with pid {pids.pop()} ready for serving traffic",
        "I azmlinfsrv.print - argv /bin/azmlinfsrv -x",
    ]
    assert worker.code == 5
    assert worker.marked("SCORE") == "5"
    assert worker.err[0] == "WARNING:mine:a warning"


def test_little_is_imported_for_a_script_that_imports_little(worker: Worker) -> None:
    modules = worker.start().marked("MODULES").split()
    heavy = {"argparse", "inspect", "dataclasses", "logging.config", "flask", "werkzeug"}
    # logging itself brings some of them from 3.14 on.
    done = subprocess.run([sys.executable, "-c", "import logging, sys; print(*sys.modules)"],
                          capture_output=True, text=True, check=True)
    assert (heavy - set(done.stdout.split())).isdisjoint(modules)


def test_sys_path(worker: Worker) -> None:
    """No directory of the server's; the script's own comes last."""
    other = worker.root / "app"
    other.mkdir()
    (worker.root / "src").mkdir()
    worker.write("src/score.py")
    worker.environ |= {
        "AML_APP_ROOT": str(other),
        "AZUREML_SOURCE_DIRECTORY": "lib",
        "AZUREML_ENTRY_SCRIPT": str(worker.root / "src/score.py"),
    }
    path = worker.start().marked("PATH")
    found: list[str] = json.loads(path.replace("'", '"'))
    assert found[:2] == [str(worker.root), "/bin"]
    assert found[-3:] == [str(other), f"{other}/lib", f"{worker.root}/src"]
    assert "" not in found
    assert not any(item.endswith("/scorehost") for item in found)


def test_a_users_module_does_not_hide_the_librarys(worker: Worker) -> None:
    """Not while the server comes up, whatever lies in the current directory."""
    for name in ("json.py", "logging.py", "traceback.py"):
        worker.write(name, "raise SystemExit(99)\n")
    assert worker.start().code == 5


def test_a_users_module_is_found_before_the_servers(worker: Worker) -> None:
    worker.write("settings.py", "NAME = 'mine'\n")
    worker.write("score.py", "import settings; print(settings.NAME)\n" + SCRIPT)
    assert "I azmlinfsrv.print - mine" in worker.start().lines


def test_unknown_keys_and_settings_from_the_file(worker: Worker) -> None:
    text = json.dumps({"SCORING_TIMEOUT_MS": "500", "bogus": 1, "AML_CORS_ORIGINS": "a,b"})
    worker.boot["config_file"] = str(worker.write("config.json", text))
    lines = worker.start().lines
    assert lines[:2] == [
        "W azmlinfsrv - Found extra keys in the config file that are not supported by the server.",
        "Extra keys = ['bogus']",
    ]
    assert "I azmlinfsrv - Enabling CORS for the following origins: a, b" in lines
    assert "I azmlinfsrv - Scoring timeout is set to 500" in lines


def test_valid_keys_are_not_extra(worker: Worker) -> None:
    worker.environ |= {"SERVICE_NAME": "x", "HOSTNAME": "y"}
    assert worker.start().lines[0] == "Initializing logger"


def test_configuration_errors(worker: Worker) -> None:
    worker.environ |= {"SCORING_TIMEOUT_MS": "-1", "AML_MDC_STORAGE_ENABLED": "perhaps"}
    worker.start()
    assert worker.code == 3
    assert worker.lines == [
        "C azmlinfsrv - ",
        "===============Configuration Error=================",
        "SCORING_TIMEOUT_MS: Input should be greater than or equal to 0 "
        "(environment variable: SCORING_TIMEOUT_MS)",
        "=" * 51,
        "C azmlinfsrv - ",
        "===============Configuration Error=================",
        "AML_MDC_STORAGE_ENABLED: Input should be a valid boolean, unable to interpret input "
        "(environment variable: AML_MDC_STORAGE_ENABLED)",
        "=" * 51,
    ]


@pytest.mark.parametrize("text", ["{", "[1]", "\n"])
def test_an_unreadable_configuration_file(worker: Worker, text: str) -> None:
    worker.boot["config_file"] = str(worker.write("config.json", text))
    worker.start()
    assert worker.code == 3
    head = "C azmlinfsrv - Invalid config file!: Traceback (most recent call last):"
    assert worker.lines[0] == head


def test_the_users_logging_file(worker: Worker) -> None:
    """Its class paths are Microsoft's; its format is in force from its own line on."""
    package = "azureml_inference_server_http.log_config"
    config = {
        "version": 1,
        "formatters": {"f": {"class": f"{package}.AMLLogFormatter", "format": "<%(message)s>"}},
        "filters": {"r": {"()": f"{package}.RootAccessFilter"}},
        "handlers": {
            "h": {
                "class": "logging.StreamHandler",
                "formatter": "f",
                "filters": ["r"],
                "stream": "ext://sys.stdout",
            }
        },
        "loggers": {"azmlinfsrv": {"level": "INFO", "handlers": ["h"], "propagate": False}},
    }
    path = worker.write("logging.json", json.dumps(config))
    worker.start()
    assert worker.out[0] == f"<Loaded logging config from {path}>"
    assert "<Starting up app insights client>" in worker.out
    assert worker.code == 5


def test_a_bad_logging_file(worker: Worker) -> None:
    worker.write("logging.json", '{"version": 2}')
    worker.start()
    assert worker.code == 3
    assert worker.lines[0].startswith("C azmlinfsrv - Invalid config file!: Traceback")
    assert "ValueError: Unsupported version: 2" in worker.lines


@pytest.mark.parametrize(
    ("model_dir", "enabled", "warned"),
    [("", "false", False), ("", "true", True), ("/nowhere", "false", True), (".", "true", False)],
)
def test_the_model_directory_is_missed_by_those_who_want_it(
    worker: Worker, model_dir: str, enabled: str, warned: bool
) -> None:
    worker.environ |= {"AZUREML_MODEL_DIR": model_dir, "AML_APP_INSIGHTS_ENABLED": enabled}
    text = "W azmlinfsrv.trace - Model directory is not set or does not exist: " + model_dir
    assert (text in worker.start().lines) is warned


def test_after_fork_comes_last(worker: Worker) -> None:
    """With and without preloading: a script must not have to know."""
    worker.write("score.py", SCRIPT + "async def after_fork():\n    print('mine')\n")
    lines = worker.start().lines
    begin = lines.index("I azmlinfsrv - Scoring timeout is set to 3600000")
    assert lines[begin + 1 : begin + 3] == [
        "I azmlinfsrv.user_script - Invoking user's after_fork function",
        "I azmlinfsrv.print - mine",
    ]
    assert worker.code == 5


def test_after_fork_that_raises(worker: Worker) -> None:
    worker.write("score.py", SCRIPT + "def after_fork():\n    raise ValueError('no session')\n")
    worker.start()
    assert worker.code == 3
    assert "E azmlinfsrv - User's after_fork function failed" in worker.lines
    assert "ValueError: no session" in worker.lines


def test_features_that_are_gone(worker: Worker) -> None:
    worker.environ["AML_DBG_MODEL_INFO"] = "1"
    assert (
        "W azmlinfsrv - The debuggability features have been removed. "
        "If you have a use case for them please reach out to us."
    ) in worker.start().lines


def test_no_debugger_is_an_error_and_no_loop(worker: Worker) -> None:
    worker.write("debugpy.py", "raise ModuleNotFoundError(name='debugpy')\n")
    worker.environ |= {"AZUREML_DEBUG_PORT": "5678", "PYTHONPATH": str(worker.root)}
    worker.boot["path0"] = str(worker.root)
    worker.start()
    assert worker.code == 3
    assert worker.lines == [
        "!! Starting the inference server in DEBUGGING mode because AZUREML_DEBUG_PORT is set.",
        "!! This environment variable should not be set in a production environment.",
        "** Cannot connect to a debugger because debugpy is not installed.",
    ]


def test_a_debugger_is_waited_for(worker: Worker) -> None:
    worker.write(
        "debugpy.py",
        "import sys\n"
        "def connect(address): sys.stdout.write(f'connect {address}\\n')\n"
        "def wait_for_client(): sys.stdout.write('wait\\n')\n",
    )
    worker.environ["AZUREML_DEBUG_PORT"] = "5678"
    worker.boot["path0"] = str(worker.root)
    lines = worker.start().lines
    assert lines[2:6] == [
        "** Connecting to debugger at port 5678...",
        "connect ('127.0.0.1', 5678)",
        "wait",
        "Initializing logger",
    ]


@pytest.mark.parametrize(
    ("script", "last"),
    [
        ("import nothere\n", "UserScriptImportException: Failed to import user script because"),
        ("def run(data): pass\n", "does not have a init() function defined."),
        ("def init(): 1/0\ndef run(data): pass\n", "UserScriptException: Caught an unhandled"),
        (
            "def init(): raise SystemExit(0)\ndef run(data): pass\n",
            "UserScriptException: Caught an unhandled",
        ),
    ],
)
def test_a_script_that_cannot_be_loaded(worker: Worker, script: str, last: str) -> None:
    worker.write("score.py", script)
    worker.start()
    assert worker.code == 3
    assert any(last in line for line in worker.lines)
    assert not any("ready for serving" in line for line in worker.lines)


def test_no_script_at_all(worker: Worker) -> None:
    worker.environ["AZUREML_ENTRY_SCRIPT"] = ""
    worker.start()
    assert worker.code == 3
    lines = worker.lines[-3:]
    assert lines[0] == "E azmlinfsrv - No score script found. Expected score script main.py."
    assert lines[1].startswith(
        f"E azmlinfsrv - Expected script to be found in PYTHONPATH: ['{worker.root}', '/bin', "
    ) or lines[1].startswith("E azmlinfsrv - Expected script to be found in PYTHONPATH: ['/bin', ")
    assert lines[2] == "E azmlinfsrv - Current contents of AML_APP_ROOT: ['score.py']"


def test_no_script_and_no_place_for_one(worker: Worker) -> None:
    worker.environ |= {"AZUREML_ENTRY_SCRIPT": "", "AML_APP_ROOT": "/nowhere"}
    assert worker.start().lines[-1] == (
        "E azmlinfsrv - The directory /nowhere not an accessible directory in the container."
    )


def test_main_is_found_and_may_fail_by_itself(worker: Worker) -> None:
    """What it says about a `main` of its own is not taken for a missing script."""
    worker.environ["AZUREML_ENTRY_SCRIPT"] = ""
    worker.write("main.py")
    assert worker.start().code == 5
    worker.write("main.py", "raise ModuleNotFoundError(\"No module named 'main'\", name='main')\n")
    assert worker.start().code == 3
    assert "E azmlinfsrv - Traceback (most recent call last):" in worker.lines
    assert not any("No score script found" in line for line in worker.lines)


def test_a_script_that_is_not_there(worker: Worker) -> None:
    (worker.root / "score.py").unlink()
    worker.start()
    assert worker.code == 3
    assert worker.lines[2:4] == [
        "E azmlinfsrv - No such file or directory.",
        "E azmlinfsrv - Traceback (most recent call last):",
    ]


def test_a_file_that_the_script_misses_is_another_matter(worker: Worker) -> None:
    worker.write("score.py", "open('/nowhere/model.pkl')\n")
    lines = worker.start().lines
    assert "E azmlinfsrv - No such file or directory." not in lines
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/model.pkl'" in lines


def test_the_model_directory_is_listed_when_init_fails(worker: Worker) -> None:
    for name in ("m/b.bin", "m/a/1/x"):
        (worker.root / name).parent.mkdir(parents=True, exist_ok=True)
        worker.write(name, "")
    (worker.root / "m/a/loop").symlink_to(worker.root / "m")
    worker.write("score.py", "def init(): 1/0\ndef run(data): pass\n")
    worker.environ["AZUREML_MODEL_DIR"] = str(worker.root / "m")
    lines = worker.start().lines
    start = lines.index("I azmlinfsrv - Model Directory Contents:")
    assert lines[start - 1 :: -1].index("E azmlinfsrv - User's init function failed")
    assert [line.partition(" - ")[2] for line in lines[start + 1 :]] == [
        "m/",
        "    a/",
        "        1/",
        "            x",
        "        loop/",
        "    b.bin",
    ]


@pytest.mark.parametrize(("files", "cut"), [(199, False), (200, True)])
def test_a_long_listing_is_cut(worker: Worker, files: int, cut: bool) -> None:
    for number in range(files):
        worker.write(f"m/{number:03d}", "")
    worker.write("score.py", "def init(): 1/0\ndef run(data): pass\n")
    worker.environ["AZUREML_MODEL_DIR"] = str(worker.root / "m")
    last = worker.start().lines[-1]
    assert (last == "I azmlinfsrv - Output Truncated. First 200 lines shown.") is cut


def test_a_fault_of_our_own_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(told: object) -> None:
        raise RuntimeError("ours")

    monkeypatch.setattr(boot, "prepare", broken)
    monkeypatch.setattr(stacks, "show", lambda all_threads: None)
    monkeypatch.setattr(logging.getLogger("gunicorn.error"), "propagate", True)
    with pytest.raises(SystemExit) as caught:
        boot.start({}, worker=False)
    assert caught.value.code == 3
    assert "Exception in worker process" in caplog.text
    assert "RuntimeError: ours" in caplog.text


# Kind thread

THREADS = """
import sys
sys.path[:] = ["", *{path!r}]
import json
from scorehost import boot
threads = boot.Threads(json.loads(sys.argv[1]))
made = [threads.scoring() for _ in range(3)]
print("SHARED", threads.shared, len(set(map(id, made))))
print("NAMES", *[scoring.run(data="").split(".")[0] for scoring in made])
"""


@pytest.mark.parametrize(
    ("told", "shared", "names"),
    [
        ({}, "True 1", "entry_module entry_module entry_module"),
        ({"worker_count": 1}, "True 1", "entry_module entry_module entry_module"),
        ({"worker_count": 3, "share_module": True}, "True 1", "entry_module " * 3),
        ({"worker_count": 3}, "False 3", "entry_module entry_module_2 entry_module_3"),
    ],
)
def test_threads_share_the_module_or_have_copies(
    worker: Worker, told: dict[str, object], shared: str, names: str
) -> None:
    path = worker.write("score.py", "def init(): print('init')\ndef run(data): return __name__\n")
    done = subprocess.run(
        [sys.executable, "-c", THREADS.format(path=sys.path), json.dumps(told)],
        cwd=worker.root,
        env={"AML_APP_ROOT": str(worker.root), "AZUREML_ENTRY_SCRIPT": str(path)},
        capture_output=True, text=True, check=True,
    )
    assert f"SHARED {shared}\n" in done.stdout
    assert f"NAMES {names}".strip() in done.stdout
    assert done.stdout.count("azmlinfsrv.print - init") == (1 if shared == "True 1" else 3)
    assert done.stdout.count("Initializing logger") == 1


@pytest.mark.parametrize(
    ("flags", "enabled", "warned"),
    [("t", True, True), ("t", False, False), ("", True, False)],
)
def test_a_gil_that_came_back_is_told(
    monkeypatch: pytest.MonkeyPatch, flags: str, enabled: bool, warned: bool
) -> None:
    monkeypatch.setattr(sys, "abiflags", flags)
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: enabled, raising=False)
    with logged() as lines:
        boot.warn_of_gil()
    assert ("its GIL is on" in "".join(lines)) is warned


# Kind interpreter

ISOLATED = """
import sys
sys.path[:] = ["", *{path!r}]
import json, gc
from importlib.machinery import BuiltinImporter
create = BuiltinImporter.create_module
def refuse(spec):
    if spec.name == "faulthandler":
        raise ImportError("module faulthandler does not support loading in subinterpreters")
    return create(spec)
BuiltinImporter.create_module = staticmethod(refuse)
from scorehost import boot
scoring = boot.start_isolated(json.loads(sys.argv[1]))
print("ARGV", *sys.argv, "REFUSED", scoring.refusals, "FROZEN", gc.get_freeze_count() > 1000)
"""


def isolated(
    worker: Worker, source: str, auto: bool = False
) -> subprocess.CompletedProcess[str]:
    """A start as in an interpreter of its own that refuses faulthandler."""
    told = {"argv": ["one"], "auto": auto}
    path = worker.write("score.py", source)
    env = {"AML_APP_ROOT": str(worker.root), "AZUREML_ENTRY_SCRIPT": str(path)}
    return subprocess.run(
        [sys.executable, "-c", ISOLATED.format(path=sys.path), json.dumps(told)],
        cwd=worker.root, env={**env, **worker.environ}, capture_output=True, text=True,
        check=False,
    )


def test_an_isolated_start(worker: Worker) -> None:
    worker.environ["AZUREML_DEBUG_PORT"] = "5678"
    done = isolated(worker, SCRIPT)
    assert done.returncode == 0, done.stderr
    assert "ARGV one REFUSED [] FROZEN True" in done.stdout
    assert "AZUREML_DEBUG_PORT is for --worker_kind process or thread" in done.stdout
    assert "DEBUGGING" not in done.stdout


@pytest.mark.parametrize(
    "source",
    [
        "import faulthandler\n",
        "def init():\n import faulthandler\ndef run(data): pass\n",
        "def init(): raise RuntimeError('fork not supported for isolated subinterpreters')\n"
        "def run(data): pass\n",
    ],
)
def test_a_script_that_is_refused_may_be_had_in_another_kind(worker: Worker, source: str) -> None:
    """Nobody asked for this kind, or somebody did and is told what to ask for."""
    for auto, code in ((True, boot.BOOT_UNFIT), (False, boot.BOOT_FAILED)):
        done = isolated(worker, source, auto)
        assert done.returncode == code
        what = "os.fork()" if "fork" in source else "faulthandler"
        assert f"The script needs {what}, which cannot be had" in done.stdout
        assert ("use --worker_kind process, or auto" in done.stdout) is not auto


def test_a_script_that_does_without_is_loaded(worker: Worker) -> None:
    done = isolated(worker, f"try: import faulthandler\nexcept ImportError: pass\n{SCRIPT}")
    assert done.returncode == 0, done.stderr
    assert "REFUSED [('faulthandler', 'module faulthandler does not" in done.stdout


def test_a_script_that_is_broken_is_so_in_every_kind(worker: Worker) -> None:
    assert isolated(worker, "def init(): 1/0\ndef run(data): pass\n").returncode == 3
    assert isolated(worker, "import nothing_like_it\n").returncode == 3
