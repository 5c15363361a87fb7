"""Looks at the headers of the request."""

from typing import Any


def init() -> None:
    """Load nothing."""


def run(data: str, request_headers: dict[str, str]) -> dict[str, Any]:
    """Give back the body and the headers, in order."""
    print(type(request_headers).__name__)
    return {"data": data, "headers": list(request_headers.items())}
