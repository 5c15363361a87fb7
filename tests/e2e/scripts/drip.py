"""Streams numbers, each when its gate is opened."""

import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path.cwd()


def init() -> None:
    """Load nothing."""


def run(data: str) -> Iterator[str]:
    """Yield so many numbers, or no end of them."""
    try:
        if data == "endless":
            while True:
                yield "x" * 65536
        for number in range(int(data)):
            (HERE / f"item{number}.here").touch()
            while not (HERE / f"item{number}.open").exists():
                time.sleep(0.002)
            yield str(number)
    finally:
        print("generator closed")
