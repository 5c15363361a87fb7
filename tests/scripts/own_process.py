"""Calls programs, once at start and once for each request."""

import json
import subprocess
import sys
from typing import Any


def init() -> None:
    """Ask a program for its answer once."""
    done = subprocess.run([sys.executable, "-c", "print(6 * 7)"],
                          capture_output=True, text=True, check=True)
    print("the program says", done.stdout.strip())


def run(data: str) -> Any:
    """Sort lines by a program."""
    lines = json.loads(data)["lines"]
    done = subprocess.run(["sort"], input="\n".join(lines),
                          capture_output=True, text=True, check=True)
    return done.stdout.split()
