"""Declares no outputs, and returns whatever it is asked for."""

import numpy as np

import scorehost

RESULTS = {
    "scalar": lambda: 5,
    "float": lambda: np.float32(0.1),
    "truth": lambda: True,
    "text": lambda: "\u00e9\0",
    "raw": lambda: b"\xff",
    "list": lambda: [1, 2, 3],
    "dict": lambda: {"a": [1], "b": np.ones((2, 2))},
    "empty": dict,
    "tuple": lambda: (np.ones(2), np.zeros(1)),
    "edges": lambda: np.array([np.nan, np.inf, -np.inf, -0.0]),
    "large": lambda: np.array([2**64 - 1], "uint64"),
    "big-endian": lambda: np.array([1, 2], ">i4"),
    "backwards": lambda: np.arange(6)[::-2],
    "turned": lambda: np.arange(6).reshape(2, 3).T,
    "no-rows": lambda: np.zeros((0, 3), "float32"),
    "texts": lambda: np.array(["a", "\U0001f600"]),
    "bytes": lambda: np.array([b"a\0b", b"c"]),
    "mixed": lambda: [1, "a"],
    "ragged": lambda: [[1], [1, 2]],
    "complex": lambda: np.ones(2, complex),
    "dates": lambda: np.array(["2020-01-01"], "M8[D]"),
    "objects": lambda: np.array([object()]),
    "none": lambda: None,
    "too-deep": lambda: np.zeros((1,) * 33),
    "too-many": lambda: {f"o{i}": i for i in range(100)},
    "no-name": lambda: {1: 2},
    "too-long": lambda: {"k" * 300: 1},
}


def init():
    pass


@scorehost.tensor(inputs={"what": ("BYTES", [1])})
def run(what):
    return RESULTS[what[0].decode()]()
