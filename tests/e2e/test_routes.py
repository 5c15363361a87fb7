"""Where a request goes: paths, methods, and what every answer carries."""

from __future__ import annotations

import re

import pytest

from .conftest import Make
from .host import Host
from .wire import Connection, Response, request

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
VERSION = "azmlinfsrv/1.5.1"
NOT_FOUND = (
    "The requested URL was not found on the server. If you entered the URL manually "
    "please check your spelling and try again."
)
NOT_ALLOWED = "The method is not allowed for the requested URL."


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("echo.py")


def test_health_is_text_and_carries_ids(server: Host) -> None:
    response = server.ask("GET", "/")
    assert (response.status, response.body) == (200, b"Healthy")
    assert response.get("content-type") == "text/html; charset=utf-8"
    assert response.get("x-ms-run-function-failed") is None, "nothing could run"
    assert response.get("x-ms-run-fn-exec-ms") is None
    assert response.get("x-ms-server-version") == VERSION
    assert UUID.fullmatch(response.get("x-request-id") or "")


def test_head_of_health_has_the_length_and_no_body(server: Host) -> None:
    response = server.ask("HEAD", "/")
    assert (response.status, response.get("content-length"), response.body) == (200, "7", b"")


@pytest.mark.parametrize("target", ["/", "/swagger.json"])
def test_options_of_a_page_tells_its_methods(server: Host, target: str) -> None:
    response = server.ask("OPTIONS", target)
    assert (response.status, response.body) == (200, b"")
    assert response.get("content-length") == "0"
    allowed = (response.get("allow") or "").split(", ")
    assert sorted(allowed) == ["GET", "HEAD", "OPTIONS"]


def test_options_of_score_is_answered_without_run(server: Host) -> None:
    response = server.ask("OPTIONS", "/score")
    assert (response.status, response.body) == (200, b"")
    assert response.get("content-type") == "text/html; charset=utf-8"
    assert response.get("x-ms-run-function-failed") == "False"


def test_head_of_score_is_not_allowed_by_the_script(server: Host) -> None:
    response = server.ask("HEAD", "/score")
    assert (response.status, response.get("content-length")) == (405, "33")
    assert UUID.fullmatch(response.get("x-request-id") or "")
    assert response.get("x-ms-run-function-failed") == "False"


@pytest.mark.parametrize(
    "target",
    ["/unknown", "/score/", "/Score", "/./score", "/score;x", "/score/x", "/%2Fscorex",
     "/swagger", "/swagger.json/", "/favicon.ico", "/a/../score", "/score%00"],
)
def test_an_unknown_path_is_not_found(server: Host, target: str) -> None:
    response = server.ask("POST", target, b"{}")
    assert (response.status, response.message) == (404, NOT_FOUND)
    assert response.get("x-ms-run-function-failed") == "False"


@pytest.mark.parametrize(
    "target",
    ["/score", "//score", "///score", "/sc%6Fre", "/%73core", "/score?", "/score?a=b",
     "http://score.example/score", "http://other.example:81/score?x"],
)
def test_the_ways_to_write_the_path_of_score(server: Host, target: str) -> None:
    response = server.ask("POST", target, b"x")
    assert (response.status, response.json) == (200, {"got": "x"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT"])
@pytest.mark.parametrize("target", ["*", "/nowhere"])
def test_what_is_nowhere_has_no_methods(server: Host, method: str, target: str) -> None:
    assert server.ask(method, target).status in ((404,) if target != "*" else (400, 404))


def test_options_of_everything_is_not_found(server: Host) -> None:
    assert server.ask("OPTIONS", "*").status == 404


@pytest.mark.parametrize("target", ["/", "/score", "/swagger.json"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "FOO"])
def test_another_method_is_not_allowed(server: Host, method: str, target: str) -> None:
    response = server.ask(method, target)
    assert (response.status, response.message) == (405, NOT_ALLOWED)
    assert response.get("x-ms-run-function-failed") == "False"
    posts = ["POST"] if target == "/score" else []
    allowed = sorted((response.get("allow") or "").split(", "))
    assert allowed == sorted(["GET", "HEAD", "OPTIONS", *posts])


@pytest.mark.parametrize("target", ["/", "/swagger.json"])
def test_only_score_can_be_posted_to(server: Host, target: str) -> None:
    response = server.ask("POST", target, b"{}")
    assert (response.status, response.message) == (405, NOT_ALLOWED)


def test_an_answer_with_all_its_headers(server: Host) -> None:
    """As a client of the replaced server knows it."""
    response = server.post('{"a":1}')
    assert (response.status, response.reason, response.version) == (200, "OK", "HTTP/1.1")
    assert response.body == rb'{"got": "{\"a\":1}"}'
    assert response.get("content-length") == str(len(response.body))
    assert response.get("x-ms-run-function-failed") == "False"
    assert re.fullmatch(r"\d+\.\d{3}", response.get("x-ms-run-fn-exec-ms") or "")
    assert re.fullmatch(
        r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", response.get("date") or ""
    )
    names = [name.lower() for name, _ in response.headers]
    assert set(names) - {"date", "server", "connection"} == {
        "content-type", "content-length", "x-ms-run-function-failed", "x-ms-run-fn-exec-ms",
        "x-ms-server-version", "x-request-id", "x-ms-request-id",
    }


# Identity


def ids(response: Response) -> tuple[str, ...]:
    """The three ids that came back, "new" for one that was made."""
    found = [response.get(name) or "" for name in
             ("x-request-id", "x-ms-request-id", "x-ms-client-request-id")]
    return tuple("new" if UUID.fullmatch(value) else value for value in found)


RID, LEGACY, CLIENT = ("X-Request-Id", "A"), ("x-ms-request-id", "B"), (
    "X-MS-Client-Request-ID", "C")


@pytest.mark.parametrize("target", ["/", "/score", "/swagger.json", "/swagger.json?version=9"])
@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ([], ("new", "new", "")),
        ([RID], ("A", "A", "")),
        ([LEGACY], ("new", "B", "B")),
        ([CLIENT], ("new", "C", "C")),
        ([LEGACY, CLIENT], ("new", "B", "C")),
        ([RID, LEGACY, CLIENT], ("A", "B", "C")),
        ([("x-request-id", "")], ("new", "new", "")),
        ([RID, LEGACY], ("A", "B", "B")),
    ],
)
def test_the_ids_that_come_back(
    server: Host, target: str, sent: list[tuple[str, str]], back: tuple[str, ...]
) -> None:
    response = server.ask("GET", target, headers=sent)
    assert ids(response) == back
    if back[:2] == ("new", "new"):
        assert response.get("x-request-id") == response.get("x-ms-request-id")


