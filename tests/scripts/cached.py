"""Caches its answers with functools."""

import functools
import json


def init() -> None:
    """Load nothing."""


@functools.lru_cache(maxsize=2)
def run(data: str) -> int:
    """Compute once for each body."""
    print("computing", data)
    result: int = json.loads(data) ** 2
    return result
