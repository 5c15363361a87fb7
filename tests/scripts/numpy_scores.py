"""Computes with NumPy and returns what NumPy gives."""

import json
from typing import Any, Callable

import numpy as np

weights = np.zeros(0)

VIEWS: dict[str, Callable[[Any], Any]] = {
    "list": lambda scores: scores.tolist(),
    "array": lambda scores: scores,
    "float64": lambda scores: scores.sum(),
    "float32": lambda scores: np.float32(1.5),
    "int64": lambda scores: np.int64(5),
    "bool": lambda scores: scores[0] > 0,
    "str": lambda scores: np.str_("label"),
    "nan": lambda scores: np.float64("nan"),
    "floats": lambda scores: list(scores),
    "dict": lambda scores: {"mean": scores.mean(), "n": len(scores)},
    "dict int64": lambda scores: {"best": scores.argmax()},
    "shape": lambda scores: scores.shape,
}


def init() -> None:
    """Make the weights."""
    global weights
    weights = np.array([0.5, -1.0, 2.0])


def run(data: str) -> Any:
    """Give the scores of the rows in the form that is asked for."""
    request = json.loads(data)
    rows = np.array(request["rows"], dtype=float)
    return VIEWS[request.get("as", "list")](rows @ weights)
