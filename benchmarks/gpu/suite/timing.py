"""Rounds in which every way is measured once, beginning with another one each time."""

import json
import time
from collections.abc import Callable
from typing import Any


def say(figure: str, **what: Any) -> None:
    """Prints a figure, as a part does."""
    print(json.dumps({"figure": figure, **what}), flush=True)


def absent(what: str, why: object) -> None:
    """Says what cannot be measured."""
    say("absent", what=what, why=str(why).strip().replace("\n", " ")[:400])


def call_us(step: Callable[[], Any], sync: Callable[[], Any], enough_s: float) -> float:
    """Microseconds of one call, many of them in a row; what they began is waited for."""
    calls = 1
    while True:
        sync()
        begun = time.perf_counter()
        for _ in range(calls):
            step()
        sync()
        took = time.perf_counter() - begun
        if took >= enough_s:
            return took / calls * 1e6
        calls = max(calls * 2, int(calls * enough_s / max(took, 1e-7)))


def measure(ways: dict[str, Callable[[], Any]], sync: Callable[[], Any], rounds: int,
            enough_s: float) -> dict[str, list[float]]:
    """Microseconds of every way, round by round."""
    names = list(ways)
    found: dict[str, list[float]] = {name: [] for name in names}
    for way in ways.values():
        way()  # what is made at its first use
        way()
    for round_number in range(rounds):
        for i in range(len(names)):
            name = names[(i + round_number) % len(names)]
            found[name].append(call_us(ways[name], sync, enough_s))
    return found
