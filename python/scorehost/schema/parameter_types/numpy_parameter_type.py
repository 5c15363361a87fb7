"""Parameters that are NumPy arrays."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from .abstract_parameter_type import AbstractParameterType

_FORMAT = "numpy.ndarray"
_FLOATS = {2: "float", 4: "float", 8: "double"}
_OTHERS: dict[str, dict[str, str]] = {
    "b": {"type": "boolean"},
    "U": {"type": "string"},
    "S": {"type": "string", "format": "binary"},
    "V": {"type": "string", "format": "binary"},
    "M": {"type": "string", "format": "date-time"},
    "m": {"type": "string", "format": "timedelta"},
    "O": {"type": "object"},
}
_UNITS = {
    "years": "Y",
    "months": "M",
    "weeks": "W",
    "days": "D",
    "hours": "h",
    "minutes": "m",
    "seconds": "s",
    "milliseconds": "ms",
    "microseconds": "us",
    "nanoseconds": "ns",
}


class NumpyParameterType(AbstractParameterType):
    """An array of the sample's rank and type.

    All dimensions but the first must be the sample's too, unless
    ``enforce_shape`` is off; the elements take the sample's type unless
    ``enforce_column_type`` is off.
    """

    def __init__(
        self, sample_input: Any, enforce_column_type: bool = True, enforce_shape: bool = True
    ) -> None:
        if not isinstance(sample_input, np.ndarray):
            raise Exception("Invalid sample input provided, must provide a sample Numpy array.")
        super().__init__(sample_input)
        self.enforce_column_type = enforce_column_type
        self.enforce_shape = enforce_shape

    def deserialize_input(self, input_data: Any) -> Any:
        """Makes an array of a list; an array is returned as it is."""
        if isinstance(input_data, np.ndarray):
            return input_data
        if not isinstance(input_data, list):
            raise ValueError("Invalid input format: expected an array of items.")
        sample = self.sample_input
        items = [_prepared(item, sample.dtype, sample.ndim - 1) for item in input_data]
        array = np.array(items, dtype=sample.dtype if self.enforce_column_type else None)
        if self.enforce_shape:
            _check_shape(array, sample)
        return array

    def input_to_swagger(self) -> dict[str, Any]:
        """Returns the schema, with the sample as its example."""
        schema = _nested(_dtype_schema(self.sample_input.dtype), self.sample_input.ndim)
        schema["example"] = _example(self.sample_input)
        schema["format"] = _FORMAT
        return schema


def _check_shape(array: Any, sample: Any) -> None:
    if array.ndim != sample.ndim:
        raise ValueError(
            f"Invalid input array: an array with {sample.ndim} dimensions is expected; "
            f"input has {array.ndim} [shape {array.shape}]"
        )
    for axis in range(1, sample.ndim):
        if array.shape[axis] != sample.shape[axis]:
            raise ValueError(
                f"Invalid input array: array has size {array.shape[axis]} on dimension "
                f"#{axis}, while expected value is {sample.shape[axis]}"
            )


def _prepared(item: Any, dtype: Any, depth: int) -> Any:
    """Puts an element into the form that NumPy reads."""
    if depth > 0 and isinstance(item, list):
        return [_prepared(inner, dtype, depth - 1) for inner in item]
    if dtype.names:
        values = [item[name] for name in dtype.names] if isinstance(item, dict) else item
        return tuple(_prepared(value, dtype[at], 0) for at, value in enumerate(values))
    return _timedelta(item) if dtype.kind == "m" else item


def _timedelta(text: str) -> Any:
    value, _, name = text.partition(" ")
    wrong = f"Invalid numpy.timestamp64 value specified: {text}. "
    if not name:
        raise ValueError(wrong + "Format should be <value> <time_unit_code>")
    count, unit = int(value), _UNITS.get(name)
    if unit is None:
        raise ValueError(wrong + "Unrecognized time unit code")
    make: Any = np.timedelta64  # its annotations list the units one by one
    return make(count, unit)


def _nested(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


def _dtype_schema(dtype: Any) -> dict[str, Any]:
    if dtype.subdtype:
        base, shape = dtype.subdtype
        return _nested(_dtype_schema(base), len(shape))
    if dtype.names:
        properties = {name: _dtype_schema(dtype[name]) for name in dtype.names}
        return {"type": "object", "properties": properties}
    if dtype.kind in "iu":
        return {"type": "integer", "format": dtype.name}
    if dtype.kind == "f" and dtype.itemsize in _FLOATS:
        return {"type": "number", "format": _FLOATS[dtype.itemsize]}
    if dtype.kind not in _OTHERS:
        raise TypeError(
            f"We currently do not support extracting schema from data of type {dtype}"
        )
    return dict(_OTHERS[dtype.kind])


def _example(array: Any) -> Any:
    if array.ndim == 0:
        return _example_item(array[()], array.dtype)
    if array.ndim == 1:
        return [_example_item(item, array.dtype) for item in array]
    return [_example(row) for row in array]


def _example_item(item: Any, dtype: Any) -> Any:
    if isinstance(item, np.ndarray):
        return _example(item)
    if dtype.names:
        return {name: _example_item(item[name], dtype[name]) for name in dtype.names}
    if dtype.kind in "iuf":
        return item.item()
    if dtype.kind in "SV":
        return base64.b64encode(bytes(item)).decode("ascii")
    if dtype.kind == "M" and not np.isnat(item):
        return item.astype("M8[us]").item().strftime("%Y-%m-%d %H:%M:%S,%f")
    return str(item)
