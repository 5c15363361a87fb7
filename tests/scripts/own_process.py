"""Calls a program and talks to a child process."""

import json
import multiprocessing
import subprocess
import sys
from typing import Any


def init() -> None:
    """Ask a program for its answer once."""
    done = subprocess.run([sys.executable, "-c", "print(6 * 7)"],
                          capture_output=True, text=True, check=True)
    print("the program says", done.stdout.strip())


def run(data: str) -> Any:
    """Sort lines by a program, or square numbers in a forked child."""
    request = json.loads(data)
    if "lines" in request:
        done = subprocess.run(["sort"], input="\n".join(request["lines"]),
                              capture_output=True, text=True, check=True)
        return done.stdout.split()
    context = multiprocessing.get_context("fork")
    with context.Pool(1) as pool:
        return pool.map(abs, request["numbers"])
