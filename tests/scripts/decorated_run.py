"""Wraps `run` in a decorator of its own, with and without `wraps`."""

import functools
from typing import Any, Callable


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Print the name of what is called."""
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        print("calling", function.__name__, sorted(kwargs))
        return function(*args, **kwargs)
    return wrapper


@logged
def init() -> None:
    """Load nothing."""


@logged
def run(data: str) -> str:
    """Turn the body round."""
    return data[::-1]
