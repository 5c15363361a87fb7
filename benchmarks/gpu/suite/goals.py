"""The goals, and whether they are met."""

from dataclasses import dataclass
from typing import Any

from suite.endtoend import LOADS, WAYS
from suite.figures import Figures, median, ratios

KIB, MIB = 1024, 1024 * 1024


@dataclass(frozen=True)
class Goal:
    """A number that is to be at least, or at most, something in the middle of all rounds."""

    what: str
    unit: str
    values: list[float]  # one for each round; none: it was not measured
    bound: float | None = None  # None: it is only reported
    is_least: bool = True
    enough: float | None = None  # what will do until the bound is met

    def is_met(self) -> bool:
        """Whether it is as good as that."""
        assert self.bound is not None
        middle = median(self.values)
        return middle >= self.bound if self.is_least else middle <= self.bound

    def verdict(self) -> str:
        """In a word."""
        if not self.values:
            return "not measured"
        if self.bound is None:
            return ""
        if self.is_met():
            return "met"
        return "**missed**" if self.enough is None or median(self.values) < self.enough else (
            f"above the least, {self.enough:g}"
        )

    def asked(self) -> str:
        """What is to be."""
        if self.bound is None:
            return "reported"
        return f"{'>=' if self.is_least else '<='} {self.bound:g}{self.unit}"

    def row(self) -> str:
        """A row of the table."""
        if not self.values:
            return f"| {self.what} | {self.asked()} | - | - | not measured |"
        return (f"| {self.what} | {self.asked()} | {median(self.values):.3g}{self.unit} | "
                f"{min(self.values):.3g} to {max(self.values):.3g} | {self.verdict()} |")

    def kept(self) -> dict[str, Any]:
        """As it is written to the file."""
        return {"goal": self.what, "asked": self.asked(), "values": self.values,
                "median": median(self.values) if self.values else None,
                "verdict": self.verdict()}


def _batches(figures: Figures) -> list[Goal]:
    sizes = figures.values("batch", "bytes")
    size = sizes[-1] if sizes and 16 * KIB not in sizes else 16 * KIB
    what = f"a batch of 128 x {size // KIB} KiB"

    def us(way: str) -> list[float]:
        return figures.rounds("batch", "us", way=way, requests=128, bytes=size)

    one, each = us("in place, one copy"), us("a copy for each, pageable")
    return [
        Goal(f"{what}: one copy of what was decoded in place, against a copy for each request, "
             "pageable", "x", ratios(each, one), 5),
        Goal("... bodies gathered first, against the same", "x",
             ratios(each, us("gathered, one copy"))),
        Goal("... against a copy for each, pinned", "x",
             ratios(us("a copy for each, pinned"), one)),
    ]


def _memory(figures: Figures) -> list[Goal]:
    sizes = [size for size in figures.values("copy", "bytes") if size <= 64 * MIB]
    size = max(sizes, default=64 * MIB)
    goals = []
    for way in ("to the GPU", "from the GPU"):
        for memory, what in (("registered memfd", "a registered memfd"),
                             ("registered", "memory registered as the product's is")):
            pinned, found = (
                figures.rounds("copy", "us", way=way, memory=name, bytes=size, **{"in": "alone"})
                for name in ("pinned", memory)
            )
            goals.append(Goal(f"{size // MIB} MiB {way}: {what}, against cudaHostAlloc()", "x",
                              ratios(pinned, found), 0.95))
    return goals


def _pipeline(figures: Figures) -> list[Goal]:
    goals = []
    for batch, bound in (("ready", 1.6), ("filled", None)):
        serial = figures.rounds("pipeline", "us", way="serial", batch=batch)
        for count in (3, 2):
            goals.append(Goal(
                f"{count} batches in flight against one after another, "
                + ("copying takes as long as computing" if batch == "ready"
                   else "each copied to its slot first"),
                "x",
                ratios(serial, figures.rounds("pipeline", "us", way=f"{count} in flight",
                                              batch=batch)),
                bound if count == 3 else None))
    return goals


def _python(figures: Figures) -> list[Goal]:
    return [
        Goal(f"Python's cost per batch, {name}", " us",
             figures.rounds("python cost", "us", framework=name, way="all of a batch"), 15,
             is_least=False)
        for name in ("PyTorch", "CuPy", "DeviceTensor")
    ]


def _endtoend(figures: Figures) -> list[Goal]:
    goals = []
    for load in LOADS:
        ours, moved, ready = (
            figures.rounds("end to end", "rows_per_s", load=load.name, way=way)
            for way in (*WAYS.values(), "ready batches, in a loop")
        )
        goals += [
            Goal(f"end to end, {load.name}: against ready batches in a loop", "x",
                 ratios(ours, ready), 0.85, enough=0.8),
            Goal('... against device="cpu" and .to("cuda")', "x", ratios(ours, moved)),
        ]
    return goals


def goals(figures: Figures) -> list[Goal]:
    """All of them."""
    return [*_batches(figures), *_memory(figures), *_pipeline(figures), *_python(figures),
            *_endtoend(figures)]


def table(found: list[Goal]) -> str:
    """In Markdown."""
    return "\n".join(["| goal | wanted | median | spread | verdict |", "|---|---:|---:|---:|---|",
                      *(goal.row() for goal in found)])
