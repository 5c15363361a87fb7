"""Counts its calls in globals."""

import json
from typing import Any

model: Any = None
calls = 0
history: list[Any] = []


def init() -> None:
    """Set the model that `run` uses."""
    global model
    model = {"version": 4}


def run(data: str) -> dict[str, Any]:
    """Remember each request."""
    global calls
    calls += 1
    history.append(json.loads(data))
    return {"calls": calls, "history": history, "model": model}
