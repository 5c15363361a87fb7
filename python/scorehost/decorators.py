"""What a script says of its ``run()``: that it takes tensors, or batches.

The decorators check what they are told and mark the function; they return it
as it was, so that a script's own tests call it straight. The marks are read
when the server loads the script. A mistake is raised where it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, overload

from scorehost.inputs import REQUIRED
from scorehost.parameters import parameters_of

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: The datatypes of the Open Inference Protocol, with NumPy's names for them.
DATATYPES = {
    "BOOL": "bool",
    "UINT8": "uint8",
    "UINT16": "uint16",
    "UINT32": "uint32",
    "UINT64": "uint64",
    "INT8": "int8",
    "INT16": "int16",
    "INT32": "int32",
    "INT64": "int64",
    "FP16": "float16",
    "BF16": "bfloat16",
    "FP32": "float32",
    "FP64": "float64",
    "BYTES": "object",
}

#: Whose arrays run() can have in place of NumPy's; which is looked for first.
FRAMEWORKS = ("torch", "cupy")

# The same bounds stand in csrc/v2/signature.h, tensor/shape.h, batch/policy.h.
TENSORS_MAX = 64
NAME_MAX = 256
RANK_MAX = 32
BATCH_MAX = 65536
PREFERRED_MOST = 16
DELAY_MAX_MS = 60_000

#: The attributes that marks are kept in.
_MARK = "__scorehost_{}__"
TENSOR_MARK = _MARK.format("tensor")
BATCH_MARK = _MARK.format("batch")

_HEADERS = "request_headers"
_CO_GENERATOR = 0x20
_CO_COROUTINE = 0x80
_CO_ASYNC_GENERATOR = 0x200

_TENSOR_FORM = (
    '@scorehost.tensor(inputs={"x": ("FP32", [-1, 4])}, outputs={"y": ("FP32", [-1, 1])})'
)
_BATCH_FORM = "@scorehost.batch(max_batch_size=64)"


class Declared(NamedTuple):
    """One input or output: what it is called, and what its arrays are."""

    name: str
    datatype: str
    shape: tuple[int, ...]  # -1: any length
    labels: tuple[str, ...] = ()  # of the classes of an output

    def as_json(self) -> dict[str, object]:
        """Its part of the signature that the C side reads."""
        told: dict[str, object] = {
            "name": self.name,
            "datatype": self.datatype,
            "shape": list(self.shape),
        }
        if self.labels:
            told["labels"] = list(self.labels)
        return told

    def __str__(self) -> str:
        return f"{self.name} {self.datatype} {shape_text(self.shape)}"


class TensorMark(NamedTuple):
    """What @scorehost.tensor was told."""

    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    writable: bool = False
    device: str = "cpu"
    framework: str | None = None  # NumPy, or what the script imports if there is a GPU


class BatchMark(NamedTuple):
    """What @scorehost.batch was told."""

    max_batch_size: int
    max_queue_delay_ms: float
    preferred_batch_sizes: tuple[int, ...]
    split_failed: bool


def shape_text(shape: Sequence[int]) -> str:
    """A shape as the protocol writes it: "[-1,4]"."""
    return "[" + ",".join(map(str, shape)) + "]"


def tensor(
    inputs: Mapping[str, Sequence[Any]],
    outputs: Mapping[str, Sequence[Any]] | None = None,
    *,
    writable: bool = False,
    device: str = "cpu",
    framework: str | None = None,
) -> Callable[[_Function], _Function]:
    """Has run() called with NumPy arrays, which the server makes of requests.

    ``inputs`` names parameters of run(), each with its datatype and shape; -1
    is any length. ``outputs`` names what it returns: one array, or a dict of
    several by name; an output may have the labels of its classes as a third
    item. Without ``outputs`` it may return any arrays. The arrays are
    read-only unless ``writable`` is set.

    ``device="cuda"`` has them in the memory of a GPU, or without one in main
    memory. They are then of ``framework``, "torch" or "cupy", by default the
    one that the script imports; without either they are DeviceTensors.
    """
    if not isinstance(inputs, Mapping):
        raise TypeError(f"scorehost.tensor: inputs is no dict; write {_TENSOR_FORM}")
    if outputs is not None and not isinstance(outputs, Mapping):
        raise TypeError(f"scorehost.tensor: outputs is no dict; write {_TENSOR_FORM}")
    if not isinstance(writable, bool):
        raise TypeError(f"scorehost.tensor: writable is True or False, not {writable!r}")
    mark = TensorMark(
        tuple(_tensors("inputs", inputs)),
        tuple(_tensors("outputs", outputs or {})),
        writable,
        _device(device),
        _framework(framework),
    )
    if not mark.inputs:
        raise ValueError(f"scorehost.tensor: inputs is empty; write {_TENSOR_FORM}")

    def decorate(function: _Function) -> _Function:
        _check_tensor(function, mark)
        return _marked(function, "tensor", mark)

    return decorate


@overload
def batch(max_batch_size: _Function, /) -> _Function:
    """As @scorehost.batch, with nothing behind it."""


@overload
def batch(
    max_batch_size: int = 64,
    max_queue_delay_ms: float = 0,
    preferred_batch_sizes: Sequence[int] = (),
    split_failed: bool = True,
) -> Callable[[_Function], _Function]:
    """As @scorehost.batch(...)."""


def batch(
    max_batch_size: Any = 64,
    max_queue_delay_ms: float = 0,
    preferred_batch_sizes: Sequence[int] = (),
    split_failed: bool = True,
) -> Any:
    """Has run() called with the rows of many requests at once.

    With @scorehost.tensor the rows stand one behind the other in its arrays;
    without it run() gets a list of bodies and returns a list of as many
    results. ``max_batch_size`` and ``preferred_batch_sizes`` are counted in
    rows. ``max_queue_delay_ms`` is how long a row may wait for company when
    a worker is idle; fractions are allowed. A batch that raises is run again
    in halves until the row at fault is alone, unless ``split_failed`` is
    False.
    """
    if callable(max_batch_size):
        return batch()(max_batch_size)
    mark = BatchMark(
        _whole("max_batch_size", max_batch_size, BATCH_MAX),
        _delay(max_queue_delay_ms),
        _preferred(preferred_batch_sizes, max_batch_size),
        split_failed,
    )
    if not isinstance(split_failed, bool):
        raise TypeError(f"scorehost.batch: split_failed is True or False, not {split_failed!r}")

    def decorate(function: _Function) -> _Function:
        _check_batch(function)
        return _marked(function, "batch", mark)

    return decorate


# Tensors


def _tensors(what: str, declared: Mapping[str, Sequence[Any]]) -> Iterator[Declared]:
    if len(declared) > TENSORS_MAX:
        raise ValueError(f"scorehost.tensor: {what} has more than {TENSORS_MAX} tensors")
    for name, value in declared.items():
        if not isinstance(name, str) or not 1 <= len(name.encode()) <= NAME_MAX:
            raise ValueError(
                f"scorehost.tensor: {what}: a name is text of 1 to {NAME_MAX} bytes, not {name!r}"
            )
        yield _declared(f"scorehost.tensor: {what}[{name!r}]", name, value, what == "outputs")


def _declared(where: str, name: str, value: Sequence[Any], may_label: bool) -> Declared:
    sizes = (2, 3) if may_label else (2,)
    if not isinstance(value, (tuple, list)) or len(value) not in sizes:
        raise TypeError(
            f'{where}: write a datatype and a shape, as in ("FP32", [-1, 4]), not {value!r}'
        )
    datatype, shape, *labels = value
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise ValueError(
            f"{where}: there is no datatype {datatype!r}: they are {', '.join(DATATYPES)}"
        )
    return Declared(name, datatype, _shape(where, shape), _labels(where, *labels))


def _shape(where: str, shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"{where}: a shape is a list of lengths, as in [-1, 4], not {shape!r}")
    if len(shape) > RANK_MAX:
        raise ValueError(f"{where}: a shape has at most {RANK_MAX} dimensions")
    for length in shape:
        if isinstance(length, bool) or not isinstance(length, int):
            raise TypeError(f"{where}: a length is a whole number, or -1 for any, not {length!r}")
        if not -1 <= length < 2**63:
            raise ValueError(f"{where}: a length is 0 or more, or -1 for any, not {length}")
    return tuple(shape)


def _labels(where: str, labels: Any = ()) -> tuple[str, ...]:
    if not isinstance(labels, (tuple, list)) or not all(isinstance(item, str) for item in labels):
        raise TypeError(f"{where}: labels are a list of texts, one for each class")
    return tuple(labels)


def _device(device: str) -> str:
    if device != "cpu" and not re.fullmatch("cuda(:[0-9]{1,3})?", str(device)):
        raise ValueError(
            f'scorehost.tensor: device is "cpu", "cuda" or "cuda:" and a number, not {device!r}'
        )
    return device


def device_number(device: str) -> int | None:
    """The number in "cuda:1"; None where there is none."""
    number = device.partition(":")[2]
    return int(number) if number else None


def _framework(name: str | None) -> str | None:
    if name not in (None, *FRAMEWORKS):
        known = " or ".join(f'"{known}"' for known in FRAMEWORKS)
        raise ValueError(f"scorehost.tensor: framework is {known}, not {name!r}")
    return name


def _check_tensor(function: Any, mark: TensorMark) -> None:
    """Refuses a function that cannot be called with these tensors."""
    _check_kind("tensor", _TENSOR_FORM, function, _CO_GENERATOR | _CO_ASYNC_GENERATOR)
    wanted = _parameters("tensor", function)
    names = [item.name for item in mark.inputs]
    for name in names:
        if name not in wanted:
            raise ValueError(
                f"scorehost.tensor: run() has no parameter {name!r}; it has {', '.join(wanted)}"
            )
    for name, default in wanted.items():
        if name not in names and default is REQUIRED:
            raise ValueError(
                f"scorehost.tensor: inputs says nothing about {name!r}, which run() needs; "
                "declare it, or give it a default"
            )


# Batches


def _whole(name: str, value: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"scorehost.batch: {name} is a whole number of rows, not {value!r}")
    if not 1 <= value <= most:
        raise ValueError(f"scorehost.batch: {name} is 1 to {most} rows, not {value}")
    return value


def _delay(value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"scorehost.batch: max_queue_delay_ms is milliseconds, not {value!r}")
    if not 0 <= value <= DELAY_MAX_MS:
        raise ValueError(
            f"scorehost.batch: max_queue_delay_ms is 0 to {DELAY_MAX_MS} milliseconds, "
            f"not {value!r}"
        )
    return value


def _preferred(sizes: Any, most: int) -> tuple[int, ...]:
    if not isinstance(sizes, (tuple, list)):
        raise TypeError(
            f"scorehost.batch: preferred_batch_sizes is a list, as in [32, 64], not {sizes!r}"
        )
    for size in sizes:
        _whole("a preferred_batch_size", size, BATCH_MAX)
        if size > most:
            raise ValueError(
                f"scorehost.batch: the preferred_batch_size {size} is over max_batch_size, "
                f"which is {most}"
            )
    kept = sorted(set(sizes))
    if len(kept) > PREFERRED_MOST:
        raise ValueError(
            f"scorehost.batch: preferred_batch_sizes has more than {PREFERRED_MOST} sizes"
        )
    return tuple(kept)


def _check_batch(function: Any) -> None:
    """Refuses a function that cannot take a batch."""
    kinds = _CO_GENERATOR | _CO_COROUTINE | _CO_ASYNC_GENERATOR
    _check_kind("batch", _BATCH_FORM, function, kinds)
    wanted = _parameters("batch", function)
    # With @tensor, which may come later, there may be many.
    if not wanted:
        raise ValueError("scorehost.batch: run() takes nothing that a batch could be given as")


# Both


def _check_kind(name: str, form: str, function: Any, refused: int) -> None:
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"scorehost.{name}: {function!r} is no function; write {form} above run()")
    flags = 0
    layer = function
    while layer is not None:
        flags |= getattr(getattr(layer, "__code__", None), "co_flags", 0)
        layer = getattr(layer, "__wrapped__", None)
    if flags & refused & _CO_COROUTINE:
        raise TypeError(
            f"scorehost.{name}: run() is an async function; a batch is worked on alone, so "
            "there is nothing that it could wait beside: write a plain def"
        )
    if flags & refused:
        raise TypeError(
            f"scorehost.{name}: run() is a generator, and tensors and batches are not "
            "streamed: return what it yields"
        )


def _parameters(name: str, function: Any) -> dict[str, Any]:
    wanted = parameters_of(function)
    if _HEADERS in wanted:
        raise ValueError(
            f"scorehost.{name}: run() cannot have {_HEADERS}: a call may be for many requests"
        )
    return wanted


def _marked(function: _Function, name: str, mark: object) -> _Function:
    attribute = _MARK.format(name)
    if getattr(function, attribute, None) is not None:
        raise ValueError(f"scorehost.{name} stands above run() twice")
    try:
        setattr(function, attribute, mark)
    except AttributeError:
        raise TypeError(
            f"scorehost.{name}: {function!r} cannot be marked; write a def run() that calls it"
        ) from None
    _check_together(getattr(function, TENSOR_MARK, None), getattr(function, BATCH_MARK, None))
    return function


def _check_together(tensors: TensorMark | None, batching: BatchMark | None) -> None:
    """Refuses tensors whose rows cannot be told."""
    if tensors is None or batching is None:
        return
    for what, declared in (("inputs", tensors.inputs), ("outputs", tensors.outputs)):
        for item in declared:
            if item.shape[:1] != (-1,):
                raise ValueError(
                    f"scorehost.tensor: {what}[{item.name!r}]: under @scorehost.batch the shape "
                    "begins with -1, which stands for the rows of a batch, not "
                    f"{shape_text(item.shape)}"
                )
