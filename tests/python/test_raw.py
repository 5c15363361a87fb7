"""What a script sees of the request through Flask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import flask
import pytest
from fakes import get, load, logged, post

from scorehost import raw, reply

JSON = "application/json"


def seen(call: Any, expression: str, root: Path) -> Any:
    """What an expression over ``flask.request`` is inside run()."""
    loaded = load(root, f"import flask\ndef run(data):\n  r = flask.request\n  return {expression}")
    status, _, body, _, _ = loaded.invoke(call)
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("r.method", "POST"),
        ("r.path", "/score"),
        ("r.full_path", "/score?a=1&b=%C3%A9"),
        ("r.url", "http://127.0.0.1:5001/score?a=1&b=\u00e9"),
        ("r.base_url", "http://127.0.0.1:5001/score"),
        ("r.host_url", "http://127.0.0.1:5001/"),
        ("r.host", "127.0.0.1:5001"),
        ("r.scheme", "http"),
        ("r.query_string.decode()", "a=1&b=%C3%A9"),
        ("r.args.to_dict()", {"a": "1", "b": "\u00e9"}),
        ("r.headers['x-CUSTOM']", "v"),
        ("r.headers.get('missing', 'none')", "none"),
        ("r.data.decode()", '{"k": 1}'),
        ("[r.get_data(cache=False).decode(), r.get_data().decode()]", ['{"k": 1}', ""]),
        ("r.json", {"k": 1}),
        ("r.content_type", JSON),
        ("r.content_length", 8),
        ("r.remote_addr", "127.0.0.1"),
        ("r.access_route", ["127.0.0.1"]),
        ("r.endpoint", "main.handle_score"),
        ("r.blueprint", "main"),
        ("r.cookies", {"c": "1"}),
        ("str(r.user_agent)", "agent"),
        ("type(r).__name__", "LocalProxy"),
        ("flask.g.request_id", "the-request-id"),
        ("flask.current_app.name", "azureml_inference_server_http.server.create_app"),
        ("r.environ['SERVER_NAME']", "0.0.0.0"),
        ("r.environ['SERVER_PORT']", "5001"),
        ("r.environ['REMOTE_PORT']", "40000"),
        ("r.environ['RAW_URI']", "/score?a=1&b=%C3%A9"),
        ("r.environ['PATH_INFO']", "/score"),
        ("r.environ['SERVER_PROTOCOL']", "HTTP/1.1"),
        ("r.environ['wsgi.multithread']", False),
        ("r.environ['wsgi.multiprocess']", False),
        ("r.environ['CONTENT_TYPE']", JSON),
        ("r.environ['HTTP_X_CUSTOM']", "v"),
        ("r.authorization.username", "me"),
    ],
)
def test_the_request(tmp_path: Path, expression: str, expected: Any) -> None:
    call = post(
        b'{"k": 1}',
        JSON,
        target="/score?a=1&b=%C3%A9",
        query=b"a=1&b=%C3%A9",
        headers=[
            ("X-Custom", "v"),
            ("Cookie", "c=1"),
            ("User-Agent", "agent"),
            ("Authorization", "Basic bWU6cHc="),
        ],
    )
    assert seen(call, expression, tmp_path) == expected


def test_forms_and_files(tmp_path: Path) -> None:
    form = post(b"a=1&b=2", "application/x-www-form-urlencoded")
    assert seen(form, "[r.form.to_dict(), data]", tmp_path) == [{"a": "1", "b": "2"}, "a=1&b=2"]
    body = (
        b'--B\r\nContent-Disposition: form-data; name="f"; filename="n.txt"\r\n\r\n'
        b"hello\r\n--B--\r\n"
    )
    upload = post(body, "multipart/form-data; boundary=B")
    expression = "[(f.filename, f.stream.read().decode()) for f in r.files.getlist('f')]"
    assert seen(upload, expression, tmp_path) == [["n.txt", "hello"]]


def test_bytes_in_a_query_that_are_not_utf_8(tmp_path: Path) -> None:
    """Difference: run() is called, and can read the query."""
    assert seen(get(b"a=\xff"), "r.args.to_dict()", tmp_path) == {"a": "%FF"}


@pytest.mark.parametrize(
    ("peer", "allowed", "header", "scheme"),
    [
        ("127.0.0.1", None, ("X-Forwarded-Proto", "https"), "https"),
        ("::1", None, ("X-Forwarded-Ssl", "on"), "https"),
        ("", None, ("X-Forwarded-Proto", "https"), "https"),
        ("127.0.0.1", None, ("X-Forwarded-Proto", "http"), "http"),
        ("10.0.0.1", None, ("X-Forwarded-Proto", "https"), "http"),
        ("10.0.0.1", "*", ("X-Forwarded-Proto", "https"), "https"),
        ("10.0.0.1", "10.0.0.2, 10.0.0.1", ("X-Forwarded-Protocol", "ssl"), "https"),
        ("127.0.0.1", "10.0.0.1", ("X-Forwarded-Proto", "https"), "http"),
    ],
)
def test_the_scheme_behind_a_proxy(
    monkeypatch: pytest.MonkeyPatch, peer: str, allowed: Any, header: Any, scheme: str
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if allowed is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", allowed)
    call = post(b"", headers=[header], peer=(peer, 1))
    assert raw.environ(call)["wsgi.url_scheme"] == scheme


def test_several_workers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_COUNT", "2")
    assert raw.environ(post())["wsgi.multiprocess"] is True


RAW = """
from azureml.contrib.services.aml_request import rawhttp, AMLRequest
import flask
@rawhttp
def run(request: AMLRequest):
"""


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_every_method_runs_in_raw_mode(tmp_path: Path, method: str) -> None:
    loaded = load(tmp_path, RAW + "  return request.method + ' ' + request.endpoint")
    status, _, body, _, _ = loaded.invoke(post(b"x", method=method))
    assert (status, body) == (200, f'"{method} main.handle_score"')


def test_raw_mode_with_headers(tmp_path: Path) -> None:
    source = RAW.replace("(request: AMLRequest)", "(request, request_headers)")
    loaded = load(tmp_path, source + "  return [request is flask.request, request_headers]")
    body = loaded.invoke(post(b"", headers=[("x-a", "1")]))[2]
    assert json.loads(body)[1]["X-A"] == "1"
    assert json.loads(body)[0] is True


@pytest.mark.parametrize(
    ("expression", "kind", "status"),
    [
        ("request.json", JSON, 400),
        ("request.json", "text/plain", 415),
        ("request.args['missing']", JSON, 400),
        ("flask.abort(404)", JSON, 404),
    ],
)
def test_bad_input_in_raw_mode(tmp_path: Path, expression: str, kind: str, status: int) -> None:
    """Difference: what Flask itself refuses is answered as it says."""
    loaded = load(tmp_path, RAW + f"  return {expression}")
    with logged() as lines:
        found, _, body, flags, _ = loaded.invoke(post(b"{", kind))
    assert (found, flags) == (status, 0)
    assert list(json.loads(str(body))) == ["message"]
    assert lines[0].startswith(f"I run() ended the request: {status} ")


def test_after_this_request(tmp_path: Path) -> None:
    source = """
