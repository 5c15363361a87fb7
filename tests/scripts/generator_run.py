"""Is a generator function: `run` yields."""

from collections.abc import Iterator


def init() -> None:
    """Load nothing."""


def run(data: str) -> Iterator[str]:
    """Yield the words of the body."""
    for word in data.split():
        yield word + " "
