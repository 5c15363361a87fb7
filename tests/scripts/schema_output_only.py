"""Describes its output only, which makes it a schema script all the same."""

from typing import Any

from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType)
from inference_schema.schema_decorators import output_schema


def init() -> None:
    """Load nothing."""


@output_schema(StandardPythonParameterType({"length": 3}))
def run(data: Any, scale: int = 2) -> dict[str, Any]:
    """Tell the type of what came."""
    return {"type": type(data).__name__, "scale": scale}
