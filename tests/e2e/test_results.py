"""What comes back: return values, response objects, streams and failures."""

from __future__ import annotations

import json
import re
import time

import pytest

from .conftest import Make
from .host import Host
from .wire import Broken, Connection, Response, request, until

SCRIPT = "An unexpected error occurred in scoring script. Check the logs for more info."
INTERNAL = "An unexpected internal error occurred. Check the logs for more info."


@pytest.fixture(scope="module")
def returns(module_host: Make) -> Host:
    return module_host("returns.py")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("none", b"{}"),
        ("empty str", b'""'),
        ("str", b'"text"'),
        ("str of json", rb'"{\"already\": \"encoded\"}"'),
        ("str unicode", json.dumps("\u017c\u00f3\u0142\u0107 \U0001f600 \x00 \x7f \u2028 "
                                   "</script>").encode()),
        ("str surrogate", b'"\\ud800"'),
        ("dict", b'{"b": 1, "a": [1, 2.5, null, true]}'),
        ("dict odd keys", b'{"1": "t", "null": "none", "2.5": "f"}'),
        ("dict enum key", b'{"3": 1}'),
        ("counter", b'{"a": 2, "b": 1}'),
        ("list", b'[1, "two", 3.0, null, false, {"k": []}]'),
        ("tuple", b"[1, 2]"),
        ("tuple with status", b'["x", 201]'),
        ("dict with status", b'[{"a": 1}, 404, {"X-A": "b"}]'),
        ("namedtuple", b"[1, 2]"),
        ("true", b"true"),
        ("zero", b"0"),
        ("int", b"42"),
        ("big int", b"1" + b"0" * 40),
        ("float", b"0.1"),
        ("float whole", b"3.0"),
        ("float tiny", b"5e-324"),
        ("float large", b"1e+22"),
        ("float sum", b"0.30000000000000004"),
        ("minus zero", b"-0.0"),
        ("nan", b"NaN"),
        ("infinities", b"[Infinity, -Infinity]"),
        ("int enum", b"3"),
        ("deep 100", b"[" * 101 + b"]" * 101),
        ("wide", json.dumps(list(range(20_000))).encode()),
        ("long str", b'"' + b"x" * 300_000 + b'"'),
    ],
)
def test_values_become_json(returns: Host, kind: str, body: bytes) -> None:
    response = returns.post(kind)
    assert (response.status, response.body) == (200, body)
    assert response.get("content-type") == "application/json"
    assert response.get("content-length") == str(len(body))
    assert response.get("x-ms-run-function-failed") == "False"
    assert re.fullmatch(r"\d+\.\d{3}", response.get("x-ms-run-fn-exec-ms") or "")


@pytest.mark.parametrize("kind", [
    "set", "decimal", "datetime", "uuid", "dataclass", "object", "circular", "deep 100000",
    "dict tuple keys", "nested failure", "bytes in list", "enum", "complex", "class",
    "failing dict", "mapping proxy", "iterator"])
def test_what_json_cannot_hold_is_an_internal_error(returns: Host, kind: str) -> None:
    response = returns.post(kind)
    assert (response.status, response.message) == (500, INTERNAL)
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-request-id")
    assert response.get("x-ms-run-fn-exec-ms") is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [("bytes", b"raw \xff bytes"), ("empty bytes", b""), ("bytearray", b"abc"),
     ("memoryview", b"abc")])
def test_bytes_go_out_as_they_are(returns: Host, kind: str, body: bytes) -> None:
    response = returns.post(kind)
    assert (response.status, response.body) == (200, body)
    assert response.get("content-type") == "application/octet-stream"
    assert response.get("content-length") == str(len(body))
    assert response.get("x-ms-run-fn-exec-ms")


# Response objects


@pytest.fixture(scope="module")
def aml(module_host: Make) -> Host:
    return module_host("aml_responses.py")


