"""Arrays for ``run()``, and what it returned as tensors.

Imported only for scripts that have tensors: NumPy is theirs. The C side has
decoded the requests; what is done here for each is a view over its memory.
What comes by another way (GET, `scorehost check`) is read here, as the C side
reads it: the same values, the same refusals.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

from scorehost import decorators, errors, inputs
from scorehost.decorators import DATATYPES, Declared, device_number, shape_text

try:
    import numpy
except ImportError as exc:
    raise errors.UserScriptError(
        "@scorehost.tensor has run() called with NumPy arrays, and NumPy cannot be imported "
        f"({exc}): install it where the server runs"
    ) from exc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scorehost._core import Call, DeviceTensor, Gpu, Tensor
    from scorehost.frameworks import Framework
    from scorehost.model import Model

log = logging.getLogger("azmlinfsrv.user_script")

#: Name, datatype, shape, and the elements: a buffer of them, or texts.
Output = tuple[str, str, tuple[int, ...], Any]

_DTYPES: dict[str, Any] = {
    datatype: numpy.dtype(name) for datatype, name in DATATYPES.items() if datatype != "BF16"
}
_NAMES = {name: datatype for datatype, name in DATATYPES.items() if datatype != "BYTES"}
_BITS = numpy.dtype("uint16")
_SINGLE = numpy.dtype("float32")

#: What elements are in JSON, where they are not any number.
_JSON_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "BYTES": ((str,), "text"),
    "BOOL": ((bool, int), "true or false"),
    **{name: ((int,), "a whole number") for name in DATATYPES if "INT" in name},
}


class Tensors:
    """A model's tensors, to and fro."""

    #: The GPU in whose memory run() has its arrays, once it has been opened.
    gpu: Gpu | None = None

    def __init__(self, model: Model) -> None:
        self._model = model
        self._by_name = {item.name: item for item in model.outputs}
        self._only = model.outputs[0] if len(model.outputs) == 1 else None
        self._is_copied = model.way == "schema"
        self._framework: Framework | None = None
        #: Whether run() may write to what it gets: other frameworks cannot forbid it.
        self.writable = model.writable
        if model.framework is not None:
            self._use(model.framework)
        self._brain_float: Any = None
        if self._framework is None and any(
            item.datatype == "BF16" for item in (*model.inputs, *model.outputs)
        ):
            self._brain_float = _brain_float()

    def _use(self, name: str | None) -> Framework:
        from scorehost import frameworks

        self._framework = frameworks.find(name)
        self.writable = True
        return self._framework

    def open_device(self) -> None:
        """Finds the GPU that the script asks for; without one there is a line in the log.

        Only now is it known what the script imports, in init() for instance.
        """
        if self._model.device == "cpu":
            return
        from scorehost import _core, frameworks

        framework = self._framework or self._use(None)
        missing = framework.missing()
        if missing is None:
            number = device_number(self._model.device)
            if number is None:
                number = framework.device()
            try:
                self.gpu = _core.open_gpu(frameworks.runtimes(), number)
                framework.use(number)
                return
            except RuntimeError as exc:
                missing = str(exc)
        log.warning(
            "There is no GPU to be used (%s): run() gets arrays in main memory.", missing
        )

    def stream(self) -> int:
        """The CUDA stream that run() works in, as its handle; 0 is the legacy one."""
        return self._framework.stream() if self._framework is not None else 0

    # What run() is given

    def array(self, tensor: Tensor | DeviceTensor) -> Any:
        """Makes the array that run() is given, over the tensor's own memory.

        An unmodified script gets a copy instead: its decorator would have
        made an array that is its own, to be changed, resized and kept.
        """
        if self.gpu is not None and not hasattr(tensor, "items"):
            return self._framework.of_device(tensor)  # type: ignore[union-attr]
        if tensor.datatype == "BYTES":
            return self._texts(tensor.items(), tensor.shape)  # type: ignore[union-attr]
        if self._is_copied:
            return numpy.array(tensor)
        array: Any = numpy.asarray(tensor)
        if self._brain_float is not None and tensor.datatype == "BF16":
            array = array.view(self._brain_float)
        return self._given(tensor.datatype, array)

    def _given(self, datatype: str, array: Any) -> Any:
        """An array in main memory as run() gets it."""
        if self._framework is None:
            return self._guarded(array)
        if datatype == "BF16":
            return self._framework.of_bits(array)
        return self._framework.of_host(array)

    def _texts(self, items: Sequence[bytes], shape: Sequence[int]) -> Any:
        array = numpy.empty(len(items), dtype=object)
        array[:] = items
        return self._guarded(array.reshape(tuple(shape)))

    def _guarded(self, array: Any) -> Any:
        """The array as the script asked for it: to be read only, or changed."""
        if not self._model.writable:
            array.flags.writeable = False
        elif not array.flags.writeable:
            array = array.copy()
        return array

    # What run() returned

    def outputs(self, result: Any, stream: int | None = None) -> list[Output]:
        """Makes the outputs of what run() returned; WrongOutput says what is not right.

        They are in the order of the declaration, contiguous, and cast to
        what was declared where that loses no kind. What is in the memory of a
        GPU comes as a capsule for work in `stream`, and without one is copied.
        """
        if self._only is not None and type(result) is numpy.ndarray:
            return [self._declared(self._only, result, stream)]
        if not self._by_name:
            return [self._any(name, value, stream) for name, value in _named(result)]
        found = self._by_declaration(result)
        for name in found:
            if name not in self._by_name:
                raise errors.WrongOutput(
                    f"run() returned an output {name!r}, and declared are "
                    f"{', '.join(self._by_name)}"
                )
        return [self._declared(item, found[item.name], stream) for item in self._model.outputs]

    def _by_declaration(self, result: Any) -> dict[str, Any]:
        names = list(self._by_name)
        if isinstance(result, dict):
            missing = [name for name in names if name not in result]
            if missing:
                raise errors.WrongOutput(f"run() returned no output {missing[0]!r}")
            return result
        if isinstance(result, tuple) and (len(names) > 1 or _holds_arrays(result)):
            if len(result) != len(names):
                raise errors.WrongOutput(
                    f"run() returned {len(result)} outputs, and declared are {', '.join(names)}"
                )
            return dict(zip(names, result))
        if len(names) > 1:
            raise errors.WrongOutput(
                f"run() returned {type(result).__name__}, and declared are several outputs: "
                f"return a dict with {', '.join(names)}"
            )
        return {names[0]: result}

    def _declared(self, declared: Declared, value: Any, stream: int | None) -> Output:
        name, datatype, wanted, _ = declared
        kind = self._foreign(value)
        if kind is not None:
            shape, elements = self._of_framework(name, datatype, value, kind, stream)
        else:
            made = self._elements(name, datatype, _array(name, value, datatype == "BYTES"))
            shape, elements = made.shape, _handed(made, datatype)
        if len(shape) != len(wanted) or any(
            length not in (-1, found) for length, found in zip(wanted, shape)
        ):
            raise errors.WrongOutput(
                f"run() returned the output {name!r} with shape {shape_text(shape)}, and "
                f"{shape_text(wanted)} is declared"
            )
        return name, datatype, shape, elements

    def _any(self, name: str, value: Any, stream: int | None) -> Output:
        """An output of which nothing was declared."""
        kind = self._foreign(value)
        array = value if kind is not None else _array(name, value)
        datatype = _NAMES.get(kind or array.dtype.name)
        if datatype is None and kind is None and array.dtype.kind in "OSU":
            datatype = "BYTES"
        if datatype is None:
            raise errors.WrongOutput(
                f"run() returned the output {name!r} with elements of type {array.dtype}, for "
                f"which there is no datatype: they are {', '.join(DATATYPES)}"
            )
        if kind is not None:
            return name, datatype, *self._of_framework(name, datatype, value, kind, stream)
        made = self._elements(name, datatype, array)
        return name, datatype, made.shape, _handed(made, datatype)

    def _foreign(self, value: Any) -> str | None:
        """NumPy's name for the elements of an array of the framework's; None: it is none."""
        return self._framework.dtype(value) if self._framework is not None else None

    def _of_framework(
        self, name: str, datatype: str, value: Any, kind: str, stream: int | None
    ) -> tuple[tuple[int, ...], Any]:
        """Shape and elements of an array of the framework's, cast to a datatype."""
        if datatype == "BYTES" or not _is_same_kind(kind, DATATYPES[datatype]):
            raise _other_kind(name, datatype, value)
        framework: Any = self._framework
        made = framework.cast(value, DATATYPES[datatype])
        shape = tuple(map(int, made.shape))
        elements = None if stream is None else framework.capsule(made, stream)
        if elements is None:
            elements = numpy.asarray(framework.host(made, self.gpu), order="C")
        return shape, elements

    def _elements(self, name: str, datatype: str, array: Any) -> Any:
        """The array with elements of a datatype; those of BF16 are bits."""
        if datatype == "BYTES":
            if array.dtype.kind not in "OSU":
                raise _other_kind(name, datatype, array)
            return array
        if datatype == "BF16":
            return _as_bits(name, array)
        dtype = _DTYPES[datatype]
        if array.dtype.name == "bfloat16" and dtype.kind == "f":
            array = array.astype(_SINGLE)
        if array.dtype != dtype and not numpy.can_cast(array.dtype, dtype, "same_kind"):
            raise _other_kind(name, datatype, array)
        return numpy.asarray(array, dtype=dtype, order="C")

    # The other way, by JSON and in Python

    def arguments(self, call: Call) -> dict[str, Any]:
        """The arrays for a request that the C side did not decode; BadInput if it is wrong."""
        if call.method == "GET":
            given = inputs.query_values(call.query)
        else:
            given = inputs.json_object(call.body)
        names = [declared.name for declared in self._model.inputs]
        for name in given:
            if name not in names:
                raise inputs.BadInput(400, f"run() has no argument {json.dumps(name)[:80]}")
        found = {}
        for declared in self._model.inputs:
            if declared.name not in given:
                text = f"A value is not provided for the {declared.name!r} parameter."
                raise inputs.BadInput(400, text)
            found[declared.name] = self._read(declared, given[declared.name])
        return found

    def _read(self, declared: Declared, value: Any) -> Any:
        name, datatype, wanted, _ = declared
        items: list[Any] = []
        shape = _flatten(name, value, items)
        if len(shape) != len(wanted) or any(
            length not in (-1, found) for length, found in zip(wanted, shape)
        ):
            raise inputs.BadInput(
                400,
                f"{name!r} has shape {shape_text(shape)}, and {shape_text(wanted)} is expected.",
            )
        _check_items(name, datatype, items)
        if datatype == "BYTES":
            return self._texts([item.encode("utf-8", "surrogatepass") for item in items], shape)
        array = self._given(datatype, self._of_items(declared, items).reshape(shape))
        if self.gpu is not None and self._framework is not None:
            return self._framework.sent(array, datatype, self.gpu)
        return array

    def _of_items(self, declared: Declared, items: list[Any]) -> Any:
        name, datatype, _, _ = declared
        try:
            with numpy.errstate(over="ignore"):  # what is too large is infinity
                if datatype != "BF16":
                    return numpy.array(items, dtype=_DTYPES[datatype])
                bits = _as_bits(name, numpy.array(items, dtype=_SINGLE))
        except OverflowError:
            text = f"{name!r} has a number that is out of range for {datatype}."
            raise inputs.BadInput(400, text) from None
        return bits if self._brain_float is None else bits.view(self._brain_float)

    def lists(self, result: Any) -> Any:
        """The body of an answer on /score: one output as lists, several by name."""
        found = {name: _lists(*rest) for name, *rest in self.outputs(result)}
        return next(iter(found.values())) if len(found) == 1 else found


