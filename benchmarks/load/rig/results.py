"""The measurements as results.json keeps them, and medians over them."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run of wrk against one server. The layout says whether client and
    server had a CPU each ("split") or shared one ("same"). `beside` is empty
    but in the comparison with idle connections: "idle" with them, "none"
    without, right after."""

    server: str
    load: str
    connections: int
    layout: str
    beside: str
    repeat: int
    requests: int
    rps: float
    cpu_us: float  # of the whole tree, for each request
    p50_us: int
    p99_us: int
    errors: int
    server_busy: float
    client_busy: float
    idle_open: int = 0  # of the crowd, at the end


@dataclass(frozen=True)
class Start:
    """One start of one server, alone on the machine."""

    server: str
    repeat: int
    seconds: float  # to the first 200 on /
    cpu_seconds: float
    root_pss_mb: float
    tree_pss_mb: float
    root_alone_mb: float
    tree_alone_mb: float
    processes: int


@dataclass(frozen=True)
class Ready:
    """Requests that were all ready at once."""

    server: str
    repeat: int
    sent: int
    answered: int
    seconds: float


@dataclass
class Results:
    """Everything that one call of run.py measured."""

    about: dict[str, Any] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    loads: dict[str, str] = field(default_factory=dict)
    focus: dict[str, int] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    bursts: list[Ready] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Writes all of it, in one step."""
        unfinished = path.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(self), indent=1) + "\n")
        unfinished.rename(path)

    def cell(
        self, server: str, load: str, connections: int, layout: str = "split", beside: str = ""
    ) -> list[Run]:
        """The repetitions of one measurement, in their order."""
        wanted = (server, load, connections, layout, beside)
        return [
            run
            for run in self.runs
            if (run.server, run.load, run.connections, run.layout, run.beside) == wanted
        ]

    def layouts(self) -> list[str]:
        """Those that were measured, split first."""
        return sorted({run.layout for run in self.runs}, reverse=True)

    def started(self, server: str) -> list[Start]:
        """The starts of one server."""
        return [start for start in self.starts if start.server == server]


def load_results(path: Path) -> Results:
    """Reads what save() wrote."""
    raw = json.loads(path.read_text())
    rows = {"runs": Run, "starts": Start, "bursts": Ready}
    for key, kind in rows.items():
        raw[key] = [kind(**row) for row in raw[key]]
    return Results(**raw)


def middle(rows: Iterable[Any], of: Callable[[Any], float]) -> float | None:
    """The median; None of nothing."""
    values = [of(row) for row in rows]
    return median(values) if values else None


def paired(ours: list[Any], theirs: list[Any], of: Callable[[Any, Any], float]) -> list[float]:
    """One value for each repetition that both have: they ran in the same
    minute, so what the machine did to one it did to the other."""
    by_repeat = {row.repeat: row for row in theirs}
    return [of(row, by_repeat[row.repeat]) for row in ours if row.repeat in by_repeat]
