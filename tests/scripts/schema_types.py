"""Has a parameter of each of Python's types that a sample can have."""

import datetime
from typing import Any

from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType as Sample)
from inference_schema.schema_decorators import input_schema, output_schema

UTC = datetime.timezone.utc
WHEN = datetime.datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


def init() -> None:
    """Load nothing."""


@input_schema("i", Sample(1))
@input_schema("f", Sample(1.5))
@input_schema("s", Sample("text"))
@input_schema("b", Sample(True))
@input_schema("raw", Sample(b"bytes"))
@input_schema("when", Sample(WHEN))
@input_schema("at", Sample(WHEN.timetz()))
@input_schema("items", Sample(["a", 1]))
@input_schema("pair", Sample((1, 2)))
@input_schema("table", Sample({"k": [1], "m": {"n": "o"}}))
@output_schema(Sample([1]))
def run(i: Any = None, f: Any = None, s: Any = None, b: Any = None,
        raw: Any = None, when: Any = None, at: Any = None, items: Any = None,
        pair: Any = None, table: Any = None) -> Any:
    """Tell the type and the value of each that was given."""
    given = {"i": i, "f": f, "s": s, "b": b, "raw": raw, "when": when,
             "at": at, "items": items, "pair": pair, "table": table}
    return {name: [type(value).__name__, repr(value)]
            for name, value in given.items() if value is not None}
