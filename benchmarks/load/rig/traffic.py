"""Closed loops with pauses, and requests at random: clients/traffic.c.

wrk asks again at once, which no client of a batch does.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from rig.clients import ServerFailed, request_bytes, run_client
from rig.loads import HERE, Load
from rig.venvs import program

SOURCE = HERE / "clients" / "traffic.c"


@dataclass(frozen=True)
class Pattern:
    """How clients behave. With a rate they come at random, else each pauses."""

    clients: int
    seconds: float
    warm: float = 0.0
    least_us: float = 0.0
    most_us: float = 0.0
    rate: float = 0.0

    def arguments(self, seed: int) -> list[str]:
        """As traffic.c has them."""
        return [
            *(f"clients={self.clients}", f"seconds={self.seconds}", f"warm={self.warm}"),
            *(f"least={self.least_us}", f"most={self.most_us}", f"rate={self.rate}"),
            f"seed={seed}",
        ]


@dataclass(frozen=True)
class Seen:
    """What the clients saw."""

    requests: int  # that count
    answered: int  # in all, with those that only warm up
    errors: int
    lost: int  # that no client was free to send, out of many
    seconds: float
    mean_us: float
    p50_us: float
    p99_us: float
    client_busy: float = 0.0

    def per_second(self) -> float:
        """The throughput."""
        return self.requests / self.seconds


class Traffic:
    """The program, and the requests that it can send."""

    def __init__(self, cache: Path, folder: Path) -> None:
        self._program = program(cache, SOURCE, ["-lm"])
        self._folder = folder

    def files(self, loads: list[Load]) -> list[str]:
        """Requests as files, one for each of these loads."""
        found = []
        for number, load in enumerate(loads):
            path = self._folder / f"{load.name}-{number}.request"
            path.write_bytes(request_bytes(load))
            found.append(str(path))
        return found

    def run(self, port: int, files: list[str], pattern: Pattern, cpu: int, seed: int) -> Seen:
        """One run, on one CPU."""
        command = [str(self._program), str(port), *files, *pattern.arguments(seed)]
        output, busy = run_client(command, cpu, {})
        if not output.startswith("{"):
            raise ServerFailed(f"traffic failed: {output[-300:]}")
        return Seen(**json.loads(output), client_busy=busy)
