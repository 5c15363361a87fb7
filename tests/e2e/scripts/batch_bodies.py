"""Takes a list of bodies; each answer says how many were in its batch."""

import json
import time
from typing import Any

import scorehost


def init() -> None:
    """Load nothing."""


@scorehost.batch(max_batch_size=16)
def run(bodies: list[str]) -> list[Any]:
    """Double the numbers; a body that is no number fails all of its batch."""
    time.sleep(0.002)
    numbers = [json.loads(body) for body in bodies]
    return [{"doubled": 2 * number, "bodies": len(bodies)} for number in numbers]
