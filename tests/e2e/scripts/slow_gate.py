"""Its init() waits at a gate."""

import time
from pathlib import Path

HERE = Path.cwd()


def init() -> None:
    """Say that we are here and wait until somebody opens."""
    (HERE / "init.here").touch()
    while not (HERE / "init.open").exists():
        time.sleep(0.005)


def run(data: str) -> str:
    """Give it back."""
    return data
