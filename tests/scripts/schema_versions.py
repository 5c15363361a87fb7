"""Has a sample that Swagger 2.0 cannot describe."""

from typing import Any

from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType)
from inference_schema.schema_decorators import input_schema


def init() -> None:
    """Load nothing."""


@input_schema("items", StandardPythonParameterType([1, "a", {"k": [None]}]))
def run(items: Any) -> Any:
    """Give the items back."""
    return items
