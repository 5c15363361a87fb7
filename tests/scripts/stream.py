"""Streams in the way that the query names."""

from collections.abc import Iterator
from typing import Any, Callable, Union

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

Part = Union[str, bytes]


def parts(*items: Any) -> Iterator[Part]:
    """Yield the items; raise those that are exceptions."""
    try:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        print("generator closed")


def with_length() -> AMLResponse:
    """Stream with a Content-Length."""
    response = AMLResponse(parts("12", "345"), 200)
    response.headers["Content-Length"] = "5"
    return response


STREAMS: dict[str, Callable[[], Any]] = {
    "text": lambda: AMLResponse(parts("a", "ż", "c"), 200),
    "bytes": lambda: AMLResponse(parts(b"\x00", b"\xff" * 3), 200),
    "mixed": lambda: AMLResponse(parts("a", b"b"), 200),
    "empty items": lambda: AMLResponse(parts("a", "", b"", "b"), 200),
    "nothing": lambda: AMLResponse(parts(), 200),
    "large": lambda: AMLResponse(parts(*(["x" * 50_000] * 10)), 200),
    "many": lambda: AMLResponse(parts(*map(str, range(1000))), 200),
    "status": lambda: AMLResponse(parts("late"), 207),
    "length": with_length,
    "fails first": lambda: AMLResponse(parts(ValueError("first")), 200),
    "fails later": lambda: AMLResponse(parts("a", ValueError("later")), 200),
    "exits": lambda: AMLResponse(parts("a", SystemExit(1)), 200),
    "wrong item": lambda: AMLResponse(parts("a", 5), 200),
    "plain generator": lambda: parts("a", "b"),
}


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest) -> Any:
    """Answer by the stream that is asked for."""
    return STREAMS[request.args["kind"]]()