def _brain_float() -> Any:
    """The dtype for BF16, where there is one; else that is said, and it is None."""
    try:
        import ml_dtypes
    except ImportError:
        log.info("ml_dtypes is not installed: BF16 arrays have dtype uint16, their bits.")
        return None
    return numpy.dtype(ml_dtypes.bfloat16)


# Outputs


def _named(result: Any) -> Iterator[tuple[str, Any]]:
    """The outputs of a script that declared none, each with a name."""
    if isinstance(result, dict):
        for name, value in result.items():
            if not isinstance(name, str) or not 1 <= len(name.encode()) <= decorators.NAME_MAX:
                raise errors.WrongOutput(
                    f"run() returned a dict with the key {repr(name)[:80]}, which can be no "
                    "output's name"
                )
            yield name, value
    elif isinstance(result, tuple) and _holds_arrays(result):
        for number, value in enumerate(result):
            yield f"output{number}", value
    else:
        yield "output0", result


def _holds_arrays(items: tuple[Any, ...]) -> bool:
    return any(
        hasattr(item, "__dlpack__") or (hasattr(item, "__array__") and numpy.ndim(item) > 0)
        for item in items
    )


def _array(name: str, value: Any, is_bytes: bool = False) -> Any:
    """What run() returned as an array; texts in lists are kept as they are."""
    if value is None:
        raise errors.WrongOutput(f"run() returned None for the output {name!r}")
    try:
        array: Any = numpy.asarray(value, dtype=object if is_bytes else None)
        if array.dtype.kind in "SU" and not hasattr(value, "dtype"):
            # NumPy's own strings lose the zeros at their end.
            array = numpy.asarray(value, dtype=object)
        return array
    except (ValueError, TypeError, RuntimeError) as exc:
        raise errors.WrongOutput(
            f"run() returned {type(value).__name__} for the output {name!r}, of which NumPy can "
            f"make no array: {exc}"
        ) from exc


