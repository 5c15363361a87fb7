"""Every kind of return value, and what becomes of it."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import gc
import json
from collections.abc import Iterator
from typing import Any

import flask
import numpy as np
import pytest
import werkzeug
import werkzeug.exceptions
from fakes import logged

from scorehost import errors, hook, outputs, reply

JSON_FLAGS = reply.EXEC_MS
RESPONSE_FLAGS = reply.EXEC_MS | reply.OWN_TYPE | reply.HTTP_RESPONSE
STREAM_FLAGS = reply.EXEC_MS | reply.OWN_TYPE | reply.STREAM
HTML = ("Content-Type", "text/html; charset=utf-8")


class Kind(enum.IntEnum):
    ONE = 1


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (None, "{}"),
        ("x\u00e9\"", '"x\\u00e9\\""'),
        ({"b": 1, "a": [True, None]}, '{"b": 1, "a": [true, null]}'),
        ([1, 2.5], "[1, 2.5]"),
        ((1, 2), "[1, 2]"),
        (Point(1, 2), "[1, 2]"),
        (("x", 201), '["x", 201]'),
        (True, "true"),
        (3, "3"),
        (1e22, "1e+22"),
        (float("nan"), "NaN"),
        (Kind.ONE, "1"),
        (np.float64(1.5), "1.5"),
        ({1: 2, None: 3, False: 4}, '{"1": 2, "null": 3, "false": 4}'),
    ],
    ids=repr,
)
def test_json_values(value: Any, body: str) -> None:
    assert outputs.finish(value, 5) == (200, [], body, JSON_FLAGS, 5)
    if value is not None:
        assert body == json.dumps(value)


def circular() -> list[Any]:
    found: list[Any] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    "value",
    [
        {1},
        np.int64(1),
        np.array([1]),
        decimal.Decimal(1),
        datetime.date(2020, 1, 1),
        object(),
        {(1, 2): 3},
        circular(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_without_a_form(value: Any) -> None:
    with pytest.raises((TypeError, ValueError, RecursionError)):
        outputs.finish(value, 5)


@pytest.mark.parametrize(
    "value", [b"ab", bytearray(b"ab"), memoryview(b"ab")], ids=["bytes", "bytearray", "memoryview"]
)
def test_bytes(value: Any) -> None:
    """Difference: bytes are the body itself."""
    status, headers, body, flags, _ = outputs.finish(value, 5)
    assert (status, body, flags) == (200, b"ab", JSON_FLAGS | reply.OWN_TYPE)
    assert headers == [("Content-Type", "application/octet-stream")]


# Streams


def test_a_generator_streams() -> None:
    """Difference: a generator needs no response object around it."""
    ended = []

    def items() -> Any:
        try:
            yield ""
            yield "a\u00e9"
            yield b""
            yield b"c"
        finally:
            ended.append(True)

    status, headers, body, flags, _ = outputs.finish(items(), 5)
    assert (status, flags) == (200, STREAM_FLAGS)
    assert headers == [("Content-Type", "text/plain; charset=utf-8")]
    assert list(body) == ["a\u00e9".encode(), b"c"]
    assert ended == [True]


def test_a_generator_of_bytes_and_an_empty_one() -> None:
    for items, expected in ((iter_of(b"x"), [b"x"]), (iter_of(), [])):
        _, headers, body, flags, _ = outputs.finish(items, 5)
        assert headers == [("Content-Type", "application/octet-stream")]
        assert (list(body), flags) == (expected, STREAM_FLAGS)


def iter_of(*items: Any) -> Any:
    yield from items


def test_a_generator_that_raises_at_once_is_a_failure_of_the_script() -> None:
    def items() -> Any:
        raise ValueError("boom")
        yield

    with pytest.raises(outputs.RunRaised) as caught:
        outputs.finish(items(), 5)
    assert isinstance(caught.value.exc, ValueError)


def test_a_generator_of_something_else() -> None:
    with pytest.raises(outputs.InvalidResponse, match="bytes or str, not dict"):
        outputs.finish(iter_of({}), 5)


def test_a_stream_that_raises_later_ends_and_is_logged() -> None:
    def items() -> Any:
        yield "x"
        raise ValueError("boom")

    body = outputs.finish(items(), 5)[2]
    assert next(body) == b"x"
    with logged() as lines, pytest.raises(ValueError, match="boom"):
        next(body)
    assert lines[0].startswith("E Encountered Exception: Traceback")
    assert list(body) == []


@pytest.mark.parametrize("how", ["close", "forget"])
def test_a_stream_whose_client_leaves_is_closed(how: str) -> None:
    ended = []

    def items() -> Any:
        try:
            yield "x"
            yield "y"
        finally:
            ended.append(True)

    body = outputs.finish(items(), 5)[2]
    next(body)
    if how == "close":
        body.close()
        body.close()
    else:
        del body
        gc.collect()
    assert ended == [True]


def test_what_closing_raises_is_logged() -> None:
    def items() -> Any:
        try:
            yield "x"
        finally:
            raise ValueError("boom")

    body = outputs.finish(items(), 5)[2]
    with logged() as lines:
        body.close()
    assert "boom" in lines[0]


# Responses


def finished(response: Any, method: str = "POST") -> Any:
    with logged() as lines:
        made = outputs.finish(response, 5, method)
    assert lines == ["I run() output is HTTP Response"]
    return made


def test_a_flask_response() -> None:
    response = flask.Response("x\u00e9", status=201, headers={"X-A": "1"})
    response.set_cookie("a", "b")
    assert finished(response) == (
        201,
        [("X-A", "1"), HTML, ("Set-Cookie", "a=b; Path=/")],
        "x\u00e9".encode(),
        RESPONSE_FLAGS | reply.NO_FAILED_HEADER,
        5,
    )


def test_a_werkzeug_response() -> None:
    """Difference: it counts as a response too."""
    assert finished(werkzeug.Response("x"))[2] == b"x"


@pytest.mark.parametrize("status", [500, 503, 600])
def test_a_status_from_500_on_is_a_failure(status: int) -> None:
    response = flask.Response("x", status=status)
    response.headers.add("x-ms-run-function-failed", "False")
    response.headers.add("x-ms-run-function-failed", "q")
    assert finished(response)[3] == RESPONSE_FLAGS | reply.FAILED
    assert finished(response)[1] == [HTML]


@pytest.mark.parametrize("status", [204, 304])
def test_no_body_where_there_is_none(status: int) -> None:
    found, _, body, _, _ = finished(flask.Response("x", status=status))
    assert (found, body) == (status, b"")


def test_a_list_is_joined_and_an_iterator_streams() -> None:
    assert finished(flask.Response(["a", b"b"]))[2] == b"ab"
    status, headers, body, flags, _ = finished(flask.Response(iter_of("a", "", b"b")))
    assert (list(body), headers) == ([b"a", b"b"], [HTML])
    assert flags & reply.STREAM


def test_the_length_of_a_stream_is_the_scripts_to_say() -> None:
    response = flask.Response(iter_of("ab"), headers={"Content-Length": "2"})
    assert ("Content-Length", "2") in finished(response)[1]
    wrong = flask.Response("abc")
    wrong.headers["Content-Length"] = "2"
    assert finished(wrong)[1:3] == ([HTML], b"abc")


def test_head() -> None:
    """The host leaves the body out, but needs its length."""
    assert finished(flask.Response("abc"), "HEAD")[2] == b"abc"
    ended = []
    response = flask.Response(iter_of("ab"))
    response.call_on_close(lambda: ended.append(True))
    status, _, body, flags, _ = finished(response, "HEAD")
    assert list(body) == []
    assert ended == [True]
    assert flags & reply.STREAM


def test_a_stream_that_fails_at_once_is_the_scripts_error() -> None:
    def items() -> Iterator[str]:
        raise ValueError("mine")
        yield ""

    with pytest.raises(outputs.RunRaised, match="mine"):
        outputs.begun(finished(flask.Response(items())))


def test_a_call_that_fails_has_a_traceback_too(caplog: pytest.LogCaptureFixture) -> None:
    """There is no frame of the script's, but what reads logs looks for the head."""
    outputs.failed(TypeError("run() missing an argument"), 100)
    assert "Encountered Exception: Traceback (most recent call last)" in caplog.text


