"""What people have today: NumPy arrays, described by samples."""

from typing import Any

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import (
    NumpyParameterType)
from inference_schema.schema_decorators import input_schema, output_schema


def init() -> None:
    """Have a model."""
    global weights
    weights = np.linspace(-1.0, 1.0, 128)


@input_schema("data", NumpyParameterType(np.zeros((1, 128))))
@input_schema("scale", NumpyParameterType(np.array([1], "int64")))
@output_schema(NumpyParameterType(np.array([0.5])))
def run(data: Any, scale: Any) -> Any:
    """Score each row; write to the input, as many do."""
    data *= scale[0]
    return (data @ weights).tolist()
