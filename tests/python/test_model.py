"""What the server makes of a script with tensors or NumPy schemas when it loads it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import scorehost
from fakes import load, logged, settings_for

from scorehost import errors, hook, model, script

TENSOR = """
import scorehost
"""
SCHEMA = """
import functools
import numpy as np
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType as N
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType as P)
ones = np.ones
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No module of another test's, no finder left behind."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield
    for name in [name for name in sys.modules if name.startswith("inference_schema")]:
        del sys.modules[name]


@pytest.fixture(params=["package", "ours"])
def schema(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The head of a script with schemas: the real package's, or ours in its place."""
    if request.param == "ours":

        class Hidden:
            """Serves ours before the package is found."""

            @staticmethod
            def find_spec(name: str, path: Any = None, target: Any = None) -> Any:
                return hook._package(name, "schema") if name == "inference_schema" else None

        monkeypatch.setattr(sys, "meta_path", [Hidden, *sys.meta_path])
    return SCHEMA


def signature(loaded: script.Scoring) -> Any:
    assert loaded.signature is not None
    return json.loads(loaded.signature)


def mistake(root: Path, source: str) -> str:
    with pytest.raises(errors.UserScriptError) as caught:
        load(root, source)
    return str(caught.value)


# Tensors


def test_a_script_with_tensors(tmp_path: Path) -> None:
    with logged() as lines:
        loaded = load(
            tmp_path,
            TENSOR
            + """
@scorehost.tensor(inputs={"x": ("FP32", [-1, 4]), "z": ("BYTES", [])},
                  outputs={"y": ("INT64", [-1], ["no", "yes"])}, writable=True)
def run(x, z): return x
""",
        )
    assert signature(loaded) == {
        "name": "score",
        "version": "1",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 4]},
            {"name": "z", "datatype": "BYTES", "shape": []},
        ],
        "outputs": [
            {"name": "y", "datatype": "INT64", "shape": [-1], "labels": ["no", "yes"]}
        ],
    }
    assert (loaded.mode, loaded.tensor_way, loaded.writable) == ("tensor", "tensor", True)
    assert (loaded.batching, loaded.fast) == (None, False)
    assert loaded.array is not None and loaded.outputs is not None
    assert lines[-1] == (
        "I run() takes tensors. Server will invoke it with NumPy arrays: x FP32 [-1,4], z BYTES []."
    )


@pytest.mark.parametrize("first", ["batch", "tensor"])
def test_batches_of_tensors(tmp_path: Path, first: str) -> None:
    decorators = [
        "@scorehost.batch(64, max_queue_delay_ms=0.5, preferred_batch_sizes=[64, 32])",
        '@scorehost.tensor(inputs={"x": ("FP32", [-1, 4])})',
    ]
    if first == "tensor":
        decorators.reverse()
    with logged() as lines:
        loaded = load(tmp_path, TENSOR + "\n".join([*decorators, "def run(x): return x"]))
    assert signature(loaded) == {
        "name": "score",
        "version": "1",
        "max_batch_size": 64,
        "batch": True,
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}],
    }
    assert loaded.batching is not None
    assert json.loads(loaded.batching) == {
        "max_batch_size": 64,
        "preferred_batch_sizes": [32, 64],
        "max_queue_delay_ms": 0.5,
        "split_failed": True,
        "bodies": False,
    }
    assert "NumPy arrays of the rows of many requests: x FP32 [-1,4]." in lines[-1]


def test_batches_of_bodies(tmp_path: Path) -> None:
    with logged() as lines:
        loaded = load(tmp_path, TENSOR + "@scorehost.batch\ndef run(data): return data")
    assert (loaded.signature, loaded.tensor_way, loaded.array) == (None, None, None)
    assert loaded.batching is not None and json.loads(loaded.batching)["bodies"] is True
    assert (loaded.mode, loaded.fast) == ("batch", False)
    assert lines[-1] == (
        "I run() takes batches. Server will invoke it with a list of inputs in JSON strings."
    )


