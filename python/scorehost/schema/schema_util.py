"""Questions that a server asks about a decorated function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import registry


def is_schema_decorated(func: Callable[..., Any]) -> bool:
    """Tells whether an input or an output schema is known."""
    return registry.name_of(func) in registry.schemas


def get_input_schema(func: Callable[..., Any]) -> dict[str, Any]:
    """Returns the schema of the parameters, all of them in one object."""
    return _schema(func, registry.INPUT)


def get_output_schema(func: Callable[..., Any]) -> dict[str, Any]:
    """Returns the schema of the result."""
    return _schema(func, registry.OUTPUT)


def _schema(func: Callable[..., Any], attribute: str) -> dict[str, Any]:
    known = registry.schemas.get(registry.name_of(func), {})
    schema: dict[str, Any] = known.get(attribute, {"type": "object"})
    return schema


def get_supported_versions(func: Callable[..., Any]) -> list[str]:
    """Returns the versions that can express both schemas."""
    known = registry.versions.get(registry.name_of(func), {}).values()
    return [
        version
        for version in registry.ALL_VERSIONS
        if all(version in supported for supported in known)
    ]


def get_schemas_dict() -> dict[str, dict[str, Any]]:
    """Returns all schemas by the full names of the functions."""
    return registry.schemas