@pytest.mark.parametrize(
    ("kind", "status", "body", "content_type"),
    [
        ("none", 200, b"{}", "application/json"),
        ("str", 200, b"text", "text/html; charset=utf-8"),
        ("str unicode", 200, "za\u017c\u00f3\u0142\u0107".encode(), "text/html; charset=utf-8"),
        ("bytes", 200, b"\x00\xff", "text/html; charset=utf-8"),
        ("json str", 200, b'"text"', "application/json"),
        ("json dict", 200, b'{"a": 1}', "application/json"),
        ("json none", 200, b"{}", "application/json"),
        ("dict", 200, b"ab", "text/html; charset=utf-8"),
        ("list", 200, b"ab", "text/html; charset=utf-8"),
        ("keywords", 201, b"kw", "text/html; charset=utf-8"),
        ("status none", 200, b"x", "text/html; charset=utf-8"),
        ("status text", 201, b"x", "text/html; charset=utf-8"),
        ("status 400", 400, b"bad", "text/html; charset=utf-8"),
        ("status 424", 424, b"dependency", "text/html; charset=utf-8"),
        ("status 499", 499, b"odd", "text/html; charset=utf-8"),
        ("status 500", 500, b"failed", "text/html; charset=utf-8"),
        ("status 599", 599, b"odd", "text/html; charset=utf-8"),
        ("content type", 200, b"<a/>", "text/xml"),
        ("changed", 202, b"second", "text/plain"),
    ],
)
def test_response_objects_go_out_as_they_are(
    aml: Host, kind: str, status: int, body: bytes, content_type: str
) -> None:
    response = aml.post(kind)
    assert (response.status, response.body) == (status, body)
    assert (response.get("content-type") or "").startswith(content_type)
    failed = "True" if status >= 500 else "False"
    assert response.get("x-ms-run-function-failed") == failed
    assert response.get("x-ms-run-fn-exec-ms")
    assert "run() output is HTTP Response" in aml.texts("azmlinfsrv")


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(aml: Host, status: int) -> None:
    with aml.connect() as connection:
        for _ in range(2):
            response = connection.send(request(body=b"status %d" % status)).response()
            assert (response.status, response.body) == (status, b"")
            assert response.get("content-length") is None
            if response.get("connection") == "close":
                break


def test_headers_of_a_response(aml: Host) -> None:
    assert aml.post("headers").get("X-One") == "1"
    assert aml.post("headers").get("x-two") == "2"
    assert aml.post("header commas").all("x-list") == ["a", "b", "", "c"]
    assert aml.post("header cache").all("cache-control") == ["no-store", "max-age=0"]
    assert aml.post("header empty").get("x-empty") == ""
    assert aml.post("header latin").get("x-latin") == "caf\xe9"
    assert aml.post("status 429").get("retry-after") == "3"
    assert len(aml.post("cookie").all("set-cookie")) == 2
    assert aml.post("failed").get("x-ms-run-function-failed") == "True"


def test_headers_that_are_the_hosts(aml: Host) -> None:
    response = aml.post("header own ids", ("x-request-id", "A"))
    assert response.get("x-request-id") == "A"
    assert response.get("x-ms-request-id") == "A"
    response = aml.post("header own server")
    assert response.get("server") != "mine" and response.get("date") != "now"
    assert response.get("connection") in (None, "keep-alive")
    assert aml.post("header own version").get("x-ms-server-version") == "azmlinfsrv/1.5.1"
    assert aml.post("header own length").get("content-length") == "5"


@pytest.mark.parametrize("kind", ["header newline", "header bad name", "header unicode"])
def test_headers_that_are_no_headers(aml: Host, kind: str) -> None:
    """Nobody injects anything, and the client gets an answer."""
    response = aml.post(kind)
    assert response.status == 500 and response.message in (INTERNAL, SCRIPT)
    assert response.get("x-injected") is None


@pytest.mark.parametrize("kind", ["int", "bool", "list of int", "header not str", "json bad"])
def test_response_objects_that_make_no_sense(aml: Host, kind: str) -> None:
    response = aml.post(kind)
    assert response.status == 500 and response.message in (INTERNAL, SCRIPT)
    assert response.get("x-request-id")


@pytest.mark.parametrize(
    ("kind", "status", "body", "failed"),
    [
        ("make_response", 201, b"made", None),
        ("response", 200, b"body", None),
        ("response 500", 500, b"body", "True"),
        ("werkzeug", 200, b"w", None),
        ("redirect", 302, None, None),
        ("send_file", 200, b"col\n1\n", None),
        ("stream", 200, b"path /score", None),
    ],
)
def test_flask_responses(
    flask_script: Host, kind: str, status: int, body: bytes, failed: str
) -> None:
    response = flask_script.post(kind)
    assert response.status == status
    assert body is None or response.body == body
    assert response.get("x-ms-run-function-failed") == failed


@pytest.fixture(scope="module")
def flask_script(module_host: Make) -> Host:
    return module_host("flask_responses.py")


