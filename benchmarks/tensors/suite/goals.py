"""The goals, and the tables. Ratios are made within a repetition."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from rig.report import markdown_table

from suite.measure import CROWDS, PAUSE_US, RATES, Figures

FIXED_MS, ROW_MS, MOST_ROWS = 2.0, 0.05, 64
OURS = "scorehost"
DIGITS = "float64 text (16 or 17 digits) to float32"
PRINTED = "float32 to text, shortest"


@dataclass(frozen=True)
class Goal:
    """One row of the table."""

    title: str
    goal: float
    unit: str
    values: Callable[[Figures], list[float]]
    at_least: bool = True

    def row(self, figures: Figures) -> list[str]:
        """Title, goal, median with spread, verdict."""
        sign = "at least" if self.at_least else "at most"
        goal = f"{sign} {self.goal:g}{self.unit}"
        values = self.values(figures)
        if not values:
            return [self.title, goal, "-", "not measured"]
        middle = median(values)
        met = middle >= self.goal if self.at_least else middle <= self.goal
        told = f"{middle:.2f}{self.unit} ({min(values):.2f} to {max(values):.2f})"
        return [self.title, goal, told, "met" if met else "NOT met"]


def _ratio(over: str, under: str) -> Callable[[Figures], list[float]]:
    def values(figures: Figures) -> list[float]:
        pairs = zip(figures.get(over, []), figures.get(under, []))
        return [a / b for a, b in pairs]

    return values


def ideal(clients: int) -> float:
    """Requests a second if all clients are one batch as soon as the slowest is back."""
    rows = min(clients, MOST_ROWS)
    pause_ms = PAUSE_US[1] / 1e3 if clients <= MOST_ROWS else 0.0
    return rows / (FIXED_MS + ROW_MS * rows + pause_ms) * 1e3


def _of_ideal(way: str, clients: int) -> Callable[[Figures], list[float]]:
    def values(figures: Figures) -> list[float]:
        return [rps / ideal(clients) for rps in figures.get(f"{way} C={clients} rps", [])]

    return values


def _added(rate: int) -> Callable[[Figures], list[float]]:
    """What the batcher adds to the median, in percent of the model's own time."""

    def values(figures: Figures) -> list[float]:
        batched = figures.get(f"{OURS}-batched-binary {rate}/s p50", [])
        alone = figures.get(f"{OURS}-alone-binary {rate}/s p50", [])
        own_us = (FIXED_MS + ROW_MS) * 1e3
        return [(a - b) / own_us * 100 for a, b in zip(batched, alone)]

    return values


GOALS = [
    Goal(
        "JSON to float32, 1000x1000, fresh data, against `json.loads` and `np.array`",
        15,
        "x",
        _ratio(f"{DIGITS}: json.loads", f"{DIGITS}: scorehost"),
    ),
    Goal(
        "... against orjson and `np.array`",
        4,
        "x",
        _ratio(f"{DIGITS}: orjson", f"{DIGITS}: scorehost"),
    ),
    Goal(
        "float32 to JSON, shortest, against `json.dumps(x.tolist())`",
        12,
        "x",
        _ratio(f"{PRINTED}: json.dumps", f"{PRINTED}: scorehost"),
    ),
    Goal(
        "64 rows of 512 B into a batch, against `np.stack`",
        30,
        "x",
        _ratio("gather: np.stack", "gather: scorehost"),
    ),
    Goal(
        "v2 infer, binary body of 4 MiB: CPU of the bare recv loop over ours, 1 connection",
        0.4,
        "",
        _ratio("floor-wide c=1 cpu", f"{OURS}-wide c=1 cpu"),
    ),
    Goal(
        "... 4 connections",
        0.4,
        "",
        _ratio("floor-wide c=4 cpu", f"{OURS}-wide c=4 cpu"),
    ),
    Goal(
        "NumPy schema, 32x128 in JSON: requests per CPU-second against Microsoft's",
        15,
        "x",
        _ratio("microsoft-schema c=8 cpu", f"{OURS}-schema c=8 cpu"),
    ),
    Goal(
        "batching, 32 clients: throughput against the ideal",
        0.93,
        "",
        _of_ideal(f"{OURS}-batched-binary", 32),
    ),
    *[
        Goal(
            f"added by the batcher to the median of {rate}/s, of the model's own time",
            2,
            " %",
            _added(rate),
            at_least=False,
        )
        for rate in RATES
    ],
]


def _cell(figures: Figures, name: str, digits: int = 0) -> str:
    values = figures.get(name)
    return f"{median(values):,.{digits}f}" if values else "-"


def goal_table(figures: Figures) -> str:
    """All rows, with their verdicts."""
    heads = ["what", "goal", "median (spread)", "verdict"]
    return markdown_table(heads, [goal.row(figures) for goal in GOALS])


def crowd_table(figures: Figures, titles: dict[str, str]) -> str:
    """The closed loops."""
    heads = ["clients", "server", "requests/s", "of the ideal", "p50 us", "p99 us", "rows"]
    rows: list[Sequence[str]] = []
    for clients in CROWDS:
        for way, title in titles.items():
            name = f"{way} C={clients}"
            if f"{name} rps" not in figures:
                continue
            shares = _of_ideal(way, clients)(figures)
            rows.append(
                [
                    str(clients),
                    title,
                    _cell(figures, f"{name} rps"),
                    f"{median(shares):.3f}" if shares else "-",
                    _cell(figures, f"{name} p50"),
                    _cell(figures, f"{name} p99"),
                    _cell(figures, f"{name} rows", 1),
                ]
            )
    return markdown_table([*heads, "CPU us/request"], _with_cpu(figures, rows, titles))


def _with_cpu(
    figures: Figures, rows: list[Sequence[str]], titles: dict[str, str]
) -> list[Sequence[str]]:
    ways = {title: way for way, title in titles.items()}
    return [
        [*row, _cell(figures, f"{ways[row[1]]} C={row[0]} cpu", 1)] for row in rows
    ]


def cost_table(figures: Figures, titles: dict[str, str]) -> str:
    """What else was measured: name of the figures, and how they are called."""
    heads = ["what", "requests/s", "CPU us/request", "p50 us", "p99 us"]
    rows = [
        [title, *[_cell(figures, f"{name} {key}") for key in ("rps", "cpu", "p50", "p99")]]
        for name, title in titles.items()
        if f"{name} rps" in figures
    ]
    return markdown_table(heads, rows)
