"""Arrays for run(), what it returned as tensors, and the way by JSON and Python."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import get, load, logged, post

from scorehost import errors, script
from scorehost.decorators import DATATYPES, BatchMark, Declared, TensorMark
from scorehost.model import Model
from scorehost.tensors import Tensors

NUMBERS = [name for name in DATATYPES if name not in ("BYTES", "BF16")]


class Decoded(np.ndarray[Any, Any]):
    """Stands for what the C side hands over, which has a buffer."""

    datatype = ""

    @classmethod
    def of(cls, datatype: str, elements: Any) -> Any:
        dtype = "uint16" if datatype == "BF16" else DATATYPES[datatype]
        made = np.array(elements, dtype).view(cls)
        made.datatype = datatype
        made.flags.writeable = False
        return made


class Texts:
    """The same for BYTES, which have none."""

    datatype = "BYTES"

    def __init__(self, items: list[bytes], *shape: int) -> None:
        self._items = items
        self.shape = shape

    def items(self) -> list[bytes]:
        return self._items


def tensors(
    *outputs: tuple[str, str, Sequence[int]], given: str = "FP32", writable: bool = False
) -> Tensors:
    """Those of a model with one input and these outputs."""
    declared = tuple(Declared(name, datatype, tuple(shape)) for name, datatype, shape in outputs)
    mark = TensorMark((Declared("x", given, (-1, 2)),), declared, writable)
    return Tensors(Model("tensor", mark, None))


def wrong(made: Callable[[Any], Any], result: Any) -> str:
    with pytest.raises(errors.WrongOutput) as caught:
        made(result)
    return str(caught.value)


# What run() is given


@pytest.mark.parametrize("datatype", NUMBERS)
def test_an_array_is_a_view(datatype: str) -> None:
    decoded = Decoded.of(datatype, [[0, 1], [1, 0]])
    array = tensors(given=datatype).array(decoded)
    assert type(array) is np.ndarray and array.dtype == DATATYPES[datatype]
    assert np.shares_memory(array, decoded) and array.tolist() == decoded.tolist()
    assert not array.flags.writeable and array.flags.c_contiguous


def test_it_may_be_written_to_where_that_was_asked_for() -> None:
    decoded = Decoded.of("FP32", [[1, 2]])
    array = tensors(writable=True).array(decoded)
    array[0, 0] = 7  # the buffer is read-only, so this is a copy
    assert decoded.tolist() == [[1, 2]]
    decoded = np.array([[1, 2]], "float32").view(Decoded)
    array = tensors(writable=True).array(decoded)
    assert array.flags.writeable and np.shares_memory(array, decoded)


@pytest.mark.parametrize("shape", [(0,), (2,), (2, 1), (1, 1, 2)])
def test_bytes_are_objects(shape: tuple[int, ...]) -> None:
    items = [b"\xff\0", b""][: math.prod(shape)]
    array = tensors(given="BYTES").array(Texts(items, *shape))  # type: ignore[arg-type]
    assert (array.dtype, array.shape) == (object, shape)
    assert list(array.ravel()) == items and not array.flags.writeable
    assert all(type(item) is bytes for item in array.ravel())


def test_bf16_without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with logged() as lines:
        made = tensors(("y", "BF16", [-1, 2]), given="BF16")
    assert lines == [
        "I ml_dtypes is not installed: BF16 arrays have dtype uint16, their bits."
    ]
    array = made.array(Decoded.of("BF16", [[0x3F80, 0x4000]]))
    assert (array.dtype, array.tolist()) == ("uint16", [[0x3F80, 0x4000]])
    [(_, kind, shape, data)] = made.outputs(array)
    assert (kind, shape, data.tolist()) == ("BF16", (1, 2), [[0x3F80, 0x4000]])


def test_bf16_with_ml_dtypes() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    with logged() as lines:
        made = tensors(("y", "BF16", [-1, 2]), given="BF16")
    assert lines == []
    array = made.array(Decoded.of("BF16", [[0x3F80, 0x4000]]))
    assert (array.dtype, array.tolist()) == (ml_dtypes.bfloat16, [[1.0, 2.0]])
    [(_, _, _, data)] = made.outputs(array * 2)
    assert (data.dtype, data.tolist()) == ("uint16", [[0x4000, 0x4080]])


def test_others_say_nothing_of_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    with logged() as lines:
        tensors()
    assert lines == []


# What run() returned


@pytest.mark.parametrize("datatype", NUMBERS)
def test_an_output_is_handed_over_as_it_is(datatype: str) -> None:
    array = np.array([[0, 1]], DATATYPES[datatype])
    [(name, kind, shape, data)] = tensors(("y", datatype, [-1, 2])).outputs(array)
    assert (name, kind, shape) == ("y", datatype, (1, 2)) and data is array
    [(name, kind, shape, data)] = tensors().outputs(array)
    assert (name, kind, shape) == ("output0", datatype, (1, 2)) and data is array


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="float32").reshape(2, 3).T,
        np.arange(12, dtype="float32")[::2].reshape(3, 2),
        np.arange(6, dtype=">f4").reshape(3, 2),
        np.arange(6, dtype="float64").reshape(3, 2),
        np.arange(6).reshape(3, 2),
        [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]],
    ],
)
def test_it_becomes_contiguous_and_of_the_type_declared(array: Any) -> None:
    [(_, _, shape, data)] = tensors(("y", "FP32", [-1, 2])).outputs(array)
    assert shape == (3, 2) and data.flags.c_contiguous
    assert data.dtype == np.dtype("float32") and data.dtype.isnative
    assert data.tolist() == np.asarray(array).tolist()
    memoryview(data)  # C reads it by its buffer


def test_scalars_and_arrays_without_elements() -> None:
    [(_, _, shape, data)] = tensors(("y", "FP64", [])).outputs(3.5)
    assert (shape, data.tolist()) == ((), 3.5)
    [(_, _, shape, _)] = tensors(("y", "FP64", [-1, 4])).outputs(np.empty((0, 4)))
    assert shape == (0, 4)


def test_several_outputs_by_name_or_by_place() -> None:
    made = tensors(("a", "FP32", [-1]), ("b", "INT64", [-1]))
    ones, twos = np.ones(2, "float32"), np.full(2, 2)
    for result in ({"b": twos, "a": ones}, (ones, twos)):
        assert [(item[0], item[3].tolist()) for item in made.outputs(result)] == [
            ("a", [1, 1]),
            ("b", [2, 2]),
        ]
    assert tensors(("a", "FP32", [-1])).outputs({"a": ones})[0][3] is ones


def test_outputs_that_nobody_declared() -> None:
    made = tensors()
    named = made.outputs({"p": np.ones(1), "q": [b"a\0", b"\xff"]})
    assert [item[:3] for item in named] == [("p", "FP64", (1,)), ("q", "BYTES", (2,))]
    assert named[1][3] == [b"a\0", b"\xff"]
    assert [item[0] for item in made.outputs((np.ones(1), np.ones(1)))] == ["output0", "output1"]
    [(name, kind, shape, data)] = made.outputs((1.0, 2.0))
    assert (name, kind, shape) == ("output0", "FP64", (2,)) and data.tolist() == [1.0, 2.0]


def test_texts_out() -> None:
    made = tensors(("y", "BYTES", [-1, 2]))
    objects = np.array([["a", b"\xff"]], object)
    assert made.outputs([["a", b"\xff\0"]])[0][3] == [b"a", b"\xff\0"]
    for result in (objects, [["a", "\u00e9"]], np.array([[b"a", b"b"]])):
        [(_, kind, shape, items)] = made.outputs(result)
        assert (kind, shape) == ("BYTES", (1, 2)) and all(type(item) is bytes for item in items)
    assert made.outputs(objects)[0][3] == [b"a", b"\xff"]


BF16 = [
    (1.0, 0x3F80),
    (-2.5, 0xC020),
    (1.00390625, 0x3F80),  # half-way: to even
    (1.01171875, 0x3F82),
    (3.4028235e38, 0x7F80),  # too large: infinity
    (math.inf, 0x7F80),
    (1e-45, 0x0000),
]


@pytest.mark.parametrize(("value", "bits"), BF16)
def test_floats_are_rounded_to_bf16(value: float, bits: int) -> None:
    made = tensors(("y", "BF16", [-1]))
    for dtype in ("float32", "float64"):
        assert made.outputs(np.array([value], dtype))[0][3].tolist() == [bits]


def test_what_is_no_number_stays_none_in_bf16() -> None:
    single = np.array([0x7F800001, 0x7FFFFFFF, 0xFFC00000], "uint32").view("float32")
    bits = tensors(("y", "BF16", [-1])).outputs(single)[0][3].astype("uint32") << 16
    assert np.isnan(bits.view("float32")).all()


@pytest.mark.parametrize(
    ("datatype", "result", "text"),
    [
        ("INT64", np.ones((1, 2)), "'y' with elements of type float64, which are no INT64"),
        ("BOOL", np.ones((1, 2), "int64"), "elements of type int64, which are no BOOL"),
        ("UINT8", np.ones((1, 2), "int8"), "elements of type int8, which are no UINT8"),
        ("FP32", np.ones((1, 2), complex), "elements of type complex128, which are no FP32"),
        ("FP32", np.array([["a", "b"]]), "elements of type <U1, which are no FP32"),
        ("FP32", [["a", "b"]], "elements of type object, which are no FP32"),
        ("BF16", np.ones((1, 2), complex), "elements of type complex128, which are no BF16"),
        ("BYTES", np.ones((1, 2)), "float as an element of BYTES"),
        ("BYTES", np.array([[1, None]], object), "int as an element of BYTES"),
        ("FP32", np.ones(2), "'y' with shape [2], and [-1,2] is declared"),
        ("FP32", np.ones((2, 3)), "'y' with shape [2,3], and [-1,2] is declared"),
        ("FP32", None, "None for the output 'y'"),
        ("FP32", [[1], [1, 2]], "list for the output 'y', of which NumPy can make no array"),
        ("FP32", {"z": np.ones((1, 2))}, "no output 'y'"),
        ("FP32", {"y": np.ones((1, 2)), "z": 1}, "an output 'z', and declared are y"),
        ("FP32", (np.ones((1, 2)), np.ones(1)), "2 outputs, and declared are y"),
    ],
)
def test_what_is_not_as_declared(datatype: str, result: Any, text: str) -> None:
    told = wrong(tensors(("y", datatype, [-1, 2])).outputs, result)
    assert told.startswith("run() returned ") and text in told


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (np.ones(1, complex), "'output0' with elements of type complex128, for which there is no"),
        ({1: np.ones(1)}, "a dict with the key 1, which can be no output's name"),
        ({"": np.ones(1)}, "a dict with the key '', which can be no output's name"),
        (None, "None for the output 'output0'"),
    ],
)
def test_what_is_no_tensor(result: Any, text: str) -> None:
    assert text in wrong(tensors().outputs, result)


def test_one_array_for_several_outputs() -> None:
    made = tensors(("a", "FP32", [-1]), ("b", "INT64", [-1]))
    assert wrong(made.outputs, np.ones(2)) == (
        "run() returned ndarray, and declared are several outputs: return a dict with a, b"
    )


# By JSON and Python: GET, `scorehost check`

HEAD = "import scorehost, numpy as np\n"
AFFINE = (
    HEAD
    + """