def _other_kind(name: str, datatype: str, array: Any) -> errors.WrongOutput:
    return errors.WrongOutput(
        f"run() returned the output {name!r} with elements of type {array.dtype}, which are no "
        f"{datatype} without a loss; convert them if that is meant"
    )


def _is_same_kind(kind: str, wanted: str) -> bool:
    """Whether elements of one name can be another without a loss of kind; BF16 is a float."""
    if kind == wanted:
        return True
    names = ["float32" if name == "bfloat16" else name for name in (kind, wanted)]
    try:
        return bool(numpy.can_cast(numpy.dtype(names[0]), numpy.dtype(names[1]), "same_kind"))
    except TypeError:  # it is none of NumPy's
        return False


def _as_bits(name: str, array: Any) -> Any:
    """BF16 in 16 bits each: as they are, or rounded to the nearest, ties to even."""
    if array.dtype == _BITS:
        return numpy.asarray(array, order="C")
    if array.dtype.name == "bfloat16":
        return numpy.asarray(array, order="C").view(_BITS)
    if not numpy.can_cast(array.dtype, _SINGLE, "same_kind"):
        raise _other_kind(name, "BF16", array)
    with numpy.errstate(over="ignore"):
        single = numpy.asarray(array, dtype=_SINGLE, order="C")
    bits = single.view(numpy.uint32)
    with numpy.errstate(over="ignore"):
        rounded = (bits + (((bits >> 16) & 1) + numpy.uint32(0x7FFF))) >> 16
    # What is no number stays none: rounding could carry it into an infinity.
    quiet = (bits >> 16) | 0x40
    return numpy.where(numpy.isnan(single), quiet, rounded).astype(_BITS)


