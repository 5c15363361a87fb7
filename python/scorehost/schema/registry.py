"""What the decorators found out, by the full name of the function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

INPUT = "input_schema"
OUTPUT = "output_schema"
ALL_VERSIONS = ["2.0", "3.0", "3.1"]

schemas: dict[str, dict[str, Any]] = {}
versions: dict[str, dict[str, list[str]]] = {}


def name_of(function: Any) -> str:
    """Returns the name that a function is known by."""
    module = getattr(function, "__module__", "")
    return f"{module}.{getattr(function, '__name__', type(function).__name__)}"


def add_input(
    function: Any, parameters: Sequence[str], name: str, schema: dict[str, Any]
) -> None:
    """Notes the schema of one parameter; the others are there with no schema."""
    known = schemas.setdefault(name_of(function), {})
    if INPUT not in known:
        known[INPUT] = {
            "type": "object",
            "properties": {parameter: {} for parameter in parameters},
            "example": {parameter: "" for parameter in parameters},
        }
    schema = dict(schema)
    known[INPUT]["example"][name] = schema.pop("example", "")
    known[INPUT]["properties"][name] = schema


def add_output(function: Any, schema: dict[str, Any]) -> None:
    """Notes the schema of the result, which may be told once."""
    name = name_of(function)
    known = schemas.setdefault(name, {})
    if OUTPUT in known:
        raise Exception(f"Error, output schema already defined for function: {name}.")
    known[OUTPUT] = schema


def add_versions(function: Any, attribute: str, supported: list[str]) -> None:
    """Notes the versions that can express a schema; the last one counts."""
    versions.setdefault(name_of(function), {})[attribute] = supported
