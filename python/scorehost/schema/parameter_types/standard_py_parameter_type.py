"""Parameters that are plain Python values."""

from __future__ import annotations

import base64
import json
from datetime import date, datetime, time
from typing import Any

from .abstract_parameter_type import AbstractParameterType
from .shapes import example_of, schema_of


class StandardPythonParameterType(AbstractParameterType):
    """A number, text, bytes, a date, a list or a dict.

    In a list or a dict other parameter types may stand in the place of
    values; those are converted, one by one.
    """

    def __init__(self, sample_input: Any) -> None:
        super().__init__(sample_input)
        self.sample_data_type_map: dict[Any, AbstractParameterType] = {}
        self.sample_data_type_list: list[AbstractParameterType] = []
        if isinstance(sample_input, dict):
            self.sample_data_type_map = {
                key: item
                for key, item in sample_input.items()
                if isinstance(item, AbstractParameterType)
            }
        elif isinstance(sample_input, (list, tuple)):
            self.sample_data_type_list = [
                item for item in sample_input if isinstance(item, AbstractParameterType)
            ]

    def deserialize_input(self, input_data: Any) -> Any:
        """Converts bytes and dates from text; everything else must be right already."""
        kind = self.sample_data_type
        if kind in (bytes, bytearray):
            return kind(base64.b64decode(input_data.encode("utf-8")))
        if kind in (date, datetime, time):
            return _from_text(input_data, kind)
        if isinstance(input_data, kind) or (kind is float and type(input_data) is int):
            return input_data
        raise ValueError(
            f"Invalid input data type to parse. Expected: {kind} but got {type(input_data)}"
        )

    def input_to_swagger(self) -> dict[str, Any]:
        """Returns the schema, with the sample as its example."""
        if self.sample_input is None:
            raise ValueError("Sample input cannot be None")
        schema = schema_of(self.sample_input)
        schema["example"] = example_of(self.sample_input)
        try:
            json.dumps(schema["example"])
        except TypeError as exc:
            raise TypeError(
                "Invalid python data sample provided: ensure that the data is fully JSON "
                "serializable to be able to generate swagger schema from it. "
                f"Actual error: {exc}"
            ) from exc
        return schema


def _from_text(text: str, kind: type) -> Any:
    moment = _moment(text)
    if kind is datetime:
        return moment
    return moment.date() if kind is date else moment.timetz()


def _moment(text: str) -> datetime:
    try:
        from dateutil.parser import parse
    except ImportError:  # it comes with pandas, and is not needed without
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    moment: datetime = parse(text)
    return moment
