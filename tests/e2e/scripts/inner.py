"""Does what the request orders, and can be loaded in an interpreter of its own."""

import asyncio
import datetime
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

HERE = Path.cwd()
calls = 0
inits = 0


def init() -> None:
    """Count how often this copy of the module was started."""
    global inits
    inits += 1
    if os.environ.get("SLOW_INIT"):
        (HERE / "init.here").touch()
        time.sleep(600)


def forever(order: dict[str, Any]) -> str:
    """Leave a thread behind that never ends, and is no daemon."""
    threading.Thread(target=threading.Event().wait).start()
    return "left"


def fork(order: dict[str, Any]) -> int:
    """What is forbidden here; as a child we would be gone at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def lazy(order: dict[str, Any]) -> str:
    """Import a module that may not be had."""
    return str(__import__(order["name"]).__name__)


def busy(order: dict[str, Any]) -> None:
    """Compute for ever."""
    while True:
        pass


def segv(order: dict[str, Any]) -> None:
    """Crash where only a crash handler sees Python's stack."""
    import ctypes

    ctypes.string_at(0)


def gate(order: dict[str, Any]) -> str:
    """Say that we are here and wait until somebody opens."""
    (HERE / f"{order['name']}.here").touch()
    while not (HERE / f"{order['name']}.open").exists():
        time.sleep(0.002)
    return str(order["name"])


async def later(value: Any) -> Any:
    """Need an event loop."""
    await asyncio.sleep(0)
    return value


def pieces(order: dict[str, Any]) -> Iterator[str]:
    """Answer bit by bit."""
    yield from order["value"]


def tell(order: dict[str, Any]) -> dict[str, Any]:
    """What this worker looks like from inside."""
    return {"pid": os.getpid(), "calls": calls, "inits": inits, "module": __name__,
            "thread": threading.get_native_id(), "argv": sys.argv}


def say(order: dict[str, Any]) -> None:
    """Write in every way there is."""
    print("printed")
    sys.stdout.write("to stdout\n")
    sys.stderr.write("to stderr\n")
    logging.getLogger("mine").warning("logged")


ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "echo": lambda order: order["value"],
    "today": lambda order: datetime.date.fromisoformat(order["value"]).year,
    "exit": lambda order: sys.exit(7),
    "interrupt": lambda order: (_ for _ in ()).throw(KeyboardInterrupt),
    "sleep": lambda order: time.sleep(order["seconds"]),
    "later": lambda order: asyncio.run(later(order["value"])),
    "awaited": lambda order: later(order["value"]),
    "forever": forever,
    "fork": fork,
    "lazy": lazy,
    "busy": busy,
    "segv": segv,
    "gate": gate,
    "pieces": pieces,
    "tell": tell,
    "say": say,
}


def run(data: str) -> Any:
    """Obey."""
    global calls
    calls += 1
    order = json.loads(data)
    return ORDERS[order["do"]](order)
