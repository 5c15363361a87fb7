"""Fails in the way that the request names."""

import asyncio
import concurrent.futures
import json
import os
import signal
import socket
import sys
import threading
from typing import Any, Callable, NoReturn


class ModelError(Exception):
    """A failure of our own kind."""

    def __init__(self, code: int) -> None:
        super().__init__(f"model failed with code {code}")
        self.code = code


class Unprintable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Stop(BaseException):
    """Not an Exception."""


def chained() -> NoReturn:
    """Raise from another exception."""
    try:
        json.loads("{bad")
    except json.JSONDecodeError as error:
        raise ModelError(7) from error


def while_handling() -> NoReturn:
    """Raise while another exception is handled."""
    try:
        {}["missing"]  # type: ignore[index]
    except KeyError:
        raise ModelError(8)


def endless(depth: int = 0) -> int:
    """Recurse until Python refuses."""
    return endless(depth + 1) + 1


def in_a_thread() -> str:
    """Let a thread fail; the request itself goes on."""
    def fail() -> None:
        raise ValueError("in a thread")
    hook, threading.excepthook = threading.excepthook, lambda _: None
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    threading.excepthook = hook
    return "survived"


def from_pool() -> Any:
    """Bring an exception over from a pool's thread."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(int, "not a number").result()


def socket_timeout() -> None:
    """Meet a time-out that has nothing to do with scoring's."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.01)
        server.accept()


def raise_it(error: BaseException) -> NoReturn:
    """Raise from an expression."""
    raise error


FAILURES: dict[str, Callable[[], Any]] = {
    "value": lambda: raise_it(ValueError("bad value")),
    "key": lambda: {}["missing"],  # type: ignore[index]
    "index": lambda: [][1],  # type: ignore[misc]
    "attribute": lambda: None.predict,  # type: ignore[attr-defined]
    "type": lambda: "1" + 1,  # type: ignore[operator]
    "zero": lambda: 1 / 0,
    "assertion": lambda: raise_it(AssertionError()),
    "assertion text": lambda: raise_it(AssertionError("must hold")),
    "import": lambda: __import__("no_such_module_here"),
    "file": lambda: open("no_such_file.pkl"),
    "own class": lambda: raise_it(ModelError(3)),
    "no text": lambda: raise_it(RuntimeError()),
    "unicode text": lambda: raise_it(RuntimeError("zażółć \U0001f600")),
    "many lines": lambda: raise_it(RuntimeError("one\ntwo\n  three")),
    "percent": lambda: raise_it(RuntimeError("100%s %d {}")),
    "long text": lambda: raise_it(RuntimeError("x" * 5000)),
    "unprintable": lambda: raise_it(Unprintable()),
    "chained": chained,
    "while handling": while_handling,
    "from none": lambda: raise_it(
        RuntimeError("alone").with_traceback(None)),
    "recursion": endless,
    "stop iteration": lambda: next(iter(())),
    "memory": lambda: raise_it(MemoryError()),
    "timeout": lambda: raise_it(TimeoutError("mine")),
    "socket timeout": socket_timeout,
    "os error": lambda: raise_it(OSError(28, "No space left on device")),
    "unicode": lambda: b"\xff".decode(),
    "syntax": lambda: compile("def f(:", "<made>", "exec"),
    "generator exit": lambda: raise_it(GeneratorExit()),
    "cancelled": lambda: raise_it(asyncio.CancelledError()),
    "system exit": lambda: sys.exit(),
    "system exit 3": lambda: sys.exit(3),
    "system exit text": lambda: sys.exit("giving up"),
    "keyboard": lambda: raise_it(KeyboardInterrupt()),
    "base": lambda: raise_it(Stop("not an Exception")),
    "in a thread": in_a_thread,
    "from a pool": from_pool,
    "exit 7": lambda: os._exit(7),
    "exit 0": lambda: os._exit(0),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
}


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Fail as the body says; any other body is given back."""
    if data in FAILURES:
        return FAILURES[data]()
    return data
