"""Raises for a batch that has a certain row in it: -1 in front."""

from typing import Any

import numpy as np

import scorehost

calls = 0


def init() -> None:
    """Load nothing."""


@scorehost.batch(max_batch_size=64, max_queue_delay_ms=20)
@scorehost.tensor(
    inputs={"x": ("FP64", [-1, 2])},
    outputs={"y": ("FP64", [-1]), "calls": ("INT64", [-1])},
)
def run(x: Any) -> Any:
    """Negate what is good; -2 in front loses a row of the answer."""
    global calls
    calls += 1
    if (x[:, 0] == -1).any():
        raise ValueError(f"a row that cannot be scored among {len(x)}")
    y = -x[:, 0]
    if (x[:, 0] == -2).any():
        y = y[:-1]
    return {"y": y, "calls": np.full(len(y), calls)}
