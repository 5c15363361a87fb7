"""Describes its parameters by samples of Python's own types."""

from typing import Any

from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType)
from inference_schema.schema_decorators import input_schema, output_schema


def init() -> None:
    """Load nothing."""


@input_schema("name", StandardPythonParameterType("Ada"))
@input_schema("age", StandardPythonParameterType(36))
@input_schema("scores", StandardPythonParameterType([1.5, 2.5]))
@output_schema(StandardPythonParameterType({"greeting": "Hello"}))
def run(name: str, age: int, scores: Any = None) -> dict[str, Any]:
    """Answer with all of it."""
    print("called with", name, age, scores)
    return {"greeting": f"Hello {name}, {age}", "scores": scores}