def test_ids_of_a_hundred_characters_are_fine(server: Host) -> None:
    names = ("x-request-id", "x-ms-request-id", "x-ms-client-request-id")
    response = server.ask("GET", "/", headers=[(name, "i" * 100) for name in names])
    assert response.status == 200
    assert [response.get(name) for name in names] == ["i" * 100] * 3


@pytest.mark.parametrize("target", ["/", "/score", "/swagger.json"])
@pytest.mark.parametrize(
    ("name", "text", "echoed"),
    [
        ("x-request-id", "x-request-id must not exceed 100 characters", False),
        ("x-ms-request-id", "x-ms-request-id and x-ms-client-request-id must not exceed "
         "100 characters", True),
        ("x-ms-client-request-id", "x-ms-request-id and x-ms-client-request-id must not "
         "exceed 100 characters", True),
    ],
)
def test_longer_ids_are_refused(
    server: Host, target: str, name: str, text: str, echoed: bool
) -> None:
    response = server.ask("GET", target, headers=[(name, "i" * 101)])
    assert (response.status, response.message) == (431, text)
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-ms-run-fn-exec-ms") is None
    assert bool(response.get("x-request-id")) is echoed
    assert response.get("x-ms-request-id") is None
    assert response.get("x-ms-client-request-id") is None


def test_long_ids_do_not_matter_where_nothing_is(server: Host) -> None:
    headers = [("x-request-id", "i" * 101)]
    assert server.ask("PUT", "/score", headers=headers).status == 405


def test_the_old_header_is_warned_of(server: Host) -> None:
    server.ask("GET", "/", headers=[("x-ms-request-id", "old")])
    warned = [line for line in server.lines() if "has been deprecated" in line.text]
    assert warned and (warned[0].logger, warned[0].level) == ("azmlinfsrv", "W")
    assert warned[0].text == (
        "x-ms-request-id header has been deprecated and will be removed from future versions "
        "of the server. Please use x-ms-client-request-id."
    )


@pytest.mark.parametrize("sent", ["TraceId", "traceid", "TRACEID"])
@pytest.mark.parametrize("value", ["t-1", ""])
def test_a_trace_id_is_echoed_under_one_spelling(
    server: Host, sent: str, value: str
) -> None:
    response = server.ask("GET", "/", headers=[(sent, value), ("trace-id", "no")])
    assert [pair for pair in response.headers if pair[0].lower() == "traceid"] == [
        ("TraceId", value)
    ]
    assert response.get("trace-id") is None


def test_each_request_gets_an_id_of_its_own(server: Host) -> None:
    with server.connect() as connection:
        made = set()
        for _ in range(50):
            connection.send(request("GET", "/"))
            made.add(connection.response("GET").get("x-request-id"))
    assert len(made) == 50


# What the environment changes


def test_no_version_is_told_when_that_is_off(host: Make) -> None:
    server = host("echo.py", env={"SERVER_VERSION_LOG_RESPONSE_ENABLED": "false"})
    assert server.post("x").get("x-ms-server-version") is None
    assert "Inferencing HTTP server version: None" in server.stdout


def test_a_version_of_the_users_own(host: Make) -> None:
    server = host("echo.py", env={
        "SERVER_VERSION_LOG_RESPONSE_ENABLED": "no", "HTTP_X_MS_SERVER_VERSION": "mine/7"})
    assert server.post("x").get("x-ms-server-version") == "mine/7"


def test_a_health_port_of_its_own_serves_everything(host: Make) -> None:
    server = host("echo.py", "--health_port", "{health_port}",
                  env={"SEPERATE_HEALTH_ENDPOINT": "true"})
    with Connection(("127.0.0.1", server.health_port)) as connection:
        assert connection.send(request("GET", "/")).response("GET").body == b"Healthy"
        assert connection.send(request(body=b"x")).response().json == {"got": "x"}
        assert connection.send(request("GET", "/swagger.json")).response("GET").status == 200
    assert server.ask("GET", "/").status == 200
    listening = next(text for text in server.texts("gunicorn.error", "stderr")
                     if text.startswith("Listening at: "))
    assert listening == (f"Listening at: http://127.0.0.1:{server.health_port},"
                         f"http://127.0.0.1:{server.port} ({server.process.pid})")
    assert f"Liveness Probe: GET   127.0.0.1:{server.health_port}/" in server.stdout


def test_only_the_exact_word_opens_the_health_port(host: Make) -> None:
    server = host("echo.py", "--health_port", "{health_port}",
                  env={"SEPERATE_HEALTH_ENDPOINT": "True"})
    with pytest.raises(ConnectionRefusedError):
        Connection(("127.0.0.1", server.health_port))
