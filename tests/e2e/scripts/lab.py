"""Does what the request orders: waits, hangs, dies, tells of its process.

Not every interpreter may have ctypes or faulthandler: imported where it is used.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

import scorehost

HERE = Path.cwd()
calls = 0


def init() -> None:
    """Load nothing; a crash is to be seen by the host alone."""
    if "faulthandler" in sys.modules:
        sys.modules["faulthandler"].disable()


def gate(order: dict[str, Any]) -> str:
    """Say that we are here and wait until somebody opens."""
    (HERE / f"{order['name']}.here").touch()
    while not (HERE / f"{order['name']}.open").exists():
        time.sleep(0.002)
    return str(order["name"])


def hang(order: dict[str, Any]) -> None:
    """Hang in C, with the interpreter locked unless told not to: no exception gets there."""
    import ctypes

    library = ctypes.PyDLL(None) if order.get("locked", True) else ctypes.CDLL(None)
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    (HERE / f"{order['name']}.here").touch()
    while True:
        library.pause()


def segv(order: dict[str, Any]) -> None:
    """Read where nothing is."""
    import ctypes

    ctypes.string_at(0)


class Mortal:
    """Counts how many of its kind have been finalised."""

    dead = 0

    def __del__(self) -> None:
        Mortal.dead += 1


def mortal(order: dict[str, Any]) -> int:
    """Make one that lives no longer than this call; tell how many are dead."""
    Mortal()
    return Mortal.dead


def stubborn(order: dict[str, Any]) -> str:
    """Swallow whatever is raised, for a while; then return all the same."""
    end = time.monotonic() + order["seconds"]
    while True:
        try:
            (HERE / f"{order['name']}.here").touch()
            while time.monotonic() < end:
                time.sleep(0.01)
            return "late"
        except BaseException:
            (HERE / f"{order['name']}.caught").touch()


def leave(order: dict[str, Any]) -> str:
    """Work until nobody waits, or somebody opens; tell what was seen.

    With "stubborn_gate" it does not ask, and goes on until it is made to stop.
    """
    path = HERE / order["name"]
    asks = order["do"] == "leave"
    seen = "nothing"
    try:
        path.with_suffix(".here").touch()
        while not path.with_suffix(".open").exists() and not (asks and scorehost.cancelled()):
            time.sleep(0.002)
        seen = "cancelled" if scorehost.cancelled() else "opened"
    except scorehost.Cancelled:
        seen = "raised"
        raise
    finally:
        path.with_suffix(".seen").write_text(f"{seen} {scorehost.cancelled()}")
    return seen


def helper(order: dict[str, Any]) -> list[Any]:
    """Ask in a thread of our own, as soon as run() knows."""
    (HERE / f"{order['name']}.here").touch()
    while not scorehost.cancelled() and not (HERE / f"{order['name']}.open").exists():
        time.sleep(0.002)
    seen: list[Any] = []
    thread = threading.Thread(
        target=lambda: seen.extend((scorehost.cancelled(), scorehost.time_left() is not None))
    )
    thread.start()
    thread.join()
    (HERE / f"{order['name']}.seen").write_text(json.dumps(seen))
    return seen


def busy(order: dict[str, Any]) -> str:
    """Compute for so many seconds."""
    end = time.monotonic() + order["seconds"]
    while time.monotonic() < end:
        pass
    return "done"


def tell(order: dict[str, Any]) -> dict[str, Any]:
    """What this process looks like from inside."""
    me = threading.current_thread()
    status = Path("/proc/self/status").read_text()
    return {
        "pid": os.getpid(),
        "ppid": os.getppid(),
        "pgid": os.getpgid(0),
        "main thread": me is threading.main_thread(),
        "threads": threading.active_count(),
        "argv": sys.argv,
        "env": {name: os.environ.get(name) for name in order.get("env", ())},
        "fds": {name: os.readlink(f"/proc/self/fd/{name}")
                for name in os.listdir("/proc/self/fd")
                if os.path.islink(f"/proc/self/fd/{name}")},
        "blocked": next(line.split()[1] for line in status.splitlines()
                        if line.startswith("SigBlk")),
    }


def count(order: dict[str, Any]) -> int:
    """How often this worker was called."""
    return calls


ORDERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "nothing": lambda order: None,
    "echo": lambda order: order["value"],
    "pid": lambda order: os.getpid(),
    "size": lambda order: len(order["value"]),
    "big": lambda order: "x" * order["size"],
    "sleep": lambda order: time.sleep(order["seconds"]),
    "exit": lambda order: os._exit(order["code"]),
    "kill": lambda order: os.kill(os.getpid(), signal.Signals[order["name"]]),
    "segv": segv,
    "mortal": mortal,
    "raise": lambda order: 1 / 0,
    "gate": gate,
    "leave": leave,
    "stubborn_gate": leave,
    "helper": helper,
    "left": lambda order: scorehost.time_left(),
    "cancelled": lambda order: scorehost.cancelled(),
    "hang": hang,
    "stubborn": stubborn,
    "busy": busy,
    "tell": tell,
    "count": count,
}


def run(data: str) -> Any:
    """Obey; note the order's id before anything else."""
    global calls
    calls += 1
    order = json.loads(data)
    if "id" in order:
        with open(HERE / "journal", "a", encoding="ascii") as journal:
            journal.write(f"{order['id']}\n")
    return ORDERS[order["do"]](order)