import flask
def run(data):
    @flask.after_this_request
    def change(response):
        response.headers["X-After"] = "1"
        return response
    return {"a": 1}
"""
    status, headers, body, flags, run_ns = load(tmp_path, source).invoke(post(b""))
    assert headers == [("Content-Type", "application/json"), ("X-After", "1")]
    assert (status, body) == (200, b'{"a": 1}')
    assert flags == reply.EXEC_MS | reply.OWN_TYPE


def test_streams_outlive_the_request(tmp_path: Path) -> None:
    source = """
import flask
def run(data):
    @flask.stream_with_context
    def items():
        yield flask.request.path
        yield flask.g.request_id
    return flask.Response(items())
"""
    body = load(tmp_path, source).invoke(post(b""))[2]
    assert list(body) == [b"/score", b"the-request-id"]
    assert not flask.has_request_context()


def test_a_stream_that_fails_at_once_leaves_no_context(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = """
import flask
def run(data):
    @flask.stream_with_context
    def items():
        raise ValueError("mine")
        yield flask.request.path
    return flask.Response(items())
"""
    status, _, _, flags, _ = load(tmp_path, source).invoke(post(b""))
    assert (status, flags) == (500, reply.FAILED)
    assert "ValueError: mine" in caplog.text
    assert not flask.has_request_context()


def test_send_file(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"12345")
    source = f"import flask\ndef run(d): return flask.send_file({str(tmp_path / 'x.bin')!r})"
    _, headers, body, flags, _ = load(tmp_path, source).invoke(post(b""))
    assert dict(headers)["Content-Length"] == "5"
    assert b"".join(body) == b"12345"
    assert flags & reply.STREAM
