"""The loads: a script, a body, and the answer that proves it was run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent

# One row of ten columns in 57 bytes.
ROW = b'{"data":[[0.5,1.5,2.5,3.5,4.5,10.5,11.5,12.5,13.5,14.5]]}'
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Load:
    """One kind of request, sent over and over."""

    name: str
    title: str
    script: Path
    body: bytes
    expected: Any  # the parsed answer; None when any JSON will do
    connections: tuple[int, ...]  # those that make sense for it
    floors: bool  # whether the constant answers are measured as well
    path: str = "/score"
    fields: tuple[str, ...] = ("Content-Type: application/json",)

    def focus(self, connections: list[int]) -> int:
        """The one number of connections that the picture shows."""
        wanted = 64 if 64 in self.connections else self.connections[-1]
        return min(connections, key=lambda number: abs(number - wanted))


def _script(name: str) -> Path:
    return HERE / "scripts" / name


LOADS = [
    Load("noop", "no-op run()", _script("noop.py"), ROW, "ok", (1, 16, 64, 250), floors=True),
    Load(
        "json",
        "JSON run(): loads, row sums, dumps",
        _script("json_sums.py"),
        ROW,
        {"result": [75.0]},
        (1, 16, 64, 250),
        floors=True,
    ),
    Load(
        "predict",
        "scikit-learn predict of one row",
        _script("predict.py"),
        ROW,
        None,
        (1, 16, 64, 250),
        floors=False,
    ),
    Load(
        "large",
        "1 MB body",
        _script("large.py"),
        b"7" * MEGABYTE,
        MEGABYTE,
        (1, 16),
        floors=True,
    ),
]
