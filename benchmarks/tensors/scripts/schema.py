"""A script as Azure ML's documentation has them: arrays by a schema, lists back."""

import numpy as np
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema


def init():
    global weights
    weights = np.linspace(-1, 1, 128, dtype="float32")


@input_schema("data", NumpyParameterType(np.ones((1, 128), dtype="float32"), enforce_shape=False))
@output_schema(NumpyParameterType(np.ones(1, dtype="float32")))
def run(data):
    return (data @ weights).tolist()
