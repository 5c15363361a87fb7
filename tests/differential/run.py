"""Collecting answers in a process of its own, from a test or a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from .model import Answer

TESTS = Path(__file__).resolve().parent.parent


def collect_apart(command: str, folder: Path, plays: Iterable[str] = (),
                  env: Sequence[str] = (), loopback: Sequence[str] = (),
                  limit_s: float = 3600) -> dict[str, Answer]:
    """Put plays (all if none are named) to the server that `command` starts.

    What it prints is left to stderr.  `loopback` holds flags for when the
    collecting process cannot have a network of its own.  Each of its waits
    has a limit; that of all together is for what nobody thought of.
    """
    out = folder / "answers.json"
    line = [sys.executable, "-m", "differential.collect", str(out),
            "--command", command]
    line += [f"--play={name}" for name in plays]
    line += [f"--env={item}" for item in env]
    line += [f"--loopback={item}" for item in loopback]
    jobs = os.environ.get("DIFFERENTIAL_JOBS")
    line += [f"--jobs={jobs}"] if jobs else []
    path = os.pathsep.join(filter(None, (
        str(TESTS), os.environ.get("PYTHONPATH", ""))))
    subprocess.run(line, check=True, timeout=limit_s,
                   env={**os.environ, "PYTHONPATH": path})
    answers: dict[str, Answer] = json.loads(out.read_text(encoding="utf-8"))
    return answers
