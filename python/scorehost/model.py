"""What a script is as a model: its tensors, its batches, its name.

Looked at once, when the script is loaded. A script that says nothing of
tensors has no model; neither has one whose NumPy parameters are not certain
to be what the schema decorators would make of the same request.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from scorehost import decorators, errors
from scorehost.decorators import BatchMark, Declared, TensorMark
from scorehost.inputs import REQUIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scorehost.settings import Settings

#: Only one is served, and nothing tells its age.
VERSION = "1"

_HEADERS = "request_headers"
_DECORATORS = "inference_schema.schema_decorators"
_NUMPY_TYPE = "inference_schema.parameter_types.numpy_parameter_type"

#: NumPy's names of the datatypes that a schema's array can have.
_BY_NUMPY = {
    name: datatype
    for datatype, name in decorators.DATATYPES.items()
    if datatype not in ("BF16", "BYTES")
}


#: What schemas call elements where NumPy has another name.
_BY_SCHEMA = {"boolean": "BOOL", "float": "FP32", "double": "FP64"}

#: Elements in the words of JSON Schema, where they are not integers.
_ELEMENTS = {
    "BOOL": {"type": "boolean"},
    "FP16": {"type": "number", "format": "float"},
    "BF16": {"type": "number", "format": "float"},
    "FP32": {"type": "number", "format": "float"},
    "FP64": {"type": "number", "format": "double"},
    "BYTES": {"type": "string"},
}
_ZEROS: dict[str, object] = {
    "BOOL": False,
    "FP16": 0.0,
    "BF16": 0.0,
    "FP32": 0.0,
    "FP64": 0.0,
    "BYTES": "",
}
_EXAMPLE_MOST = 1000


class Model:
    """The tensors of a script, however it told of them."""

    def __init__(self, way: str, mark: TensorMark, batching: BatchMark | None) -> None:
        self.way = way  # "tensor" or "schema"
        self.inputs = mark.inputs
        self.outputs = mark.outputs
        self.writable = mark.writable
        self.device = mark.device
        self.framework = mark.framework
        self.batching = batching

    def signature(self, name: str) -> str:
        """The JSON that the C side reads (csrc/v2/signature.h)."""
        told: dict[str, object] = {"name": name, "version": VERSION}
        if self.batching is not None:
            told["max_batch_size"] = self.batching.max_batch_size
            told["batch"] = True
        told["inputs"] = [item.as_json() for item in self.inputs]
        if self.outputs:
            told["outputs"] = [item.as_json() for item in self.outputs]
        return json.dumps(told)

    def describe(self) -> dict[str, object]:
        """The same for people: what is taken and given."""
        return {
            "inputs": [str(item) for item in self.inputs],
            "outputs": [str(item) for item in self.outputs],
            "max_batch_size": self.batching.max_batch_size if self.batching is not None else 0,
            "device": self.device,
        }

    def schemas(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What /score takes and gives, as Swagger and OpenAPI say it."""
        given: dict[str, Any] = _object(self.inputs)
        examples = {item.name: _example(item) for item in self.inputs}
        if all(example is not None for example in examples.values()):
            given["example"] = examples
        if not self.outputs:
            return given, {}
        if len(self.outputs) == 1:
            return given, _schema_of(self.outputs[0])
        return given, _object(self.outputs)


def _object(tensors: tuple[Declared, ...]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [item.name for item in tensors],
        "properties": {item.name: _schema_of(item) for item in tensors},
    }


def _schema_of(declared: Declared) -> dict[str, Any]:
    name = decorators.DATATYPES[declared.datatype]
    schema: dict[str, Any] = {"type": "integer", "format": name}
    if declared.datatype in _ELEMENTS:
        schema = dict(_ELEMENTS[declared.datatype])
    for length in reversed(declared.shape):
        schema = {"type": "array", "items": schema}
        if length >= 0:
            schema["minItems"] = schema["maxItems"] = length
    return schema


def _example(declared: Declared) -> Any:
    """Zeros in the shape, one where any length will do; None if that is too much to read."""
    shape = [1 if length < 0 else length for length in declared.shape]
    count = 1
    for length in shape:
        count *= length
    if count > _EXAMPLE_MOST:
        return None
    example: Any = _ZEROS.get(declared.datatype, 0)
    for length in reversed(shape):
        example = [example] * length
    return example


def name_of(settings: Settings) -> str:
    """What the model is called: as was asked for, or as the script's file."""
    if settings.model_name:
        return settings.model_name
    stem = os.path.splitext(os.path.basename(settings.entry_script))[0]
    return stem or "main"


def batching_text(mark: BatchMark, bodies: bool) -> str:
    """The JSON that the C side reads of batches."""
    return json.dumps(
        {
            "max_batch_size": mark.max_batch_size,
            "preferred_batch_sizes": list(mark.preferred_batch_sizes),
            "max_queue_delay_ms": mark.max_queue_delay_ms,
            "split_failed": mark.split_failed,
            "bodies": bodies,
        }
    )


def marks_of(run: Any) -> tuple[TensorMark | None, BatchMark | None]:
    """What @tensor and @batch were told; UserScriptError for what cannot be both."""
    found = [_mark(run, name) for name in (decorators.TENSOR_MARK, decorators.BATCH_MARK)]
    tensors = found[0] if isinstance(found[0], TensorMark) else None
    batching = found[1] if isinstance(found[1], BatchMark) else None
    return tensors, batching