def test_other_scripts_have_none(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(data): return data")
    assert (loaded.signature, loaded.batching, loaded.tensor_way) == (None, None, None)
    assert (loaded.array, loaded.outputs, loaded.writable) == (None, None, False)
    assert loaded.describe_model() is None


@pytest.mark.parametrize(
    "around",
    [
        "run = functools.partial(marked, z=2)",
        "@functools.wraps(marked)\ndef run(x): return marked(x)",
        "run = functools.lru_cache(marked)",
    ],
)
def test_marks_under_a_wrapper(tmp_path: Path, around: str) -> None:
    source = TENSOR + "import functools\n@scorehost.tensor({'x': ('FP32', [-1])})\n"
    loaded = load(tmp_path, source + "def marked(x, z=1): return x\n" + around)
    assert signature(loaded)["inputs"][0]["name"] == "x"


def test_the_driver_script_counts(tmp_path: Path) -> None:
    (tmp_path / "inner_model.py").write_text(
        "import scorehost\n@scorehost.tensor({'x': ('FP32', [-1])})\ndef run(x): return x\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        source = "import inner_model as driver_module\ndef run(data): return data\n"
        assert load(tmp_path, source).tensor_way == "tensor"
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["inner_model"]


# Names


def test_the_name(tmp_path: Path) -> None:
    assert model.name_of(settings_for(tmp_path, entry="/a/b/iris.v2.py")) == "iris.v2"
    assert model.name_of(settings_for(tmp_path, entry="")) == "main"
    assert model.name_of(settings_for(tmp_path, model_name="other")) == "other"


# What does not go together


def test_tensors_and_the_contracts_decorators(tmp_path: Path) -> None:
    raw = "from azureml_inference_server_http.api.aml_request import rawhttp\nimport scorehost\n"
    assert mistake(tmp_path, raw + "@scorehost.batch\n@rawhttp\ndef run(x): pass") == (
        "run() cannot be decorated with both @rawhttp and @scorehost.batch"
    )
    both = SCHEMA + TENSOR + "@scorehost.tensor({'x': ('FP32', [-1])})\n"
    assert mistake(tmp_path, both + "@input_schema('x', N(ones(3)))\ndef run(x): pass") == (
        "run() cannot be decorated with both @input_schema and @scorehost.tensor; "
        "describe its parameters with @scorehost.tensor"
    )


def test_bodies_are_one_argument(tmp_path: Path) -> None:
    assert mistake(tmp_path, TENSOR + "@scorehost.batch\ndef run(a, b): pass") == (
        "run() is decorated with @scorehost.batch and gets one argument, a list of bodies, "
        "but it needs 2: a, b"
    )
    load(tmp_path, TENSOR + "@scorehost.batch\ndef run(a, b=1): pass")


def test_without_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.delitem(sys.modules, "scorehost.tensors", raising=False)
    monkeypatch.delattr(scorehost, "tensors", raising=False)
    text = mistake(tmp_path, TENSOR + "@scorehost.tensor({'x': ('FP32', [-1])})\ndef run(x): pass")
    assert text.startswith("@scorehost.tensor has run() called with NumPy arrays, and NumPy can")
    assert text.endswith(": install it where the server runs")


# Schemas of NumPy arrays


def test_a_numpy_schema(tmp_path: Path, schema: str) -> None:
    with logged() as lines:
        loaded = load(
            tmp_path,
            schema
            + """
@input_schema("b", N(ones((2, 3, 5), "uint8")))
@output_schema(N(ones((2, 7), "float32")))
@input_schema("a", N(ones(4), enforce_shape=False))
def run(a, b): return a
""",
        )
    assert signature(loaded) == {
        "name": "score",
        "version": "1",
        "inputs": [
            {"name": "a", "datatype": "FP64", "shape": [-1]},
            {"name": "b", "datatype": "UINT8", "shape": [-1, 3, 5]},
        ],
        "outputs": [{"name": "output0", "datatype": "FP32", "shape": [-1, -1]}],
    }
    assert (loaded.mode, loaded.tensor_way, loaded.writable) == ("schema", "schema", True)
    assert loaded.batching is None
    assert lines[-1] == (
        "I run() is decorated with @input_schema. "
        "Server will invoke it with the following arguments: a, b."
    )


def test_the_shape_is_the_samples_where_it_is_enforced(tmp_path: Path, schema: str) -> None:
    source = '@input_schema("a", N(ones((1, 3)), enforce_shape={}))\ndef run(a): return a'
    for enforced, shape in ((True, [-1, 3]), (False, [-1, -1])):
        loaded = load(tmp_path, schema + source.format(enforced))
        assert signature(loaded)["inputs"][0]["shape"] == shape
        assert "outputs" not in signature(loaded)


@pytest.mark.parametrize(
    ("name", "datatype"),
    [("bool", "BOOL"), ("uint64", "UINT64"), ("int8", "INT8"), ("float16", "FP16")],
)
def test_datatypes_of_schemas(tmp_path: Path, schema: str, name: str, datatype: str) -> None:
    source = f'@input_schema("a", N(ones(3, "{name}")))\ndef run(a): return a'
    assert signature(load(tmp_path, schema + source))["inputs"][0]["datatype"] == datatype


@pytest.mark.parametrize(
    "source",
    [
        # What is converted is not only arrays, or not always.
        '@input_schema("a", P([1.0]))\ndef run(a): pass',
        '@input_schema("a", P({"x": N(ones(3))}))\ndef run(a): pass',
        '@input_schema("b", P(1))\n@input_schema("a", N(ones(3)))\ndef run(a, b): pass',
        '@input_schema("a", N(ones(3)))\ndef run(a, b=1): pass',
        '@input_schema("a", N(ones(3)))\ndef run(a, request_headers): pass',
        '@input_schema("a", N(ones(3)), convert_to_provided_type=False)\ndef run(a): pass',
        '@input_schema("a", N(ones(3)), optional=True)\ndef run(a=None): pass',
        '@input_schema("a", N(ones(3), enforce_column_type=False))\ndef run(a): pass',
        '@output_schema(N(ones(3)))\ndef run(a): pass',
        # Elements of other types, or not quite of the same.
        '@input_schema("a", N(ones(3, ">f4")))\ndef run(a): pass',
        '@input_schema("a", N(ones(3, "q" if np.dtype("int64").char == "l" else "l")))\n'
        "def run(a): pass",
        '@input_schema("a", N(np.array(["x"])))\ndef run(a): pass',
        '@input_schema("a", N(np.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f4")])))\n'
        "def run(a): pass",
        # Somebody who might look at what came.
        "def spy(f):\n    @functools.wraps(f)\n    def run(a): return f(a=a)\n    return run\n"
        '@spy\n@input_schema("a", N(ones(3)))\ndef run(a): pass',
        "def spy(f):\n    @functools.wraps(f)\n    def run(a, b): return f(a=a, b=b)\n"
        '    return run\n@input_schema("b", N(ones(3)))\n@spy\n@input_schema("a", N(ones(3)))\n'
        "def run(a, b): pass",
        # A type of the user's own.
        "class Mine(N):\n    def deserialize_input(self, value): return value\n"
        '@input_schema("a", Mine(ones(3)))\ndef run(a): pass',
    ],
)
def test_what_is_not_certain_is_left_alone(tmp_path: Path, schema: str, source: str) -> None:
    loaded = load(tmp_path, schema + source)
    assert (loaded.mode, loaded.signature, loaded.tensor_way) == ("schema", None, None)


def test_a_wrapper_below_sees_arrays_as_ever(tmp_path: Path, schema: str) -> None:
    source = """
def log(f):
    @functools.wraps(f)
    def run(a): return f(a=a)
    return run
@input_schema("a", N(ones(3)))
@log
def run(a): return a.tolist()
"""
    loaded = load(tmp_path, schema + source)
    assert loaded.tensor_way == "schema"
    assert loaded.call({"a": numpy.array([1.0, 2.0])}) == [1.0, 2.0]


def test_an_array_in_its_place_changes_nothing(tmp_path: Path, schema: str) -> None:
    """run() sees what the decorator would have made: the same type, elements, freedom."""
    source = """
seen = []
@input_schema("a", N(ones((1, 2), "float32")))
def run(a):
    seen.append((type(a), a.dtype.char, a.shape, a.strides, a.tolist(),
                 a.flags.writeable, a.flags.owndata, a.flags.c_contiguous))
    a[0] = 9
    a.resize((1, 2), refcheck=False)
    return seen
"""
    loaded = load(tmp_path, schema + source)
    assert loaded.array is not None
    given: Any = numpy.array([[0.1, 2.0], [3.0, 4.0]], "float32").view(_Decoded)
    given.flags.writeable = False
    seen = loaded.call({"a": loaded.array(given)})
    seen = loaded.run(a=[[0.1, 2.0], [3.0, 4.0]])
    assert len(seen) == 2 and seen[0] == seen[1]
    assert given.tolist() != [[9, 9]]


class _Decoded(numpy.ndarray[Any, Any]):
    """Stands for what the C side hands over."""

    datatype = "FP32"


@pytest.mark.parametrize(
    ("sample", "datatype"),
    [
        ("ones(2)", "FP64"),
        ("ones(2, 'float32')", "FP32"),
        ("ones(2, 'int16')", "INT16"),
        ("ones(2, 'bool')", "BOOL"),
        ("np.array(['x'])", None),
    ],
)
def test_outputs_of_schemas(tmp_path: Path, schema: str, sample: str, datatype: str | None) -> None:
    source = f'@input_schema("a", N(ones(3)))\n@output_schema(N({sample}))\ndef run(a): return a'
    found = signature(load(tmp_path, schema + source)).get("outputs")
    assert found == (
        datatype and [{"name": "output0", "datatype": datatype, "shape": [-1]}]
    )


# Documents


def documents(loaded: script.Scoring) -> list[Any]:
    """The schemas of input and output, by version."""
    loaded.prepare_swaggers()
    found = [json.loads(text) for text in loaded.swaggers.values()]
    parts = [item.get("definitions") or item["components"]["schemas"] for item in found]
    return [(part["ServiceInput"], part["ServiceOutput"]) for part in parts]


def test_swagger_says_the_shapes(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        TENSOR
        + """
@scorehost.tensor(inputs={"x": ("FP32", [-1, 2]), "n": ("INT64", []), "t": ("BYTES", [1])},
                  outputs={"y": ("BOOL", [-1])})
def run(x, n, t): return x
""",
    )
    row = {
        "type": "array",
        "items": {"type": "number", "format": "float"},
        "minItems": 2,
        "maxItems": 2,
    }
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1}
    given = {
        "type": "object",
        "required": ["x", "n", "t"],
        "properties": {
            "x": {"type": "array", "items": row},
            "n": {"type": "integer", "format": "int64"},
            "t": texts,
        },
        "example": {"x": [[0.0, 0.0]], "n": 0, "t": [""]},
    }
    returned = {"type": "array", "items": {"type": "boolean"}}
    assert documents(loaded) == [(given, returned)] * 3


def test_swagger_of_several_outputs_and_of_none(tmp_path: Path) -> None:
    source = TENSOR + "@scorehost.tensor({'x': ('FP32', [2000])}, {%s})\ndef run(x): return x"
    several = load(tmp_path, source % "'y': ('FP64', []), 'z': ('UINT8', [])")
    given, returned = documents(several)[0]
    assert "example" not in given  # nobody would read it
    assert returned == {
        "type": "object",
        "required": ["y", "z"],
        "properties": {
            "y": {"type": "number", "format": "double"},
            "z": {"type": "integer", "format": "uint8"},
        },
    }
    assert documents(load(tmp_path, source % ""))[0][1] == {}
