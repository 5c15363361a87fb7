"""Uses signals, which only the main thread may."""

import signal
from typing import Any

caught: list[str] = []


def on_usr2(number: int, frame: Any) -> None:
    """Remember that the signal came."""
    caught.append(signal.Signals(number).name)


def init() -> None:
    """Install a handler."""
    signal.signal(signal.SIGUSR2, on_usr2)


def run(data: str) -> list[str]:
    """Send the signal to ourselves."""
    signal.raise_signal(signal.SIGUSR2)
    return caught
