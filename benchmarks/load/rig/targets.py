"""The goals, and whether one run of the benchmark met them.

Reported, never asserted: the figures are ratios inside one run, but the
machine is not ours alone. Each value is the median over the repetitions of
the ratio within one repetition.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from rig.results import Results, Run, paired

Values = Callable[[Results], list[float]]


@dataclass(frozen=True)
class Target:
    """One row: what is compared, and what it should come to."""

    title: str
    unit: str
    goal: float
    at_least: bool  # else at most
    values: Values


@dataclass(frozen=True)
class Verdict:
    """A target, and what was measured."""

    target: Target
    value: float | None
    low: float = 0.0
    high: float = 0.0

    def word(self) -> str:
        """As the tables say it."""
        if self.value is None:
            return "not measured"
        goal = self.target.goal
        met = self.value >= goal if self.target.at_least else self.value <= goal
        return "met" if met else "NOT met"

    def goal_text(self) -> str:
        """As in `>= 30x`."""
        sign = ">=" if self.target.at_least else "<="
        return f"{sign} {self.target.goal:g}{self.target.unit}"

    def value_text(self) -> str:
        """The median and the spread of the repetitions."""
        if self.value is None:
            return "-"
        unit = self.target.unit
        return f"{self.value:.2f}{unit} ({self.low:.2f} to {self.high:.2f})"


def _times_cheaper(ours: str, theirs: str, load: str) -> Values:
    """Requests per CPU-second of ours against theirs, 64 connections."""

    def values(results: Results) -> list[float]:
        return paired(
            results.cell(ours, load, 64),
            results.cell(theirs, load, 64),
            lambda our, their: their.cpu_us / our.cpu_us,
        )

    return values


def _cost_over_floor(ours: str) -> Values:
    """CPU per request of ours over that of libmicrohttpd with a constant."""

    def values(results: Results) -> list[float]:
        return paired(
            results.cell(ours, "noop", 64),
            results.cell("floor-mhd", "noop", 64),
            lambda our, floor: our.cpu_us / floor.cpu_us,
        )

    return values


def _p50_added(results: Results) -> list[float]:
    def added(our: Run, floor: Run) -> float:
        return our.p50_us - floor.p50_us

    return paired(
        results.cell("scorehost-process", "noop", 1, "same"),
        results.cell("floor-mhd", "noop", 1, "same"),
        added,
    )


def _idle_cost(results: Results) -> list[float]:
    return paired(
        results.cell("scorehost-process", "noop", 16, "split", "idle"),
        results.cell("scorehost-process", "noop", 16, "split", "none"),
        lambda crowded, empty: crowded.cpu_us / empty.cpu_us,
    )


def _all_answered(results: Results) -> list[float]:
    mine = [burst for burst in results.bursts if burst.server.startswith("scorehost-")]
    return [burst.answered / burst.sent for burst in mine]


def _sooner(results: Results) -> list[float]:
    return paired(
        results.started("scorehost-process-logs"),
        results.started("microsoft"),
        lambda our, their: their.seconds / our.seconds,
    )


def _host_pss(results: Results) -> list[float]:
    return [start.root_pss_mb for start in results.started("scorehost-process")]


def _host_alone(results: Results) -> list[float]:
    return [start.root_alone_mb for start in results.started("scorehost-process")]


def _tree_pss(results: Results) -> list[float]:
    return [start.tree_pss_mb for start in results.started("scorehost-process")]


def _tree_alone(results: Results) -> list[float]:
    return [start.tree_alone_mb for start in results.started("scorehost-process")]


def _cheaper(title: str, goal: float, ours: str, theirs: str, load: str) -> Target:
    return Target(title, "x", goal, True, _times_cheaper(ours, theirs, load))


PROCESS = "scorehost-process"
LOGS = "scorehost-process-logs"
THREAD = "scorehost-thread"
INTERPRETER = "scorehost-interpreter"

TARGETS = [
    _cheaper("JSON, process worker, against Microsoft's", 30, LOGS, "microsoft", "json"),
    _cheaper("JSON, process worker, against FastAPI", 6.5, PROCESS, "fastapi", "json"),
    _cheaper("JSON, process worker, against mosec", 4.5, PROCESS, "mosec", "json"),
    _cheaper("JSON, process worker, against raw ASGI", 1.7, PROCESS, "asgi", "json"),
    _cheaper("JSON, thread worker, against FastPySGI", 1.2, THREAD, "fastpysgi", "json"),
    Target(
        "no-op, process worker, CPU against libmicrohttpd alone",
        "x",
        2.5,
        False,
        _cost_over_floor(PROCESS),
    ),
    Target(
        "no-op, interpreter worker, CPU against libmicrohttpd alone",
        "x",
        2,
        False,
        _cost_over_floor(INTERPRETER),
    ),
    _cheaper("JSON, interpreter worker, against FastPySGI", 1.2, INTERPRETER, "fastpysgi", "json"),
    _cheaper("predict, process worker, against Microsoft's", 3.5, LOGS, "microsoft", "predict"),
    _cheaper("predict, process worker, against mosec", 1.15, PROCESS, "mosec", "predict"),
    Target(
        "no-op, 1 connection, one CPU: p50 over libmicrohttpd alone",
        " us",
        30,
        False,
        _p50_added,
    ),
    Target("no-op, 16 busy, CPU with 900 idle against none", "x", 1.2, False, _idle_cost),
    Target("128 and 256 ready at once, share answered", "", 1, True, _all_answered),
    Target("start to first 200, against Microsoft's", "x", 6, True, _sooner),
    Target("memory of the host without its worker, PSS", " MB", 20, False, _host_pss),
    Target("... the same, as if nobody else had Python mapped", " MB", 20, False, _host_alone),
    Target("memory of host and one no-op worker, PSS", " MB", 30, False, _tree_pss),
    Target("... the same, as if nobody else had Python mapped", " MB", 30, False, _tree_alone),
]


def verdicts(results: Results) -> list[Verdict]:
    """Every target, in its order."""
    found = []
    for target in TARGETS:
        values = target.values(results)
        if not values:
            found.append(Verdict(target, None))
            continue
        # One request left unanswered is one too many: no median there.
        value = min(values) if target.values is _all_answered else median(values)
        found.append(Verdict(target, value, min(values), max(values)))
    return found