def _mark(run: Any, name: str) -> Any:
    """A mark of run(), or of what it is a wrapper or a part of."""
    layer, seen = run, 0
    while layer is not None and seen < 100:
        mark = getattr(layer, name, None)
        if mark is not None:
            return mark
        layer = getattr(layer, "__wrapped__", None) or getattr(layer, "func", None)
        seen += 1
    return None


def check(mode: str, wanted: dict[str, Any], tensors: bool) -> None:
    """Refuses, by a UserScriptError, decorators that do not go together.

    `mode` is what the contract's decorators make of run(), `wanted` its
    parameters with their defaults.
    """
    name = "@scorehost.tensor" if tensors else "@scorehost.batch"
    other = {"raw": "@rawhttp", "schema": "@input_schema"}.get(mode)
    if other is not None:
        advice = "describe its parameters with @scorehost.tensor" if mode == "schema" else ""
        raise errors.UserScriptError(
            f"run() cannot be decorated with both {other} and {name}"
            + (f"; {advice}" if advice else "")
        )
    needed = [name for name, default in wanted.items() if default is REQUIRED]
    if not tensors and len(needed) > 1:
        raise errors.UserScriptError(
            "run() is decorated with @scorehost.batch and gets one argument, a list of bodies, "
            f"but it needs {len(needed)}: {', '.join(needed)}"
        )


def of_schema(run: Any, wanted: dict[str, Any]) -> Model | None:
    """The model of a script with NumPy schemas, where that is certain.

    Certain is: all parameters are converted by the outermost decorators,
    each by a NumpyParameterType that fixes the type of the elements. Then
    nobody sees what came as JSON, and an array in its place changes nothing.
    """
    if _HEADERS in wanted:
        return None
    found: dict[str, Declared] = {}
    for name, kind, is_converted in _schema_inputs(run):
        declared = _of_type(name, kind) if is_converted else None
        if declared is None or name in found:
            return None
        found[name] = declared
    if found.keys() != wanted.keys() or len(found) > decorators.TENSORS_MAX:
        return None
    tensors = tuple(found[name] for name in wanted)
    return Model("schema", TensorMark(tensors, _schema_output(run), writable=True), None)


def _of_type(name: str, kind: Any) -> Declared | None:
    """What a parameter type says, if it is NumPy's and of a datatype of ours."""
    numpy_type = getattr(sys.modules.get(_NUMPY_TYPE), "NumpyParameterType", None)
    numpy = sys.modules.get("numpy")
    if numpy is None or type(kind) is not numpy_type:
        return None
    sample = kind.sample_input
    if type(sample) is not numpy.ndarray or not 1 <= sample.ndim <= decorators.RANK_MAX:
        return None
    datatype = _BY_NUMPY.get(sample.dtype.name)
    # Others of the same name are not quite the same: another order of the
    # bytes, C's long long beside its long.
    if datatype is None or sample.dtype.str != numpy.dtype(sample.dtype.name).str:
        return None
    if sample.dtype.char != numpy.dtype(sample.dtype.name).char or not kind.enforce_column_type:
        return None
    if len(name.encode()) > decorators.NAME_MAX:
        return None
    rest = sample.shape[1:] if kind.enforce_shape else (-1,) * (sample.ndim - 1)
    return Declared(name, datatype, (-1, *map(int, rest)))


def _schema_inputs(run: Any) -> Iterator[tuple[str, Any, bool]]:
    """The parameters of the outermost schema decorators: name, type, converted always."""
    for told in _schema_layers(run):
        if "param_name" in told:
            always = told.get("convert_to_provided_type") is True and not told.get("optional")
            yield told["param_name"], told.get("param_type"), always


def _schema_output(run: Any) -> tuple[Declared, ...]:
    """The output that a schema tells of, of which nobody enforces the shape."""
    util = sys.modules.get("inference_schema.schema_util")
    schema = util.get_output_schema(run) if util is not None else {}
    if schema.get("format") != "numpy.ndarray":
        return ()
    rank = 0
    while schema.get("type") == "array":
        schema, rank = schema.get("items", {}), rank + 1
    kind = schema.get("format") or schema.get("type")
    datatype = _BY_SCHEMA.get(str(kind)) or _BY_NUMPY.get(str(kind))
    if datatype is None or not 1 <= rank <= decorators.RANK_MAX:
        return ()
    return (Declared("output0", datatype, (-1,) * rank),)


def _schema_layers(run: Any) -> Iterator[dict[str, Any]]:
    """What the schema decorators above all others were told, from the outside."""
    layer = run
    while True:
        told = _told(layer)
        if told is None:
            return
        yield told
        layer = layer.__wrapped__


def _told(layer: Any) -> dict[str, Any] | None:
    """What one schema decorator was told; None for any other thing.

    Ours leaves a note. The package's is a wrapper of wrapt's; what it was
    told are the cells of the function that does the work.
    """
    own = getattr(layer, "__dict__", {}).get("__inference_schema__")
    if own is not None and own.get("of") is layer:
        return dict(own)
    work: Any = getattr(layer, "_self_wrapper", None)
    if getattr(work, "__module__", "") != _DECORATORS:
        return None
    if not work.__qualname__.startswith(("input_schema.", "output_schema.")):
        return None
    cells = (cell.cell_contents for cell in work.__closure__ or ())
    return dict(zip(work.__code__.co_freevars, cells))
