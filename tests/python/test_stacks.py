"""Python stacks on stderr, of a crash and on demand."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import os, signal, sys, threading
sys.path[:] = {path!r}
from scorehost import stacks
stacks.show(all_threads={all_threads})
stop = threading.Event()
def other(): stop.wait()
threading.Thread(target=other).start()
def here():
    {what}
here()
stop.set()
"""


def shown(what: str, all_threads: bool = False) -> subprocess.CompletedProcess[str]:
    """What a program writes that does this in a function."""
    code = START.format(path=sys.path, what=what, all_threads=all_threads)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=False
    )


@pytest.mark.parametrize("all_threads", [False, True])
def test_the_signal_shows_a_stack_and_nothing_else_happens(all_threads: bool) -> None:
    done = shown("signal.raise_signal(stacks.DUMP_SIGNAL)", all_threads)
    assert done.returncode == 0
    assert "in here" in done.stderr
    assert ("in other" in done.stderr) is all_threads


def test_a_crash_shows_a_stack() -> None:
    done = shown("os.kill(os.getpid(), signal.SIGSEGV)")
    assert done.returncode == -11
    assert "Segmentation fault" in done.stderr and "in here" in done.stderr


def test_without_a_stderr_nothing_is_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-c", START.format(path=sys.path, what="pass", all_threads=True)],
        stdout=subprocess.PIPE, close_fds=True, timeout=250, check=False,
        preexec_fn=lambda: __import__("os").close(2),
    )
    assert done.returncode == 0


def test_the_signal_is_the_one_that_the_host_sends() -> None:
    import signal

    from scorehost import stacks

    assert stacks.DUMP_SIGNAL == signal.SIGRTMAX - 3
