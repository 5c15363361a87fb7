"""Multiplies by a matrix; says how many rows each call had."""

from typing import Any

import numpy as np

import scorehost

W = np.arange(12, dtype="float32").reshape(4, 3)


def init() -> None:
    """Load nothing."""


@scorehost.tensor(
    inputs={"x": ("FP32", [-1, 4])},
    outputs={"y": ("FP32", [-1, 3], ["setosa", "versicolor", "virginica"])},
)
def run(x: Any) -> Any:
    """Multiply."""
    assert type(x) is np.ndarray and x.dtype == "float32"
    assert x.flags.c_contiguous and not x.flags.writeable
    return x @ W