def test_flask_knows_the_request_in_plain_mode(flask_script: Host) -> None:
    server = flask_script
    assert server.post("request", ("X-Tenant", "t")).json == ["POST", "/score", "t"]
    assert server.post("request data").json == "request data"
    assert server.post("has context").json == [True, True]
    assert server.post("g", ("x-ms-client-request-id", "C")).json == [36, "C"]
    assert server.post("jsonify").json == {"a": [1, "\u017c"], "b": 2}


@pytest.mark.parametrize(
    ("kind", "status"), [("abort 404", 404), ("abort 400 text", 400), ("abort response", 403),
                         ("exception", None)])
def test_flask_abort_says_what_it_says(flask_script: Host, kind: str, status: int) -> None:
    response = flask_script.post(kind)
    assert response.status == (status or response.status)
    assert response.get("x-request-id")


# Failures


@pytest.fixture(scope="module")
def failures(module_host: Make) -> Host:
    return module_host("failures.py")


@pytest.mark.parametrize("kind", [
    "value", "key", "own class", "no text", "unicode text", "many lines", "percent",
    "unprintable", "chained", "recursion", "stop iteration", "memory", "timeout", "os error",
    "generator exit", "cancelled", "system exit", "system exit 3", "system exit text"])
def test_what_run_raises_is_told_to_nobody(failures: Host, kind: str) -> None:
    before = failures.stdout.count("E [")
    response = failures.post(kind)
    assert (response.status, response.message) == (500, SCRIPT)
    assert response.get("x-ms-run-function-failed") == "True"
    assert response.get("x-request-id") and response.get("x-ms-server-version")
    assert response.get("x-ms-run-fn-exec-ms") is None
    assert "Traceback" not in response.body.decode()
    until("it is logged", lambda: failures.stdout.count("E [") > before)
    assert failures.times_ready() == 1, "the worker lives"


def test_the_log_has_the_whole_traceback(failures: Host) -> None:
    failures.post("own class")
    text = failures.stdout
    at = text.rindex("Encountered Exception: Traceback (most recent call last):")
    logged = text[at:]
    assert "model failed with code 3" in logged
    assert ("The above exception was the direct cause of the following exception:"
            in logged)
    assert "UserScriptException: Caught an unhandled exception from the user script" in logged


# Streams


@pytest.fixture(scope="module")
def stream(module_host: Make) -> Host:
    return module_host("stream.py")


def ask(server: Host, kind: str, version: str = "HTTP/1.1") -> Response:
    """Ask for a stream of some kind."""
    return server.ask("GET", "/score?kind=" + kind.replace(" ", "+"), version=version)


@pytest.mark.parametrize(
    ("kind", "chunks"),
    [
        ("text", [b"a", "\u017c".encode(), b"c"]),
        ("bytes", [b"\x00", b"\xff\xff\xff"]),
        ("mixed", [b"a", b"b"]),
        ("empty items", [b"a", b"b"]),
        ("nothing", []),
        ("many", [str(number).encode() for number in range(1000)]),
        ("plain generator", [b"a", b"b"]),
    ],
)
def test_one_chunk_for_each_item(stream: Host, kind: str, chunks: list[bytes]) -> None:
    response = ask(stream, kind)
    assert response.status == 200 and response.framing == "chunked"
    assert response.chunks == chunks
    assert response.get("x-request-id")


def test_a_large_stream(stream: Host) -> None:
    response = ask(stream, "large")
    assert response.body == b"x" * 500_000


def test_a_stream_to_http_1_0_ends_with_the_connection(stream: Host) -> None:
    response = ask(stream, "text", "HTTP/1.0")
    assert (response.framing, response.body) == ("close", "a\u017cc".encode())


def test_a_stream_of_known_length(stream: Host) -> None:
    response = ask(stream, "length")
    assert (response.framing, response.body) == ("length", b"12345")


def test_a_stream_with_a_status(stream: Host) -> None:
    response = ask(stream, "status")
    assert (response.status, response.body) == (207, b"late")


@pytest.mark.parametrize(
    ("kind", "before"), [("fails later", b"a"), ("exits", b"a"), ("wrong item", b"a")])
def test_a_stream_that_fails_has_no_end(stream: Host, kind: str, before: bytes) -> None:
    with pytest.raises(Broken) as broken:
        ask(stream, kind)
    assert broken.value.body == before
    stream.wait_said("Encountered Exception", "stdout")
    assert ask(stream, "text").status == 200


