"""Orders for an `async def run`: waits, streams, tells of its loop."""

import asyncio
import contextvars
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import scorehost

HERE = Path.cwd()

caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="nobody")
loops: list[asyncio.AbstractEventLoop] = []


async def init() -> None:
    """Load nothing, but in a loop."""
    await asyncio.sleep(0)
    loops.append(asyncio.get_running_loop())


async def forever(name: str) -> None:
    """Wait until we are made to stop, and clean up like a good script.

    From when we say that we are here we may be stopped, not only where we wait.
    """
    try:
        (HERE / f"{name}.here").touch()
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0.01)
        (HERE / f"{name}.clean").write_text(str(scorehost.cancelled()))


async def items(count: int, name: str) -> AsyncIterator[str]:
    """Stream numbers with what our context keeps."""
    caller.set("the stream")
    try:
        for number in range(count):
            await asyncio.sleep(0.001)
            yield f"{number} {caller.get()}\n"
    finally:
        (HERE / f"{name}.clean").touch()


async def run(data: str) -> Any:
    """Obey."""
    order = json.loads(data)
    if order["do"] == "context":
        before = caller.get()
        caller.set(order["name"])
        together = await asyncio.gather(*(asyncio.sleep(0.001, number) for number in range(3)))
        same = asyncio.get_running_loop() is loops[0]
        return {"before": before, "now": caller.get(), "together": together, "same loop": same}
    if order["do"] == "forever":
        await forever(order["name"])
    if order["do"] == "busy":
        end = time.monotonic() + order["seconds"]
        while time.monotonic() < end:
            pass
    if order["do"] == "left":
        return scorehost.time_left()
    if order["do"] == "stream":
        return items(order["count"], order["name"])
    return order.get("value")
