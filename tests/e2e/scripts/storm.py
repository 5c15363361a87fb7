"""Does what each request of the chaos test orders, and notes every id that it is called with."""

import contextlib
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

JOURNAL = open(Path.cwd() / "journal", "ab", buffering=0)
#: What is held for good is not more than this, so that a leak has an end.
LEAKS_MAX = 8
leaks: list[bytearray] = []


def init() -> None:
    """Load nothing."""


def stream(order: dict[str, Any]) -> Iterator[str]:
    """The id again and again, then the end."""
    for number in range(order["items"]):
        yield f"{order['id']}:{number}\n"
        time.sleep(order.get("pause", 0.0))
    yield "end"


def crash(order: dict[str, Any]) -> None:
    """End the process, in the way that is ordered."""
    how = order["how"]
    if how == "segv":
        import ctypes

        ctypes.string_at(0)
    elif how == "abort":
        with contextlib.suppress(ValueError):  # not on Python's main thread
            signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(int(how))


def hang(order: dict[str, Any]) -> None:
    """Take too long, in Python or in C, with the interpreter's lock or without it."""
    if order["where"] == "python":
        time.sleep(order["seconds"])
    else:
        import ctypes

        old = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        library = ctypes.CDLL(None) if order["where"] == "c" else ctypes.PyDLL(None)
        library.usleep(int(order["seconds"] * 1e6))
        signal.pthread_sigmask(signal.SIG_SETMASK, old)


def leak(order: dict[str, Any]) -> None:
    """Keep some memory; the oldest goes when it is too much."""
    leaks.append(bytearray(order["bytes"]))
    del leaks[:-LEAKS_MAX]


def forget(order: dict[str, Any]) -> None:
    """Give back what was kept, once: many ask for it, and looking for garbage takes time."""
    if leaks:
        leaks.clear()
        gc.collect()


ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "good": lambda order: None,
    "slow": lambda order: time.sleep(order["seconds"]),
    "big": lambda order: None,
    "raise": lambda order: 1 // 0,
    "exit": lambda order: sys.exit(order["code"]),
    "crash": crash,
    "hang": hang,
    "leak": leak,
    "forget": forget,
}


def run(data: str) -> Any:
    """Obey; the answer names the order's id."""
    order = json.loads(data)
    JOURNAL.write(f"{order['id']}\n".encode())
    if order["do"] == "stream":
        return stream(order)
    ORDERS[order["do"]](order)
    return {"id": order["id"], "got": len(data), "filler": "x" * order.get("size", 0)}
