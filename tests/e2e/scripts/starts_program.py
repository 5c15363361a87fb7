"""Starts a program that stays."""

import subprocess

programs: list["subprocess.Popen[bytes]"] = []


def init() -> None:
    """Load nothing."""


def run(data: str) -> int:
    """Start it and tell its process."""
    programs.append(subprocess.Popen(["sleep", "1000"]))
    return programs[-1].pid