def test_the_connection_lives_on_after_a_stream(stream: Host) -> None:
    with stream.connect() as connection:
        for _ in range(3):
            connection.send(request("GET", "/score?kind=text"))
            assert len(connection.response("GET").chunks or []) == 3


def test_a_head_of_a_stream(stream: Host) -> None:
    """Nobody knows how long it would be."""
    with stream.connect() as connection:
        response = connection.send(request("HEAD", "/score?kind=text")).response("HEAD")
        assert (response.status, response.get("content-length")) == (200, None)
        if response.get("connection") == "close":
            assert connection.is_closed()
        else:
            assert connection.send(request("GET", "/")).response("GET").body == b"Healthy"


def test_events_of_a_chat_model(host: Make) -> None:
    server = host("sse.py")
    response = server.post('{"prompt": "a b"}', ("Content-Type", "application/json"))
    assert response.get("content-type") == "text/event-stream"
    assert response.chunks == [
        b'id: 0\ndata: {"token": "a"}\n\n', b'id: 1\ndata: {"token": "b"}\n\n',
        b"data: [DONE]\n\n"]


@pytest.fixture
def dripping(host: Make) -> Host:
    return host("drip.py")


def test_items_arrive_when_they_are_made(dripping: Host) -> None:
    """Each is there while the next one is still being waited for."""
    with dripping.connect() as connection:
        connection.send(request(body=b"3"))
        dripping.wait_at("item0")
        dripping.open("item0")
        assert connection.head().get("transfer-encoding") == "chunked"
        chunks = connection.chunks()
        assert next(chunks) == b"0"
        for number in (1, 2):
            dripping.wait_at(f"item{number}")
            assert not connection.has_answer()
            dripping.open(f"item{number}")
            assert next(chunks) == b"%d" % number
        assert list(chunks) == []


def test_a_client_that_leaves_ends_the_generator(dripping: Host) -> None:
    for name in ("item0", "item1"):
        dripping.open(name)
    with dripping.connect() as connection:
        connection.send(request(body=b"1000"))
        connection.head()
        dripping.wait_at("item2")
        connection.reset()
    for number in range(2, 1000):
        dripping.open(f"item{number}")
        if "generator closed" in dripping.stdout:
            break
    dripping.wait_said("generator closed", "stdout")
    assert not (dripping.app / "item999.here").exists()
    assert dripping.post("0").status == 200


def test_others_wait_for_a_stream_and_are_served(dripping: Host) -> None:
    dripping.open("item0")
    with Connection(dripping.address) as connection:
        connection.send(request(body=b"2"))
        connection.head()
        waiting = dripping.later(request(body=b"0"))
        assert not waiting.is_answered(0.1)
        assert dripping.ask("GET", "/").status == 200
        dripping.open("item1")
        assert list(connection.chunks()) == [b"0", b"1"]
        assert waiting.result().chunks == []


def test_a_stream_that_says_nothing_is_ended(host: Make) -> None:
    """WORKER_TIMEOUT is for its silence; how long it is in all does not matter."""
    server = host("drip.py", env={"WORKER_TIMEOUT": "1"})
    server.open("item0")
    with server.connect() as connection:
        connection.send(request(body=b"2"))
        connection.head()
        with pytest.raises(Broken):
            list(connection.chunks())
    server.wait_said("generator closed", "stdout")
    assert server.post("0").status == 200, "the worker is back"


def test_a_slow_reader_slows_the_generator_and_no_more(host: Make) -> None:
    """What is not read is not made: memory stays flat."""
    server = host("drip.py")
    both = server.pid, server.scorers()[0]
    before = [server.memory_kb(pid) for pid in both]
    with server.connect() as connection:
        connection.send(request(body=b"endless"))
        connection.head()
        until("it stands still", lambda: stands_still(server))
        after = [server.memory_kb(pid) for pid in both]
    assert after[0] - before[0] < 6000 and after[1] - before[1] < 6000


def stands_still(server: Host) -> bool:
    """Whether the worker has stopped working."""
    before = server.cpu_s(server.scorers()[0])
    time.sleep(0.25)
    return server.cpu_s(server.scorers()[0]) - before < 0.02


def test_a_stream_is_logged_when_it_is_known(stream: Host) -> None:
    ask(stream, "text")
    stream.wait_said('"GET /score?kind=text HTTP/1.1" 200 4 "-" "-"', "stdout")
    assert any(re.fullmatch(r"GET /score\?kind=text 200 \d+\.\d{3}ms N/A", text)
               for text in stream.texts("azmlinfsrv"))
