"""Nests parameter types in a dict, as designer-made scripts do."""

from typing import Any

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import (
    NumpyParameterType)
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType)
from inference_schema.schema_decorators import input_schema, output_schema

SAMPLE = StandardPythonParameterType({
    "rows": NumpyParameterType(np.array([[1.0, 2.0]])),
    "method": StandardPythonParameterType("predict"),
    "plain": 3,
})


def init() -> None:
    """Load nothing."""


@input_schema("inputs", SAMPLE)
@input_schema("global_parameters", StandardPythonParameterType(1.0),
              convert_to_provided_type=False)
@output_schema(StandardPythonParameterType({"results": [0.5]}))
def run(inputs: Any, global_parameters: Any = 1.0) -> Any:
    """Tell what came of each part."""
    return {"results": {name: [type(value).__name__, np.shape(value)]
                        for name, value in inputs.items()},
            "global": repr(global_parameters)}
