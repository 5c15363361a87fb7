"""Writes to its streams in the way that the request names."""

import io
import logging
import os
import subprocess
import sys
import threading
import traceback
import warnings
from typing import Any, Callable

print("printed at import")


def in_a_thread() -> None:
    """Print from a thread."""
    thread = threading.Thread(target=print, args=("from a thread",))
    thread.start()
    thread.join()


def to_buffer() -> str:
    """Print to a file object, which is no business of the host's."""
    buffer = io.StringIO()
    print("kept", file=buffer)
    return buffer.getvalue()


def stack() -> None:
    """Print a traceback, which goes to stderr."""
    try:
        raise ValueError("printed by hand")
    except ValueError:
        traceback.print_exc()


def write_and_print() -> None:
    """Mix the two ways to stdout."""
    sys.stdout.write("written 1\n")
    print("printed 2")
    sys.stdout.write("written 3\n")
    sys.stdout.flush()


WAYS: dict[str, Callable[[], Any]] = {
    "plain": lambda: print("hello"),
    "nothing": lambda: print(),
    "empty": lambda: print(""),
    "several": lambda: print("a", 1, None, [2.5], {"k": "v"}),
    "sep": lambda: print("a", "b", sep="-"),
    "sep empty": lambda: print("a", "b", sep=""),
    "sep none": lambda: print("a", "b", sep=None),
    "end": lambda: print("no newline", end=""),
    "end twice": lambda: (print("one", end=" "), print("two")),
    "flush": lambda: print("flushed", flush=True),
    "lines": lambda: print("first\nsecond\n\nfourth"),
    "trailing newline": lambda: print("line\n"),
    "tabs": lambda: print("a\tb\rc"),
    "spaces": lambda: print("  padded  "),
    "percent": lambda: print("100% %s %d {} {0}"),
    "unicode": lambda: print("zażółć gęślą \U0001f600"),
    "bytes": lambda: print(b"\xff\x00"),
    "long": lambda: print("x" * 100_000),
    "many": lambda: [print("line", number) for number in range(50)],
    "stdout": lambda: print("explicit", file=sys.stdout),
    "original stdout": lambda: print("original", file=sys.__stdout__),
    "stderr": lambda: print("to stderr", file=sys.stderr),
    "file none": lambda: print("file is None", file=None),
    "bad keyword": lambda: print("x", colour="red"),  # type: ignore
    "buffer": to_buffer,
    "write": lambda: sys.stdout.write("written\n"),
    "write and print": write_and_print,
    "stderr write": lambda: sys.stderr.write("written to stderr\n"),
    "descriptor": lambda: os.write(1, b"by descriptor\n"),
    "subprocess": lambda: subprocess.run(["echo", "child"], check=True),
    "thread": in_a_thread,
    "stack": stack,
    "warning": lambda: warnings.warn("careful"),
    "debug": lambda: logging.debug("a debug line"),
    "info": lambda: logging.info("an info line"),
    "log warning": lambda: logging.warning("a warning line"),
    "log error": lambda: logging.error("an error line"),
    "named info": lambda: logging.getLogger("model").info("named info"),
    "named warning": lambda: logging.getLogger("model").warning("named"),
    "server logger": lambda: logging.getLogger("azmlinfsrv").info("as server"),
    "server child": lambda: logging.getLogger("azmlinfsrv.mine").warning(
        "as a child of the server's"),
    "server debug": lambda: logging.getLogger("azmlinfsrv").debug("hidden"),
}


def init() -> None:
    """Print at init, also."""
    print("printed at init")


def run(data: str) -> str:
    """Write as the body says."""
    result = WAYS[data]()
    return result if isinstance(result, str) else "done"