def test_a_closed_stream_closes_its_response() -> None:
    ended = []
    response = flask.Response(iter_of("a", "b"))
    response.call_on_close(lambda: ended.append(True))
    body = finished(response)[2]
    next(body)
    body.close()
    assert ended == [True]


def test_headers_of_the_connection_are_dropped() -> None:
    names = ["Server", "Date", "Connection", "Transfer-Encoding", "Keep-Alive", "x-request-id"]
    response = flask.Response("x", headers={name: "1" for name in [*names, "X-Kept"]})
    assert finished(response)[1] == [("X-Kept", "1"), HTML]


def test_without_a_type() -> None:
    response = flask.Response("x")
    del response.headers["Content-Type"]
    assert finished(response)[1] == []
    assert finished(response)[3] & reply.OWN_TYPE


@pytest.mark.parametrize(
    ("name", "value"), [("A b", "1"), ("", "1"), ("\u00e9", "1"), ("A", "\u20ac"), ("A", "a\x00b")]
)
def test_headers_that_cannot_be_sent(name: str, value: str) -> None:
    """Difference: these are a 500 in JSON; the connection stays."""
    response = flask.Response("x")
    response.headers.add(name, value)
    with logged(), pytest.raises(outputs.InvalidResponse):
        outputs.finish(response, 5)


@pytest.mark.parametrize("status", [99, 100, "abc"])
def test_statuses_that_cannot_be_sent(status: Any) -> None:
    with logged(), pytest.raises(outputs.InvalidResponse):
        outputs.finish(flask.Response("x", status=status), 5)


@pytest.mark.parametrize("body", [5, True, [1]], ids=str)
def test_bodies_that_cannot_be_sent(body: Any) -> None:
    with logged(), pytest.raises((TypeError, outputs.InvalidResponse)):
        outputs.finish(flask.Response(body), 5)


# AMLResponse


