"""The program that embeds CPython: which environment it takes, and what it runs."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from scorehost import _core

# Left out where CPython has no library to link with.
PROGRAM = Path(sys.executable).with_name("scorehost-host")
pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="scorehost-host is not installed")


def run_program(*args: str, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: text for name, text in os.environ.items() if name != "VIRTUAL_ENV"}
    return subprocess.run(
        [PROGRAM, *args],
        env={**inherited, **environ},
        capture_output=True,
        text=True,
        timeout=250,
    )


def test_version() -> None:
    """Told without starting Python, so that it works where no environment is."""
    ended = run_program("--version", VIRTUAL_ENV="/nowhere")
    library = _core.version().split(", ", 1)[1]
    assert ended.returncode == 0
    assert ended.stdout.startswith("scorehost-host ")
    assert ended.stdout.endswith(f", Python {platform.python_version()}, {library}\n")


def test_takes_the_python_beside_it() -> None:
    """The same command as the console script: here the one for the usage."""
    theirs = subprocess.run(
        [sys.executable, "-m", "scorehost.azmlinfsrv", "--help"],
        capture_output=True,
        text=True,
        timeout=250,
    )
    ended = run_program("--help")
    assert ended.returncode == theirs.returncode
    assert "--entry_script" in ended.stdout


def test_takes_the_environment_it_is_told() -> None:
    ended = run_program("--help", VIRTUAL_ENV=sys.prefix)
    assert "--entry_script" in ended.stdout


def test_environment_without_python(tmp_path: Path) -> None:
    ended = run_program("--help", VIRTUAL_ENV=str(tmp_path))
    assert ended.returncode == 1
    assert ended.stderr == f"scorehost-host: error: VIRTUAL_ENV={tmp_path} has no bin/python\n"


def test_environment_of_another_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    ended = run_program("--help", VIRTUAL_ENV=str(tmp_path))
    assert ended.returncode == 1
    assert "which scorehost-host is linked with" in ended.stderr


def test_exit_code_is_the_commands() -> None:
    ended = run_program("--port", "none", "--entry_script", "score.py")
    assert ended.returncode == 1
    assert "invalid" in ended.stderr
