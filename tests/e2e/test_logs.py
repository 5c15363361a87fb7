"""What is written where, in which form and in which order."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pytest

from .conftest import Make
from .host import Host
from .wire import request, until


@pytest.fixture(scope="module")
def prints(module_host: Make) -> Host:
    return module_host("prints.py")


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("echo.py")


def new_lines(server: Host, body: str) -> list[str]:
    """What one request leaves on stdout, read right after its answer."""
    before = len(server.stdout)
    assert server.post(body).status == 200
    return server.stdout[before:].splitlines()


@pytest.mark.parametrize(
    ("way", "texts"),
    [
        ("plain", ["hello"]),
        ("nothing", [""]),
        ("several", ["a 1 None [2.5] {'k': 'v'}"]),
        ("sep", ["a-b"]),
        ("sep empty", ["ab"]),
        ("end", ["no newline"]),
        ("end twice", ["one", "two"]),
        ("flush", ["flushed"]),
        ("spaces", ["  padded  "]),
        ("percent", ["100% %s %d {} {0}"]),
        ("unicode", ["za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 \U0001f600"]),
        ("stdout", ["explicit"]),
        ("original stdout", ["original"]),
        ("file none", ["file is None"]),
        ("many", [f"line {number}" for number in range(50)]),
        ("long", ["x" * 100_000]),
        ("thread", ["from a thread"]),
    ],
)
def test_prints_are_log_lines(prints: Host, way: str, texts: list[str]) -> None:
    before = len(prints.texts("azmlinfsrv.print"))
    assert prints.post(way).status == 200
    assert prints.texts("azmlinfsrv.print")[before:] == texts


def test_the_form_of_a_printed_line(prints: Host) -> None:
    lines = new_lines(prints, "plain")
    pattern = r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2},\d{3} I \[(\d+)\] azmlinfsrv.print - hello"
    found = re.fullmatch(pattern, lines[0])
    assert found and int(found[1]) == prints.scorers()[0]


def test_lines_in_a_print_stay_in_one_record(prints: Host) -> None:
    lines = new_lines(prints, "lines")
    assert lines[0].endswith("azmlinfsrv.print - first")
    assert lines[1:4] == ["second", "", "fourth"]


@pytest.mark.parametrize(
    ("way", "stream", "text"),
    [
        ("write", "stdout", "\nwritten\n"),
        ("descriptor", "stdout", "\nby descriptor\n"),
        ("subprocess", "stdout", "\nchild\n"),
        ("stderr", "stderr", "\nto stderr\n"),
        ("stderr write", "stderr", "\nwritten to stderr\n"),
        ("stack", "stderr", "ValueError: printed by hand\n"),
        ("warning", "stderr", "UserWarning: careful"),
        ("log warning", "stderr", "\nWARNING:root:a warning line\n"),
        ("log error", "stderr", "\nERROR:root:an error line\n"),
        ("named warning", "stderr", "\nWARNING:model:named\n"),
        ("server logger", "stdout", "azmlinfsrv - as server\n"),
        ("server child", "stdout", "W ["),
    ],
)
def test_other_output_goes_where_it_was_sent(
    prints: Host, way: str, stream: str, text: str
) -> None:
    assert prints.post(way).status == 200
    prints.wait_said(text, stream)


@pytest.mark.parametrize("way", ["debug", "info", "named info", "server debug"])
def test_what_is_below_the_level_is_not_written(prints: Host, way: str) -> None:
    before = len(prints.stderr)
    lines = new_lines(prints, way)
    assert len(lines) == 2 and prints.stderr[before:] == ""


def test_print_elsewhere_is_left_alone(prints: Host) -> None:
    assert prints.post("buffer").json == "kept\n"
    assert prints.post("bad keyword").status == 500


def test_import_and_init_are_hooked_too(prints: Host) -> None:
    assert prints.texts("azmlinfsrv.print")[:2] == ["printed at import", "printed at init"]


# The two lines of a request


def test_the_lines_of_a_request_and_their_order(prints: Host) -> None:
    """Print, score line, access line; all there when the answer is."""
    lines = new_lines(prints, "plain")
    assert len(lines) == 3
    pid = prints.scorers()[0]
    stamp = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"
    assert re.fullmatch(
        rf"{stamp} I \[{pid}\] azmlinfsrv - POST /score 200 \d+\.\d{{3}}ms 6", lines[1])
    assert re.fullmatch(
        rf"{stamp} I \[{pid}\] gunicorn\.access - 127\.0\.0\.1 - - "
        r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
        r'"POST /score HTTP/1\.1" 200 6 "-" "-"', lines[2])


def test_what_the_access_line_tells(server: Host) -> None:
    server.ask("POST", "/sc%6Fre?q=a%20b", b"x", [
        ("Referer", 'http://a.example/"x"'), ("User-Agent", "agent/1 \\ x"),
        ("Authorization", "Basic dXNlcjpwYXNz")])
    text = server.texts("gunicorn.access")[-1]
    assert text.startswith("127.0.0.1 - user [")
    assert '"POST /sc%6Fre?q=a%20b HTTP/1.1" 200 12 ' in text
    assert text.endswith(r'"http://a.example/\"x\"" "agent/1 \ x"')
    assert "pass" not in server.stdout
    assert server.texts("azmlinfsrv")[-1].startswith("POST /score?q=a%20b 200 ")


def test_no_client_can_forge_a_line(server: Host) -> None:
    """An escape sequence or a newline in a name stays what it is."""
    server.ask("GET", "/score?x=%0a2026-11-22", headers=[
        ("User-Agent", "a\xff\x85b"), ("Authorization", "Basic YVxuCmI6")])
    line = server.lines()[-1]
    assert line.is_log and line.logger == "gunicorn.access"


@pytest.mark.parametrize(
    ("method", "target", "version", "lines"),
    [
        ("GET", "/", "HTTP/1.1", []),
        ("GET", "/", "HTTP/1.0", []),
        ("HEAD", "/", "HTTP/1.1", []),
        ("GET", "/?x", "HTTP/1.1", ["access"]),
        ("GET", "/nowhere", "HTTP/1.1", ["access"]),
        ("PUT", "/score", "HTTP/1.1", ["access"]),
        ("OPTIONS", "/", "HTTP/1.1", ["access"]),
        ("GET", "/score", "HTTP/1.1", ["score", "access"]),
        ("OPTIONS", "/score", "HTTP/1.1", ["score", "access"]),
        ("HEAD", "/score", "HTTP/1.1", ["score", "access"]),
        ("GET", "/swagger.json", "HTTP/1.1", ["score", "access"]),
        ("GET", "/swagger.json?version=9", "HTTP/1.1", ["score", "access"]),
    ],
)
def test_who_leaves_which_lines(
    server: Host, method: str, target: str, version: str, lines: list[str]
) -> None:
    before = len(server.lines())
    server.ask(method, target, version=version)
    names = {"azmlinfsrv": "score", "gunicorn.access": "access"}
    assert [names[line.logger] for line in server.lines()[before:]] == lines


def test_a_probes_words_elsewhere_do_not_hide_a_request(server: Host) -> None:
    before = len(server.texts("gunicorn.access"))
    server.post("x", ("User-Agent", "GET / HTTP/1.1"))
    assert len(server.texts("gunicorn.access")) == before + 1


def test_a_request_that_is_refused_leaves_its_access_line(server: Host) -> None:
    server.ask("GET", "/score", headers=[("x-request-id", "i" * 101)])
    assert '"GET /score HTTP/1.1" 431 58 ' in server.texts("gunicorn.access")[-1]


def test_head_has_no_bytes_in_the_access_line(server: Host) -> None:
    server.ask("HEAD", "/swagger.json")
    assert '"HEAD /swagger.json HTTP/1.1" 200 0 ' in server.texts("gunicorn.access")[-1]


def test_the_whole_time_is_in_the_score_line(host: Make) -> None:
    server = host("lab.py")
    begun = time.monotonic()
    response = server.do("sleep", seconds=0.2)
    took_ms = (time.monotonic() - begun) * 1000
    found = re.fullmatch(r"POST /score 200 (\d+\.\d{3})ms 2", server.texts("azmlinfsrv")[-1])
    assert found and 200 <= float(found[1]) <= took_ms
    assert 200 <= float(response.get("x-ms-run-fn-exec-ms") or 0) <= float(found[1])


def test_without_the_access_log(host: Make) -> None:
    server = host("echo.py", "--access_log", "off")
    assert server.post("x").json == {"got": "x"}
    assert "POST /score" not in server.stdout


def test_a_reader_that_does_not_read_holds_up_nobody(host: Make) -> None:
    """stdout is a pipe and full: answers come all the same, and no line is lost."""
    read, write = os.pipe()
    server = host("echo.py", wait=False, stdout=write)
    os.close(write)
    until("serving", lambda: serves(server))
    with server.connect() as connection:
        for number in range(1000):
            assert connection.send(request(body=b"%d" % number)).response().status == 200
    text = b""
    server.notify(signal.SIGTERM)
    with open(read, "rb") as pipe:
        text = pipe.read()
    assert server.wait() == 0
    assert text.count(b"azmlinfsrv - POST /score 200") == 1000
    assert text.count(b'"POST /score HTTP/1.1" 200') == 1000


def test_times_are_in_utc(host: Make) -> None:
    server = host("echo.py", env={"TZ": "Asia/Kathmandu"})
    server.post("x")
    now = time.gmtime()
    lines = server.lines()
    assert lines[-1].time[:13] in {
        time.strftime("%Y-%m-%d %H", now),
        time.strftime("%Y-%m-%d %H", time.gmtime(time.time() - 60))}
    score = next(line for line in lines if line.text.startswith("POST /score 200"))
    assert score.time[:13] == lines[-1].time[:13]
    assert "+0545]" in server.texts("gunicorn.access")[-1]


# logging.json

MINE = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"mine": {
        "()": "azureml_inference_server_http.log_config.AMLLogFormatter",
        "fmt": "MINE %(levelname)s %(name)s %(message)s"}},
    "filters": {"probes": {
        "()": "azureml_inference_server_http.log_config.RootAccessFilter"}},
    "handlers": {
        "out": {"class": "logging.StreamHandler", "formatter": "mine",
                "stream": "ext://sys.stdout"}},
    "loggers": {
        "azmlinfsrv": {"level": "DEBUG", "handlers": ["out"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["out"], "filters": ["probes"],
                            "propagate": False}},
}


def test_a_logging_config_of_the_users_own(host: Make) -> None:
    server = host("prints.py", files={"logging.json": json.dumps(MINE)})
    until("mine", lambda: "MINE INFO azmlinfsrv Loaded logging config from " in server.stdout)
    assert server.post("server debug").status == 200
    server.wait_said("MINE DEBUG azmlinfsrv hidden", "stdout")
    assert server.post("plain").status == 200
    server.wait_said("MINE INFO azmlinfsrv.print hello", "stdout")
    server.wait_said("MINE INFO azmlinfsrv POST /score 200 ", "stdout")
    server.wait_said('MINE INFO gunicorn.access 127.0.0.1 - - [', "stdout")
    assert '"POST /score HTTP/1.1" 200 6 "-" "-"' in server.stdout
    assert server.ask("GET", "/").status == 200
    assert '"GET / HTTP/1.1"' not in server.stdout


def test_a_logging_config_that_names_nobody_silences_all(host: Make) -> None:
    server = host("prints.py", files={"logging.json": '{"version": 1}'}, wait=False)
    until("serving", lambda: serves(server))
    assert server.post("plain").status == 200
    assert server.post("log warning").status == 200
    assert "ready for serving" not in server.stdout
    assert "POST /score" not in server.stdout


def serves(server: Host) -> bool:
    """Whether it answers yet."""
    try:
        return server.ask("GET", "/").status == 200
    except ConnectionRefusedError:
        return False


@pytest.mark.parametrize("text", ["{bad", "[]", '{"version": 2}', "{}"])
def test_a_bad_logging_config_ends_the_start(host: Make, text: str) -> None:
    server = host("echo.py", files={"logging.json": text}, wait=False)
    assert server.wait() == 3
    assert "C [" in server.stdout and "Invalid config file!: Traceback" in server.stdout


@pytest.mark.parametrize("script", ["log_setup.py", "log_force.py", "warns.py"])
def test_scripts_that_set_up_their_own_logging(host: Make, script: str) -> None:
    server = host(script)
    assert server.post("{}").status in (200, 500)
    until("the score line", lambda: "POST /score" in server.stdout + server.stderr)


def test_requests_pipelined_leave_their_lines_in_order(server: Host) -> None:
    before = len(server.texts("azmlinfsrv"))
    with server.connect() as connection:
        connection.send(b"".join(
            request("POST", f"/score?{number}", b"x") for number in range(100)))
        for _ in range(100):
            connection.response()
    targets = [text.split()[1] for text in server.texts("azmlinfsrv")[before:]]
    assert targets == [f"/score?{number}" for number in range(100)]