@pytest.fixture
def aml_response(monkeypatch: pytest.MonkeyPatch) -> Any:
    import sys

    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    hook.install()
    from azureml_inference_server_http.api.aml_response import AMLResponse

    return AMLResponse


AML_JSON = ("Content-Type", "application/json")


@pytest.mark.parametrize(
    ("arguments", "status", "headers", "body"),
    [
        ((None, 200), 200, [AML_JSON], b"{}"),
        (("x", 201), 201, [HTML], b"x"),
        ((b"x", 200), 200, [HTML], b"x"),
        (("", 200), 200, [HTML], b""),
        (("x", "201 Made"), 201, [HTML], b"x"),
        (("x", None), 200, [HTML], b"x"),
        (({"a": 1}, 200, {}, True), 200, [AML_JSON], b'{"a": 1}'),
        ((["a", "b"], 200), 200, [HTML], b"ab"),
        (({"a": 1, "b": 2}, 200), 200, [HTML], b"ab"),
        (
            ("x", 200, {"A": "1,,2 ", "Set-Cookie": "a=b"}),
            200,
            [HTML, ("A", "1"), ("A", ""), ("A", "2"), ("Set-Cookie", "a=b")],
            b"x",
        ),
        (("x", 200, {"Content-Type": "text/x"}), 200, [("Content-Type", "text/x")], b"x"),
    ],
    ids=str,
)
def test_aml_responses(
    aml_response: Any, arguments: Any, status: int, headers: Any, body: bytes
) -> None:
    assert finished(aml_response(*arguments)) == (status, headers, body, RESPONSE_FLAGS, 5)


@pytest.mark.parametrize(
    "arguments",
    [
        (None, 200, {"Content-Type": "text/x"}),
        ("x", 200, {"content-type": "text/x"}),
        ("x", 200, {"CONTENT-TYPE": "text/x"}, True),
    ],
    ids=str,
)
def test_an_aml_response_has_one_type(aml_response: Any, arguments: Any) -> None:
    """Difference: the script's own type replaces the default, in any spelling."""
    assert finished(aml_response(*arguments))[1] == [("Content-Type", "text/x")]


def test_an_aml_response_may_say_that_run_failed(aml_response: Any) -> None:
    failed = aml_response("x", 400, run_function_failed=True)
    assert finished(failed)[3] == RESPONSE_FLAGS | reply.FAILED
    doubled = aml_response("x", 200, {"x-ms-run-function-failed": "q"})
    assert finished(doubled)[1] == [HTML, ("x-ms-run-function-failed", "q")]
    odd = aml_response("x", 200)
    odd.headers["x-ms-run-function-failed"] = "maybe"
    assert finished(odd)[3] == RESPONSE_FLAGS | reply.NO_FAILED_HEADER


@pytest.mark.parametrize("headers", [{"A": 1}, {"A": "a\nb"}, None], ids=str)
def test_headers_that_an_aml_response_refuses(aml_response: Any, headers: Any) -> None:
    with pytest.raises((AttributeError, ValueError)):
        aml_response("x", 200, headers)


def test_an_aml_response_may_be_changed(aml_response: Any) -> None:
    response = aml_response(iter_of("data: 1\n\n"), 200)
    response.headers.update({"Cache-Control": "no-cache, no-store"})
    response.content_type = "text/event-stream"
    response.status_code = 202
    status, headers, body, _, _ = finished(response)
    assert (status, list(body)) == (202, [b"data: 1\n\n"])
    assert dict(headers) == {
        "Content-Type": "text/event-stream",
        "Cache-Control": "no-cache, no-store",
    }


# Failures


def test_abort_answers_with_its_status() -> None:
    """Difference: flask.abort() is an answer of the script, not a crash."""
    exc = werkzeug.exceptions.TooManyRequests("slow down", retry_after=7)
    with logged() as lines:
        made = outputs.failed(exc, 100)
    assert made == (429, [("Retry-After", "7")], '{"message": "slow down"}', 0, 0)
    assert lines == ["I run() ended the request: 429 Too Many Requests: slow down"]


def test_abort_with_a_response() -> None:
    own = werkzeug.exceptions.NotFound(response=flask.Response("mine", status=404))
    status, _, body, flags, _ = outputs.failed(own, 100)
    assert (status, body) == (404, b"mine")
    assert not flags & reply.EXEC_MS


def test_abort_with_a_server_error_is_a_failure() -> None:
    with logged():
        assert outputs.failed(werkzeug.exceptions.BadGateway(), 100)[3] == reply.FAILED
        assert outputs.failed(werkzeug.exceptions.HTTPException("x"), 100)[0] == 500


def test_an_exception_that_cannot_be_printed() -> None:
    class Bad(Exception):
        def __str__(self) -> str:
            raise ValueError

    with logged() as lines:
        assert outputs.failed(Bad(), 100)[0] == 500
    assert "Bad" in lines[0]


def test_the_deadline_names_its_limit() -> None:
    with logged():
        made = outputs.failed(errors.ScoringTimeout(), 500)
    assert made[2] == '{"message": "Scoring timeout after 500 ms"}'
