"""Serves a partial application."""

import functools
import json


def score(data: str, scale: int, offset: int = 0) -> list[int]:
    """Scale and move a list of numbers."""
    return [scale * number + offset for number in json.loads(data)]


def init() -> None:
    """Load nothing."""


run = functools.partial(score, scale=10)
