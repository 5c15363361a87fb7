"""Takes its arguments by keyword only, headers first."""

from typing import Any


def init() -> None:
    """Load nothing."""


def run(*, request_headers: dict[str, str], payload: str) -> list[Any]:
    """Give back both."""
    return [payload, request_headers.get("X-Tenant", "nobody")]