@scorehost.tensor(inputs={"x": ("FP32", [-1, 2])}, outputs={"y": ("FP32", [-1, 1])})
def run(x):
    assert x.dtype == "float32" and not x.flags.writeable
    return x.sum(axis=1, keepdims=True)
"""
)


def score(loaded: script.Scoring, value: Any) -> tuple[int, Any]:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    status, _, text, _, _ = loaded.invoke(post(body))
    assert isinstance(text, (str, bytes))
    return status, json.loads(text)


def test_score_takes_and_gives_lists(tmp_path: Path) -> None:
    loaded = load(tmp_path, AFFINE)
    assert score(loaded, {"x": [[1, 2], [0.1, 0]]}) == (200, [[3.0], [0.1]])
    assert score(loaded, b'{"x": [[NaN, 1e999]]}')[0] == 200
    assert loaded.invoke(get(b"x=[[1,2]]"))[:3] == (200, [], "[[3.0]]")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "POST body is empty. Expecting a JSON dictionary."),
        (b"[1]", "POST body should be a JSON dictionary."),
        (b"{}", "A value is not provided for the 'x' parameter."),
        (b'{"x": [[1, 2]], "y": 1}', 'run() has no argument "y"'),
        (b'{"x": 1}', "'x' has shape [], and [-1,2] is expected."),
        (b'{"x": [[1, 2, 3]]}', "'x' has shape [1,3], and [-1,2] is expected."),
        (b'{"x": []}', "'x' has shape [0], and [-1,2] is expected."),
        (
            b'{"x": [[1, 2], [3]]}',
            "The lists are ragged: x[1] has shape [1], and those before it have [2].",
        ),
        (
            b'{"x": [[1, [2]]]}',
            "The lists are ragged: x[0][1] has shape [1], and those before it have [].",
        ),
        (b'{"x": [[1, "2"]]}', "'x' has \"2\" where FP32 needs a number."),
        (b'{"x": [[1, null]]}', "'x' has null where FP32 needs a number."),
        (b'{"x": [[1, true]]}', "'x' has true where FP32 needs a number."),
        (b'{"x": [[1, {}]]}', "'x' has {} where FP32 needs a number."),
        (
            b'{"x": [[1, 1%s]]}' % (b"0" * 400),
            "'x' has a number that is out of range for FP32.",
        ),
    ],
)
def test_bad_arguments(tmp_path: Path, body: bytes, text: str) -> None:
    assert score(load(tmp_path, AFFINE), body) == (400, {"message": text})


@pytest.mark.parametrize(
    ("datatype", "value", "told"),
    [
        ("BOOL", [True, 0, 1], [True, False, True]),
        ("BOOL", [2], "'x' has null where BOOL needs true or false."),
        ("UINT8", [0, 255], [0, 255]),
        ("UINT8", [256], "'x' has a number that is out of range for UINT8."),
        ("INT64", [-(2**63)], [-(2**63)]),
        ("INT64", [1.0], "'x' has 1.0 where INT64 needs a whole number."),
        ("UINT64", [2**64 - 1], [2**64 - 1]),
        ("FP16", [0.1, 70000], [0.1, math.inf]),
        ("FP32", [0.1, 1e39], [0.1, math.inf]),
        ("FP64", [0.1, 5e-324], [0.1, 5e-324]),
        ("BF16", [1, 2.5], [1.0, 2.5]),
        ("BYTES", ["a", "\u00e9\u20ac"], ["a", "\u00e9\u20ac"]),
        ("BYTES", [1], "'x' has 1 where BYTES needs text."),
    ],
)
def test_datatypes_by_json(tmp_path: Path, datatype: str, value: Any, told: Any) -> None:
    decorator = f'@scorehost.tensor({{"x": ("{datatype}", [-1])}}, {{"y": ("{datatype}", [-1])}})'
    loaded = load(tmp_path, HEAD + decorator + "\ndef run(x): return x")
    status = 400 if isinstance(told, str) else 200
    assert score(loaded, {"x": value}) == (status, told if status == 200 else {"message": told})


def test_several_outputs_by_json(tmp_path: Path) -> None:
    source = HEAD + "@scorehost.tensor({'x': ('INT8', [-1])})\ndef run(x): return %s"
    loaded = load(tmp_path, source % "{'a': x, 'b': x.astype('U')}")
    assert score(loaded, {"x": [1, 2]}) == (200, {"a": [1, 2], "b": ["1", "2"]})


def test_what_run_did_wrong_is_a_500_and_in_the_log(tmp_path: Path) -> None:
    loaded = load(tmp_path, AFFINE.replace("keepdims=True", "keepdims=False"))
    with logged() as lines:
        status, told = score(loaded, {"x": [[1, 2]]})
    assert status == 500 and "error occurred in scoring script" in told["message"]
    assert "run() returned the output 'y' with shape [1], and [-1,1] is declared" in lines[0]


def test_a_coroutine_is_awaited(tmp_path: Path) -> None:
    loaded = load(tmp_path, AFFINE.replace("def run", "async def run"))
    assert score(loaded, {"x": [[1, 2]]}) == (200, [[3.0]])
    assert loaded.outputs is not None
    given = np.zeros((3, 2), "float32")
    given.flags.writeable = False
    assert loaded.outputs(loaded.call({"x": given}))[0][2] == (3, 1)


def test_other_methods_do_not_reach_run(tmp_path: Path) -> None:
    assert load(tmp_path, AFFINE).invoke(post(b"{}", method="PUT"))[0] == 405


# Bodies

BODIES = HEAD + "@scorehost.batch\ndef run(bodies): return %s"


def test_bodies_come_and_go_one_by_one(tmp_path: Path) -> None:
    loaded = load(tmp_path, BODIES % "[{'got': body} for body in bodies]")
    assert score(loaded, b"x") == (200, {"got": "x"})
    assert loaded.bodies(["a", "b"]) == [{"got": "a"}, {"got": "b"}]


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("{}", "run() returned dict for a batch; return a list with a result for each body"),
        ("None", "run() returned NoneType for a batch; return a list"),
        ("bodies[:-1]", "run() returned 1 results for a batch of 2 bodies"),
    ],
)
def test_a_result_for_each_body(tmp_path: Path, returned: str, text: str) -> None:
    assert text in wrong(load(tmp_path, BODIES % returned).bodies, ["a", "b"])


def test_the_marks_of_a_batch_are_not_the_arrays_business() -> None:
    mark = TensorMark((Declared("x", "FP32", (-1, 2)),), (), False)
    made = Tensors(Model("tensor", mark, BatchMark(8, 0, (), True)))
    assert made.array(Decoded.of("FP32", [[1, 2]])).tolist() == [[1, 2]]
