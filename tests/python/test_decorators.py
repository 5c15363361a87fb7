"""@scorehost.tensor and @scorehost.batch: what they take, what they refuse, what they leave."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import scorehost
from scorehost import decorators, errors
from scorehost.decorators import BATCH_MARK, TENSOR_MARK, BatchMark, Declared, TensorMark

X = {"x": ("FP32", [-1, 4])}
Y = {"y": ("FP32", [-1, 1])}


def run(x: Any) -> Any:
    """Stands for a script's; each test takes a copy."""
    return [x]


def fresh() -> Callable[..., Any]:
    """A run() that nobody has marked."""

    def run(x: Any) -> Any:
        return [x]

    return run


def refusal(decorate: Callable[[], Any]) -> str:
    with pytest.raises((TypeError, ValueError)) as caught:
        decorate()
    return str(caught.value)


def tensor(given: Any = X, returned: Any = Y, **more: Any) -> Any:
    """The decorator, unchecked by mypy."""
    return scorehost.tensor(given, returned, **more)


def batch(*given: Any, **more: Any) -> Any:
    """The same for the other."""
    return scorehost.batch(*given, **more)


# What they leave


def test_the_function_is_the_same_and_can_be_called() -> None:
    function = fresh()
    assert scorehost.tensor(X, Y)(function) is function
    assert scorehost.batch(max_batch_size=8)(function) is function
    assert function(3) == [3]


def test_what_is_said_is_kept() -> None:
    function = tensor(X, {"y": ("INT64", (-1, 3), ["a", "b", "c"])}, writable=True)(fresh())
    assert getattr(function, TENSOR_MARK) == TensorMark(
        (Declared("x", "FP32", (-1, 4)),),
        (Declared("y", "INT64", (-1, 3), ("a", "b", "c")),),
        True,
    )
    function = batch(32, 0.25, [16, 8, 16], False)(fresh())
    assert getattr(function, BATCH_MARK) == BatchMark(32, 0.25, (8, 16), False)


def test_batch_may_stand_alone() -> None:
    function = fresh()
    assert scorehost.batch(function) is function
    assert getattr(function, BATCH_MARK) == BatchMark(64, 0, (), True)


def test_outputs_may_be_left_out() -> None:
    assert getattr(scorehost.tensor(inputs=X)(fresh()), TENSOR_MARK).outputs == ()


@pytest.mark.parametrize("first", [True, False])
def test_either_order(first: bool) -> None:
    both = [tensor(), batch(8)]
    function = functools.reduce(lambda made, add: add(made), both if first else both[::-1], fresh())
    assert hasattr(function, TENSOR_MARK) and hasattr(function, BATCH_MARK)


def test_every_datatype() -> None:
    for datatype in decorators.DATATYPES:
        tensor({"x": (datatype, [])})(fresh())
    assert len(decorators.DATATYPES) == 14


def test_a_wrapper_between_them() -> None:
    @functools.wraps(run)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return run(*args, **kwargs)

    assert getattr(tensor()(outer), TENSOR_MARK).inputs[0].name == "x"


def test_they_are_to_be_had_without_the_server() -> None:
    """Neither NumPy nor the extension comes in by them."""
    code = (
        "import sys, scorehost\n"
        "@scorehost.batch(max_batch_size=2)\n"
        "@scorehost.tensor(inputs={'x': ('FP32', [-1])})\n"
        "def run(x): return x * 2\n"
        "print(run(21), 'numpy' in sys.modules, 'scorehost._core' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=250)
    assert (done.stdout, done.stderr) == ("42 False False\n", "")


# What @tensor refuses


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (run, "inputs is no dict"),
        ([("x", "FP32")], "inputs is no dict"),
        ({}, "inputs is empty"),
        ({"x": "FP32"}, "inputs['x']: write a datatype and a shape"),
        ({"x": ("FP32",)}, "inputs['x']: write a datatype and a shape"),
        ({"x": ("FP32", [1], ["a"])}, "inputs['x']: write a datatype and a shape"),
        ({"x": ("float32", [1])}, "there is no datatype 'float32': they are BOOL, UINT8, "),
        ({"x": (["FP32"], [1])}, "there is no datatype ['FP32']: they are"),
        ({"x": ("FP32", 4)}, "a shape is a list of lengths, as in [-1, 4], not 4"),
        ({"x": ("FP32", [1.0])}, "a length is a whole number, or -1 for any, not 1.0"),
        ({"x": ("FP32", [True])}, "a length is a whole number, or -1 for any, not True"),
        ({"x": ("FP32", [-2])}, "a length is 0 or more, or -1 for any, not -2"),
        ({"x": ("FP32", [2**63])}, "a length is 0 or more, or -1 for any, not"),
        ({"x": ("FP32", [1] * 33)}, "at most 32 dimensions"),
        ({"": ("FP32", [1])}, "a name is text of 1 to 256 bytes, not ''"),
        ({1: ("FP32", [1])}, "a name is text of 1 to 256 bytes, not 1"),
        ({"y": ("FP32", [1])}, "run() has no parameter 'y'; it has x"),
    ],
)
def test_bad_inputs(given: Any, text: str) -> None:
    told = refusal(lambda: tensor(given)(fresh()))
    assert told.startswith("scorehost.tensor: ") and text in told


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (["y"], "outputs is no dict"),
        ({"y": ("FP33", [1])}, "outputs['y']: there is no datatype 'FP33'"),
        ({"y": ("FP32", [1], "ab")}, "labels are a list of texts"),
        ({"y": ("FP32", [1], [1])}, "labels are a list of texts"),
        ({str(n): ("FP32", [1]) for n in range(65)}, "outputs has more than 64 tensors"),
    ],
)
def test_bad_outputs(given: Any, text: str) -> None:
    assert text in refusal(lambda: tensor(X, given)(fresh()))


