"""The shim of inference_schema makes what the real package makes."""

from __future__ import annotations

import datetime as dt
import copy
import importlib
import inspect
import itertools
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

TYPES = {
    "standard_py_parameter_type": "StandardPythonParameterType",
    "numpy_parameter_type": "NumpyParameterType",
    "pandas_parameter_type": "PandasParameterType",
}
_names = (f"function_{number}" for number in itertools.count())


class Package:
    """One of the two packages, by the short names of its parts."""

    def __init__(self, name: str) -> None:
        def part(path: str) -> Any:
            return importlib.import_module(f"{name}.{path}")

        standard, numpy, pandas = (
            getattr(part(f"parameter_types.{module}"), kind) for module, kind in TYPES.items()
        )
        self.P, self.N, self.D = standard, numpy, pandas
        self.input_schema = part("schema_decorators").input_schema
        self.output_schema = part("schema_decorators").output_schema
        self.util = part("schema_util")


@pytest.fixture
def real() -> Package:
    pytest.importorskip("inference_schema", reason="needs the real inference-schema")
    return Package("inference_schema")


@pytest.fixture
def shim() -> Package:
    return Package("scorehost.schema")


def outcome(action: Any) -> Any:
    """What an action came to: a comparable result, or the error it raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return comparable(action())
        except Exception as exc:
            return type(exc).__name__, str(exc)


def comparable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return "array", str(value.dtype), value.shape, str(value.tolist())
    if isinstance(value, pd.DataFrame):
        types = [str(kind) for kind in value.dtypes]
        return "frame", value.to_dict("list").__repr__(), types, list(value.index)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [comparable(item) for item in value]
    if isinstance(value, dict):
        return "dict", [(key, comparable(item)) for key, item in value.items()]
    return type(value).__name__, repr(value)


def decorated(package: Package, *types: Any) -> Any:
    def run(a, b=None, c=3):  # type: ignore[no-untyped-def]
        return a, b, c

    run.__name__ = run.__qualname__ = next(_names)
    for name, kind in zip("abc", types):
        run = package.input_schema(name, kind)(run)
    return run


ZONE = dt.timezone(dt.timedelta(hours=2))
STANDARD = {
    "int": (1, [1, True, "1", 1.0, None]),
    "float": (1.5, [1.5, 1, True, "1"]),
    "str": ("x", ["a", 1, None, b"a"]),
    "bool": (True, [True, 1, "x"]),
    "bytes": (b"ab", ["YWI=", "!", 1, b"q"]),
    "datetime": (
        dt.datetime(2020, 1, 2, 3, 4, 5, 6),
        ["2020-01-02T03:04:05Z", "2020-01-02 03:04:05.000006 +0000", "junk", 5],
    ),
    "zoned": (dt.datetime(2020, 1, 2, 3, tzinfo=ZONE), ["2020-01-02 03:04:05 +0200"]),
    "time": (dt.time(3, 4, 5, 6), ["03:04:05", "junk", "03:04:05.5 +0200"]),
    "date": (dt.date(2020, 1, 2), []),
    "list": ([1, "a"], [[3], (3,), "x", None, {"a": 1}]),
    "empty list": ([], [[1]]),
    "tuple": ((1, 2.5), [[3], (3,)]),
    "range": (range(3), [[1], 3]),
    "dict": ({"a": 1, "b": [1, 2], "c": {"d": b"x"}}, [{"z": 1}, {}, [], None]),
    "empty dict": ({}, [{"a": 1}]),
    "set": ({1}, []),
    "none": (None, []),
    "dicts": ([{"a": 1}, {"b": 2}], [[{"q": 1}]]),
    "lists": ([[1], [2]], [[["x"]]]),
    "dates": ([dt.date(2020, 1, 2)], []),
    "times in a dict": ({"a": dt.datetime(2020, 1, 1), "b": dt.time(1), "c": None}, []),
    "number keys": ({1: 2}, []),
    "numpy scalar": (np.int64(1), []),
    "batch form": ("x", [{"parameters": 1, "input_string": 2}]),
}


@pytest.mark.parametrize("name", STANDARD)
def test_standard_samples(real: Package, shim: Package, name: str) -> None:
    sample, values = STANDARD[name]
    compare(real, shim, lambda package: package.P(sample), values)


def compare(real: Package, shim: Package, make: Any, values: Any) -> None:
    """Holds schema, versions and the conversion of values against each other."""

    def all_of(package: Package) -> list[Any]:
        found = [
            outcome(lambda: make(package).input_to_swagger()),
            outcome(lambda: make(package).supported_versions()),
        ]
        for value in values:
            found.append(outcome(lambda: decorated(package, make(package))(copy.deepcopy(value))))
            found.append(outcome(lambda: decorated(package, make(package))(a=copy.deepcopy(value))))
        return found

    for ours, theirs in zip(all_of(shim), all_of(real)):
        assert ours == theirs


NESTED = {
    "dict": (lambda p: p.P({"a": p.P(1), "b": [p.P(1.5)], "c": 2}), [
        {"a": 1, "b": [2]}, {"a": "x"}, {"b": ["q"]}, {}, {"c": "x"}, {"a": None}, 5, [1],
    ]),
    "list": (lambda p: p.P([p.P(1), p.P("x")]), [[1, 2], ["x"], [], (1,), 5]),
    "tuple": (lambda p: p.P((p.P(1),)), [[1, 2], ["x"], [], (1,), 5]),
    "arrays": (lambda p: p.P([p.N(np.array([1.5]))]), [[[1, 2], [3]]]),
    "both": (
        lambda p: p.P({"a": p.N(np.array([1.5])), "d": p.D(pd.DataFrame({"q": [1]}))}),
        [{"a": [1, 2], "d": [{"q": 2}]}],
    ),
    "deep": (lambda p: p.P({"a": {"b": p.P(1)}}), [{"a": {"b": "x"}}]),
    "twice": (lambda p: p.P({"a": p.P({"b": p.P(1)})}), [{"a": {"b": "x"}}]),
    "lists": (lambda p: p.P([p.P([p.P(1)])]), [[["x"]]]),
    "bytes": (lambda p: p.P({"a": p.P(b"q")}), [{"a": b"z"}, {"a": "YWI="}]),
}


@pytest.mark.parametrize("name", NESTED)
def test_parameter_types_in_samples(real: Package, shim: Package, name: str) -> None:
    make, values = NESTED[name]
    compare(real, shim, make, values)


STRUCT = np.array([(1, "a")], dtype=[("x", "i4"), ("y", "U5")])
NUMPY = {
    "int64": (np.array([1, 2]), [
        [1, 2], [1, 2, 3], ["3"], [1.7], [[1]], 1, "x", None, [], np.array([1.5]), [None], {"a": 1},
    ]),
    "int8": (np.array([1], dtype="int8"), [[300], [3]]),
    "int16": (np.array([1], dtype="int16"), []),
    "uint16": (np.array([1], dtype="uint16"), [[-1]]),
    "uint64": (np.array([1], dtype="uint64"), []),
    "float16": (np.array([1], dtype="float16"), []),
    "float32": (np.array([1.5], dtype="float32"), [[1, "2"], ["x"]]),
    "float64": (np.array([[1.5, 2]]), [
        [[1, 2]], [[1, 2], [3, 4]], [[1, 2, 3]], [1, 2], [[1], [2, 3]], [["a", "b"]], [[None, 1]],
    ]),
    "longdouble": (np.zeros(1, dtype="longdouble"), []),
    "bool": (np.array([True]), [[1, 0], ["x"]]),
    "str": (np.array(["ab"]), [["abc", 1]]),
    "bytes": (np.array([b"ab", b"\xff"]), [["ab"]]),
    "void": (np.array([b"ab"], dtype="V2"), []),
    "day": (np.array(["2020-01-02"], dtype="M8[D]"), [["2020-01-03"], ["x"]]),
    "second": (np.array(["2020-01-02T03:04:05"], dtype="M8[s]"), [["2020-01-02T03:04:05"]]),
    "timedelta": (np.array([5], dtype="m8[s]"), [
        ["5 seconds"], ["1 days"], ["5"], ["5 s"], ["x s"],
    ]),
    "object": (np.array([None, 1.5, {"a": 1}], dtype=object), [[1, "x"]]),
    "struct": (STRUCT, [[{"x": 1, "y": "q"}], [{"x": 1}], [[1, "q"]], [(1, "q")]]),
    "subarray": (np.array([(1, (2,))], dtype=[("x", "i4"), ("y", "f4", (1,))]), []),
    "complex": (np.array([1j]), []),
    "three": (np.zeros((1, 2, 3), dtype="int32"), [
        [[[1, 2, 3], [4, 5, 6]]], [[[1, 2], [3, 4]]], [[[1, 2, 3]]],
    ]),
    "empty": (np.zeros((0, 3)), [[[1, 2, 3]], []]),
    "nan": (np.array([np.nan, np.inf]), []),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_samples(real: Package, shim: Package, name: str) -> None:
    sample, values = NUMPY[name]
    compare(real, shim, lambda package: package.N(sample), values)


@pytest.mark.parametrize("column_type", [True, False])
@pytest.mark.parametrize("shape", [True, False])
def test_numpy_enforcement(real: Package, shim: Package, column_type: bool, shape: bool) -> None:
    sample, values = NUMPY["float64"]
    compare(real, shim, lambda package: package.N(sample, column_type, shape), values)


def frames() -> dict[str, pd.DataFrame]:
    return {
        "basic": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1.5, 2.5]}),
        "times": pd.DataFrame(
            {
                "d": pd.to_datetime(["2020-01-02"]),
                "t": pd.to_timedelta(["1 days"]),
                "z": pd.to_datetime(["2020-01-02"], utc=True),
                "b": [True],
            }
        ),
        "objects": pd.DataFrame({"o": [[1, 2]], "n": [{"a": 1}], "x": [None]}),
        "number columns": pd.DataFrame([[1, 2.5]]),
        "labelled": pd.DataFrame({"a": [1]}, index=["r1"]),
        "empty": pd.DataFrame({"a": []}),
        "category": pd.DataFrame({"a": pd.Categorical(["x"])}),
        "nan": pd.DataFrame({"a": [1.0, float("nan")]}),
    }


ROWS: dict[str, Any] = {
    "records": [
        [{"a": 1, "b": "q", "c": 2}],
        [{"a": 1, "b": "q"}],
        [{"b": "q", "a": 1, "c": 2}],
        [{"a": "z", "b": "q", "c": 2}],
        [{"x": 1, "b": "007", "c": 3}],
        [{"a": 1, "b": "2020-01-01", "c": 2, "d": 4}],
        [[1, "q", 2]],
        [],
        {"a": 1},
        "x",
        5,
        None,
        [{"a": None, "b": None, "c": None}],
        {"a": {"0": 1}, "b": {"0": "q"}, "c": {"0": 2}},
        [{"d": "2021-01-01T00:00:00", "t": "2 days", "z": "2021-01-01T00:00:00Z", "b": False}],
        [{"0": 3, "1": 4}],
        pd.DataFrame({"z": ["x"]}),
    ],
    "split": [
        {"columns": ["a", "b", "c"], "index": [0], "data": [[1, "q", 2]]},
        {"columns": ["a", "b", "c"], "data": [[1, "q", 2]]},
        [1],
    ],
    "index": [{"0": {"a": 1, "b": "q", "c": 2}}, {"r": {"a": 1, "b": "q", "c": 2}}],
    "columns": [{"a": {"0": 1}, "b": {"0": "q"}, "c": {"0": 2}}],
    "values": [[[1, "q", 2]], [[1, "q"]], [[3, 4]]],
    "table": [
        {
            "schema": {
                "fields": [
                    {"name": "index", "type": "integer"},
                    {"name": "a", "type": "integer"},
                    {"name": "b", "type": "string"},
                    {"name": "c", "type": "number"},
                ],
                "primaryKey": ["index"],
            },
            "data": [{"index": 0, "a": 1, "b": "q", "c": 2}],
        },
        {"data": []},
    ],
    "nonsense": [],
}


@pytest.mark.parametrize("name", frames())
@pytest.mark.parametrize("orient", ROWS)
def test_pandas_samples(real: Package, shim: Package, name: str, orient: str) -> None:
    sample = frames()[name]
    compare(real, shim, lambda package: package.D(sample, orient=orient), ROWS[orient])


@pytest.mark.parametrize(
    "options",
    [
        {"enforce_column_type": False},
        {"enforce_shape": False},
        {"apply_column_names": True},
    ],
    ids=str,
)
def test_pandas_enforcement(real: Package, shim: Package, options: dict[str, bool]) -> None:
    def make(package: Package) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return package.D(frames()["basic"], **options)

    compare(real, shim, make, ROWS["records"][:12])


def test_a_deprecated_option_warns(shim: Package) -> None:
    with pytest.warns(DeprecationWarning, match="apply_column_names"):
        shim.D(frames()["basic"], apply_column_names=True)


@pytest.mark.parametrize("kind", ["P", "N", "D"])
@pytest.mark.parametrize("sample", [None, [1]], ids=str)
def test_wrong_samples(real: Package, shim: Package, kind: str, sample: Any) -> None:
    def made(package: Package) -> Any:
        return outcome(lambda: getattr(package, kind)(sample).input_to_swagger())

    assert made(shim) == made(real)


VERSIONS = [
    [[1, 2], [1, "a"]],
    [[1], ["a"]],
    {"a": {"b": [1, "x"]}},
    [(1, "x")],
    [{"a": 1}, {"a": "x"}],
    {"a": [{"b": [1, 2.5]}]},
    [None, 1],
    [1, True],
    [[], [1]],
    [[1], 1],
    [[[1, "a"]]],
]


@pytest.mark.parametrize("sample", VERSIONS, ids=str)
def test_versions(real: Package, shim: Package, sample: Any) -> None:
    def found(package: Package) -> Any:
        run = decorated(package, package.P(sample), package.P(1))
        only = decorated(package, package.P(sample))
        return package.util.get_supported_versions(run), package.util.get_supported_versions(only)

    assert found(shim) == found(real)


def test_the_four_questions(real: Package, shim: Package) -> None:
    def answers(package: Package) -> Any:
        run = decorated(package, package.P(1), package.N(np.array([1.5])))
        run = package.output_schema(package.P({"a": 1}))(run)
        other = decorated(package)
        questions = ("get_input_schema", "get_output_schema", "get_supported_versions")
        asked = [getattr(package.util, name) for name in (*questions, "is_schema_decorated")]
        return json.dumps([[ask(run), ask(other), ask(3)] for ask in asked])

    assert answers(shim) == answers(real)


def test_a_parameter_that_is_not_there(real: Package, shim: Package) -> None:
    def called(package: Package) -> Any:
        run = package.input_schema("zz", package.P(1))(decorated(package))
        return outcome(lambda: run(1)), list(package.util.get_input_schema(run)["properties"])

    assert called(shim) == called(real)


def test_optional_parameters(real: Package, shim: Package) -> None:
    def called(package: Package) -> Any:
        run = package.input_schema("a", package.P(b"x"), optional=True)(decorated(package))
        return [outcome(lambda: run(a=value)) for value in ("YWI=", None, 5)]

    assert called(shim) == called(real)


def test_conversion_can_be_off(real: Package, shim: Package) -> None:
    def called(package: Package) -> Any:
        kind = package.P([package.P(1)])
        plain = decorated(package)
        run = package.input_schema("a", kind, convert_to_provided_type=False)(plain)
        return outcome(lambda: run(a=["x"]))

    assert called(shim) == called(real)


def test_what_is_no_parameter_type(real: Package, shim: Package) -> None:
    for package in (real, shim):
        with pytest.raises(Exception, match="must be a subclass ?of the AbstractParameterType"):
            package.input_schema("a", 1)(decorated(package))
        with pytest.raises(Exception, match="must be a subclass ?of the AbstractParameterType"):
            package.output_schema(1)(decorated(package))


def test_an_output_is_declared_once(shim: Package) -> None:
    run = shim.output_schema(shim.P(1))(decorated(shim))
    with pytest.raises(Exception, match="output schema already defined for function"):
        shim.output_schema(shim.P(1))(run)


def test_the_signature_stays(shim: Package) -> None:
    run = decorated(shim, shim.P(1), shim.P(2))
    assert str(inspect.signature(run)) == "(a, b=None, c=3)"
    assert run(1, c="q") == (1, None, "q")


def test_a_type_of_the_users_own(real: Package, shim: Package) -> None:
    def called(package: Package) -> Any:
        base = package.P.__mro__[1]

        class Own(base):  # type: ignore[misc,valid-type]
            def deserialize_input(self, input_data: Any) -> Any:
                return "own", input_data

            def input_to_swagger(self) -> dict[str, Any]:
                return {"type": "string", "example": self.sample_input}

        run = decorated(package, Own(3))
        return outcome(lambda: run(a="q")), package.util.get_input_schema(run)

    assert called(shim) == called(real)


def test_a_date_works_here(shim: Package) -> None:
    """The real package always raises for these."""
    assert decorated(shim, shim.P(dt.date(2020, 1, 2)))("2021-03-04")[0] == dt.date(2021, 3, 4)
    assert decorated(shim, shim.P(bytearray(b"x")))("YWI=")[0] == bytearray(b"ab")


def test_dates_without_dateutil(shim: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "dateutil.parser", None)
    run = decorated(shim, shim.P(dt.datetime(2020, 1, 2)))
    assert run("2021-03-04T05:06:07Z")[0].isoformat() == "2021-03-04T05:06:07+00:00"