def _handed(array: Any, datatype: str) -> Any:
    """What the C side copies: a contiguous buffer, or a list of bytes."""
    if datatype != "BYTES":
        return array
    return [_bytes(item) for item in array.ravel().tolist()]


def _bytes(item: Any) -> bytes:
    if isinstance(item, bytes):
        return item
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, (bytearray, memoryview)):
        return bytes(item)
    raise errors.WrongOutput(
        f"run() returned {type(item).__name__} as an element of BYTES, which are bytes or str"
    )


def _lists(datatype: str, shape: tuple[int, ...], data: Any) -> Any:
    """An output as lists in each other, as JSON has it."""
    if datatype == "BYTES":
        texts = numpy.empty(len(data), dtype=object)
        texts[:] = [item.decode("utf-8", "replace") for item in data]
        return texts.reshape(shape).tolist()
    if datatype == "BF16":
        data = (data.astype(numpy.uint32) << 16).view(_SINGLE)
    if datatype in ("FP16", "BF16", "FP32"):
        # The fewest digits that name the element, not those of the double.
        data = data.astype("U32").astype(numpy.float64)
    return data.tolist()


# Values of JSON


def _flatten(name: str, value: Any, items: list[Any]) -> tuple[int, ...]:
    """Puts the elements of lists in each other behind `items`; the shape they make."""
    if not isinstance(value, list):
        items.append(value)
        return ()
    shape: tuple[int, ...] | None = None
    for index, item in enumerate(value):
        found = _flatten(f"{name}[{index}]", item, items)
        if shape is not None and found != shape:
            raise inputs.BadInput(
                400,
                f"The lists are ragged: {name}[{index}] has shape {shape_text(found)}, and "
                f"those before it have {shape_text(shape)}.",
            )
        shape = found
    return (len(value), *(shape or ()))


def _check_items(name: str, datatype: str, items: list[Any]) -> None:
    if datatype == "BOOL":
        items = [item if item in (0, 1) else None for item in items]
    kinds, told = _JSON_KINDS.get(datatype, ((int, float), "a number"))
    if any(type(item) not in kinds for item in items):
        odd = next(item for item in items if type(item) not in kinds)
        raise inputs.BadInput(
            400, f"{name!r} has {json.dumps(odd)[:80]} where {datatype} needs {told}."
        )