def test_writable_is_a_switch() -> None:
    assert "writable is True or False" in refusal(lambda: tensor(writable="no"))


def test_a_parameter_that_nobody_fills() -> None:
    def two(x: Any, z: Any) -> Any:
        return x

    def has_default(x: Any, z: Any = 1) -> Any:
        return x

    assert "inputs says nothing about 'z'" in refusal(lambda: tensor()(two))
    tensor()(has_default)


def test_headers_are_nobodys() -> None:
    def headers(x: Any, request_headers: Any) -> Any:
        return x

    assert "cannot have request_headers" in refusal(lambda: tensor()(headers))
    assert "cannot have request_headers" in refusal(lambda: batch()(headers))


def test_any_arguments() -> None:
    def anything(*args: Any) -> Any:
        return args

    with pytest.raises(errors.UserScriptError, match="cannot accept positional-only"):
        tensor()(anything)


def test_what_is_no_function() -> None:
    assert "is no function" in refusal(lambda: tensor()(3))
    assert "is no function" in refusal(lambda: batch(8)(dict))
    assert "write @scorehost.batch(max_batch_size=64) above run()" in refusal(lambda: batch(8)("x"))


def test_what_cannot_be_marked() -> None:
    class Model:
        def predict(self, x: Any) -> Any:
            return x

    assert "cannot be marked; write a def run()" in refusal(lambda: tensor()(Model().predict))


# Functions that are no plain ones


async def waits(x: Any) -> Any:
    return x


def yields(x: Any) -> Iterator[Any]:
    yield x


async def both_of_them(x: Any) -> AsyncIterator[Any]:
    yield x


def test_tensor_takes_an_async_function() -> None:
    tensor()(waits)
    del waits.__dict__[TENSOR_MARK]


def test_batch_takes_none() -> None:
    assert "run() is an async function" in refusal(lambda: batch(8)(waits))


@pytest.mark.parametrize("function", [yields, both_of_them])
def test_streams_are_refused(function: Any) -> None:
    for decorate in (tensor(), batch(8)):
        assert "run() is a generator" in refusal(lambda: decorate(function))


def test_a_wrapper_hides_nothing() -> None:
    @functools.wraps(yields)
    def outer(*args: Any, **kwargs: Any) -> Any:
        return list(yields(*args, **kwargs))

    assert "run() is a generator" in refusal(lambda: batch(8)(outer))


# What @batch refuses


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"max_batch_size": 0}, "max_batch_size is 1 to 65536 rows, not 0"),
        ({"max_batch_size": 65537}, "max_batch_size is 1 to 65536 rows, not 65537"),
        ({"max_batch_size": "8"}, "max_batch_size is a whole number of rows, not '8'"),
        ({"max_batch_size": True}, "max_batch_size is a whole number of rows, not True"),
        ({"max_queue_delay_ms": -1}, "max_queue_delay_ms is 0 to 60000 milliseconds, not -1"),
        ({"max_queue_delay_ms": 60001}, "max_queue_delay_ms is 0 to 60000 milliseconds"),
        ({"max_queue_delay_ms": float("nan")}, "max_queue_delay_ms is 0 to 60000 milliseconds"),
        ({"max_queue_delay_ms": "2"}, "max_queue_delay_ms is milliseconds, not '2'"),
        ({"preferred_batch_sizes": 8}, "preferred_batch_sizes is a list"),
        ({"preferred_batch_sizes": [0]}, "a preferred_batch_size is 1 to 65536 rows, not 0"),
        ({"preferred_batch_sizes": [65]}, "65 is over max_batch_size, which is 64"),
        ({"preferred_batch_sizes": range(1, 18)}, "preferred_batch_sizes is a list"),
        ({"preferred_batch_sizes": list(range(1, 18))}, "more than 16 sizes"),
        ({"split_failed": 1}, "split_failed is True or False, not 1"),
    ],
)
def test_bad_batches(given: Any, text: str) -> None:
    told = refusal(lambda: batch(**given))
    assert told.startswith("scorehost.batch: ") and text in told


def test_a_batch_of_nothing() -> None:
    assert "takes nothing" in refusal(lambda: batch(8)(lambda: None))


# Both


@pytest.mark.parametrize("shape", [[], [4], [1, 4]])
def test_rows_must_be_in_front(shape: list[int]) -> None:
    mine: tuple[Any, Any] = ({"x": ("FP32", shape)}, {"y": ("FP32", shape)})
    for given, returned in ((mine[0], Y), (X, mine[1])):
        decorate = tensor(given, returned)
        decorate(fresh())  # by itself that is well
        assert "the shape begins with -1" in refusal(lambda: batch(8)(decorate(fresh())))
        assert "the shape begins with -1" in refusal(lambda: decorate(batch(8)(fresh())))


def test_twice_is_once_too_often() -> None:
    assert refusal(lambda: tensor()(tensor()(fresh()))) == (
        "scorehost.tensor stands above run() twice"
    )
    assert refusal(lambda: batch()(batch()(fresh()))) == "scorehost.batch stands above run() twice"
