"""Takes a NumPy array, described by a sample."""

from typing import Any

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import (
    NumpyParameterType)
from inference_schema.schema_decorators import input_schema, output_schema

SAMPLE = np.array([[1.0, 2.0, 3.0]])


def init() -> None:
    """Load nothing."""


@input_schema("data", NumpyParameterType(SAMPLE))
@output_schema(NumpyParameterType(np.array([6.0])))
def run(data: Any) -> Any:
    """Sum the rows."""
    print(type(data).__name__, data.dtype, data.shape)
    return data.sum(axis=1).tolist()
