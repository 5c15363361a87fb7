"""Schemas and examples of plain Python values."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date, datetime, time, timezone
from typing import Any

from .abstract_parameter_type import AbstractParameterType

_SIMPLE: dict[type, dict[str, str]] = {
    int: {"type": "integer", "format": "int64"},
    float: {"type": "number", "format": "double"},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "format": "byte"},
    bytearray: {"type": "string", "format": "byte"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    time: {"type": "string", "format": "time"},
}


def schema_of(value: Any) -> dict[str, Any]:
    """Returns the schema of a value, which may hold other parameter types."""
    if isinstance(value, AbstractParameterType):
        schema = dict(value.input_to_swagger())
        schema.pop("example", None)
        return schema
    if type(value) in (list, tuple, range):
        items = schema_of(value[-1]) if value else {"type": "object"}
        return {"type": "array", "items": items}
    if type(value) is dict:
        properties = {key: schema_of(item) for key, item in value.items()}
        return {"type": "object", "required": list(value), "properties": properties}
    return dict(_SIMPLE.get(type(value), {"type": "object"}))


def example_of(value: Any) -> Any:
    """Returns a value in the form that it has in JSON."""
    if isinstance(value, AbstractParameterType):
        return value.input_to_swagger().get("example")
    if type(value) in (list, tuple, range):
        return [example_of(item) for item in value]
    if type(value) is dict:
        return {key: example_of(item) for key, item in value.items()}
    form = _FORMS.get(type(value))
    return form(value) if form else value


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _date(value: date) -> str:
    return value.strftime("%Y-%m-%d")


def _datetime(value: datetime) -> str:
    zoned = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return zoned.strftime("%Y-%m-%d %H:%M:%S.%f %z")


def _time(value: time) -> str:
    zoned = value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    return zoned.strftime("%H:%M:%S.%f %z")


_FORMS: dict[type, Callable[[Any], str]] = {
    bytes: _base64,
    bytearray: _base64,
    date: _date,
    datetime: _datetime,
    time: _time,
}
