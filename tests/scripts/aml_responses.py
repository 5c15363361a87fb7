"""Answers with an AMLResponse of the kind that the request names."""

import io
from collections.abc import Iterator
from typing import Any, Callable

from azureml_inference_server_http.api.aml_response import AMLResponse


def numbers() -> Iterator[str]:
    """Yield text."""
    for number in range(3):
        yield f"{number}\n"


def changed() -> AMLResponse:
    """Change a response in every way before it goes out."""
    response = AMLResponse("first", 200)
    response.status_code = 202
    response.headers["X-Set"] = "one"
    response.headers.add("X-Set", "two")
    response.headers.update({"X-Updated": "yes"})
    response.headers.remove("X-Set")
    response.data = b"second"
    response.mimetype = "text/plain"
    return response


def with_cookie() -> AMLResponse:
    """Set cookies after construction."""
    response = AMLResponse("cookie", 200)
    response.set_cookie("a", "1", max_age=60, httponly=True)
    response.set_cookie("b", "2")
    return response


def failing_stream() -> Iterator[bytes]:
    """Break off in the middle."""
    yield b"before\n"
    raise ValueError("in the stream")


def response(*args: Any, **kwargs: Any) -> Callable[[], AMLResponse]:
    """Make a maker of one response."""
    return lambda: AMLResponse(*args, **kwargs)


KINDS: dict[str, Callable[[], Any]] = {
    "none": response(None, 200),
    "str": response("text", 200),
    "str unicode": response("zażółć", 200),
    "bytes": response(b"\x00\xff", 200),
    "empty": response("", 200),
    "json str": response("text", 200, json_str=True),
    "json dict": response({"a": 1}, 200, json_str=True),
    "json none": response(None, 200, json_str=True),
    "json bad": response({1}, 200, json_str=True),
    "dict": response({"a": 1, "b": 2}, 200),
    "list": response(["a", "b"], 200),
    "list of bytes": response([b"a", b"b"], 200),
    "list of int": response([1, 2], 200),
    "tuple": response(("x", "y"), 200),
    "int": response(5, 200),
    "bool": response(True, 200),
    "generator": lambda: AMLResponse(numbers(), 200),
    "iterator": lambda: AMLResponse(iter([b"1", b"", b"2"]), 200),
    "file": lambda: AMLResponse(io.BytesIO(b"a\nb\n"), 200),
    "keywords": response(message="kw", status_code=201, response_headers={
        "X-A": "b"}, json_str=False, run_function_failed=False),
    "status none": response("x", None),
    "status text": response("x", "201 Made"),
    "status words": response("x", "abc"),
    "status 204": response("", 204),
    "status 204 body": response("body", 204),
    "status 304": response("", 304),
    "status 400": response("bad", 400),
    "status 404": response({"message": "no such model"}, 404, json_str=True),
    "status 418": response("teapot", 418),
    "status 424": response("dependency", 424),
    "status 429": response("slow", 429, {"Retry-After": "3"}),
    "status 499": response("odd", 499),
    "status 500": response("failed", 500),
    "status 503": response("later", 503),
    "status 599": response("odd", 599),
    "status 600": response("beyond", 600),
    "status 302": response("", 302, {"Location": "/elsewhere"}),
    "failed": response("soft failure", 200, run_function_failed=True),
    "failed own header": response("x", 200, {
        "x-ms-run-function-failed": "maybe"}),
    "failed own header 500": response("x", 500, {
        "x-ms-run-function-failed": "maybe"}),
    "content type": response("<a/>", 200, {"Content-Type": "text/xml"}),
    "content type lower": response("<a/>", 200, {"content-type": "text/xml"}),
    "content type json": response({"a": 1}, 200, {
        "Content-Type": "application/problem+json"}, json_str=True),
    "content type none": response(None, 200, {"Content-Type": "text/xml"}),
    "headers": response("x", 200, {"X-One": "1", "x-two": "2"}),
    "header commas": response("x", 200, {"X-List": "a, b,,c"}),
    "header cookie date": response("x", 200, {
        "Set-Cookie": "a=b; expires=Wed, 21 Oct 2026 07:28:00 GMT"}),
    "header cache": response("x", 200, {"Cache-Control": "no-store, max-age=0"}),
    "header not str": response("x", 200, {"X-Number": 5}),
    "header empty": response("x", 200, {"X-Empty": ""}),
    "header latin": response("x", 200, {"X-Latin": "caf\xe9"}),
    "header unicode": response("x", 200, {"X-Uni": "za\u017c"}),
    "header newline": response("x", 200, {"X-Bad": "a\r\nX-Injected: b"}),
    "header bad name": response("x", 200, {"X Bad": "v"}),
    "header own server": response("x", 200, {
        "Server": "mine", "Date": "now", "Connection": "keep-alive"}),
    "header own ids": response("x", 200, {
        "x-request-id": "mine", "x-ms-request-id": "mine",
        "x-ms-client-request-id": "mine"}),
    "header own version": response("x", 200, {"x-ms-server-version": "mine"}),
    "header own exec": response("x", 200, {"x-ms-run-fn-exec-ms": "1"}),
    "header own cors": response("x", 200, {
        "Access-Control-Allow-Origin": "https://mine.example"}),
    "header own length": response("12345", 200, {"Content-Length": "5"}),
    "header encoding": response("x", 200, {"Content-Encoding": "identity"}),
    "changed": changed,
    "cookie": with_cookie,
    "failing stream": lambda: AMLResponse(failing_stream(), 200),
    "no arguments": lambda: AMLResponse(),  # type: ignore[call-arg]
    "no status": lambda: AMLResponse("x"),  # type: ignore[call-arg]
    "not a status": response("x", [200]),
    "subclass": lambda: type("Mine", (AMLResponse,), {})("mine", 200),
    "in a tuple": lambda: (AMLResponse("x", 200), 201),
    "in a list": lambda: [AMLResponse("x", 200)],
}


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Answer in the way that the body names."""
    return KINDS[data]()
