"""Gives back what it was given, whatever of that there is: all datatypes, any shape."""

from typing import Any

import numpy as np

import scorehost

DATATYPES = (
    "BOOL UINT8 UINT16 UINT32 UINT64 INT8 INT16 INT32 INT64 FP16 BF16 FP32 FP64 BYTES"
).split()
NAMES = [name.lower() for name in DATATYPES]
SHAPES = {name.lower(): (name, [-1, 2]) for name in DATATYPES}


def init() -> None:
    """Load nothing."""


@scorehost.tensor(inputs=SHAPES, outputs=SHAPES)
def run(
    bool: Any, uint8: Any, uint16: Any, uint32: Any, uint64: Any, int8: Any, int16: Any,
    int32: Any, int64: Any, fp16: Any, bf16: Any, fp32: Any, fp64: Any, bytes: Any,
) -> Any:
    """Echo; the type of each array is checked on the way."""
    given = dict(locals())
    for name, array in given.items():
        assert type(array) is np.ndarray and not array.flags.writeable
        expected = {"bytes": ("object",), "bf16": ("bfloat16", "uint16")}.get(
            name, (name.replace("fp", "float"),)
        )
        assert array.dtype.name in expected, (name, array.dtype)
    return given
