"""Scripts with NumPy schemas, as people have them; CASE says which. Each tells what it was given."""

import os
import sys

import numpy as np

if os.environ.get("SCHEMAS") == "ours":
    from scorehost import hook

    class Hidden:
        """Serves what stands in for the package before that is found."""

        @staticmethod
        def find_spec(name, path=None, target=None):
            return hook._package(name, "schema") if name == "inference_schema" else None

    sys.meta_path.insert(0, Hidden)

from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType  # noqa: E402
from inference_schema.parameter_types.standard_py_parameter_type import (  # noqa: E402
    StandardPythonParameterType)
from inference_schema.schema_decorators import input_schema, output_schema  # noqa: E402


def kind(array, **enforced):
    return NumpyParameterType(np.array(array[0], array[1]), **enforced)


MATRIX = ([[1, 2, 3], [4, 5, 6]], "float64")
CASES = {
    "matrix": {"data": kind(MATRIX)},
    "single": {"data": kind(([[1, 2, 3]], "float32"))},
    "half": {"data": kind(([[0.5, 2, 3]], "float16"))},
    "flat": {"data": kind(([1, 2], "float64"))},
    "cube": {"data": kind((np.zeros((1, 2, 3)), "float32"))},
    "ints": {"data": kind(([[1, 2, 3]], "int32"))},
    "long": {"data": kind(([[1, 2, 3]], "int64"))},
    "bytes": {"data": kind(([[1, 2, 3]], "uint8"))},
    "bools": {"data": kind(([[True, False, True]], "bool"))},
    "loose-shape": {"data": kind(MATRIX, enforce_shape=False)},
    "loose-type": {"data": kind(([[1, 2, 3]], "int64"), enforce_column_type=False)},
    "loose": {"data": kind(MATRIX, enforce_shape=False, enforce_column_type=False)},
    "text": {"data": kind(([["abc", "d", "e"]], "U3"))},
    "big-endian": {"data": kind(([[1, 2, 3]], ">f8"))},
    "two": {"data": kind(([[1, 2, 3]], "float32")), "scale": kind(([1], "int64"))},
    "beside": {"data": kind(MATRIX), "scale": StandardPythonParameterType(1)},
}
CASE = CASES[os.environ.get("CASE", "matrix")]


def init():
    pass


def told(value):
    if not isinstance(value, np.ndarray):
        return [type(value).__name__, value]
    return [str(value.dtype), list(value.shape), value.tolist(), bool(value.flags.writeable)]


if len(CASE) == 1:
    def run(data):
        return {"data": told(data)}
else:
    def run(data, scale):
        return {"data": told(data), "scale": told(scale)}

for name, parameter in CASE.items():
    run = input_schema(name, parameter)(run)
run = output_schema(StandardPythonParameterType({"data": [1]}))(run)
