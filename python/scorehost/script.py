"""The user's script: found, checked, started, called.

``load()`` is what a worker calls once; the ``Scoring`` it returns is what the
host calls for every request.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from time import perf_counter_ns
from types import CoroutineType, ModuleType
from typing import Any

from scorehost import errors, hook, inputs, outputs, reply, swagger
from scorehost.parameters import parameters_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scorehost import decorators, isolation, model, tensors
    from scorehost._core import Call, DeviceTensor, Gpu, Tensor
    from scorehost.settings import Settings

script_log = logging.getLogger("azmlinfsrv.user_script")

_HEADERS = "request_headers"
_MODULE_NAME = "entry_module"
_RAW_MODULE = "azureml_inference_server_http.api.aml_request"

# Of code objects; the module inspect is too dear to be imported for it.
_CO_COROUTINE = 0x80

#: What we raise in a run() that has gone on for too long: nothing was refused to it.
_INTERRUPTS = (errors.ScoringTimeout, errors.Cancelled)


def load(settings: Settings, copy: int = 0) -> Scoring:
    """Imports the script and looks at what it wants; init() is not called yet.

    `copy` is 0, or the number of one more copy of the module, for a thread
    that shares no globals with the others. UserScriptError says what is wrong
    with the script.
    """
    hook.install(settings.app_root, settings.source_dir)
    return Scoring(_import_and_check(settings.script_path, copy), settings)


class Script:
    """What was found out about a script when it was loaded."""

    def __init__(self, entry: ModuleType, scoring: ModuleType) -> None:
        self.init = entry.init
        self.run = scoring.run
        self.after_fork = getattr(entry, "after_fork", getattr(scoring, "after_fork", None))
        self.parameters = parameters_of(self.run)
        names = [name for name in self.parameters if name != _HEADERS]
        if not self.parameters:
            raise errors.UserScriptError("run() needs to accept an argument for input data.")
        if not names:
            raise errors.UserScriptError(
                f'run() needs to accept an argument other than "{_HEADERS}".'
            )
        self.names = names
        self.mode = _mode(self.run, scoring.__name__)
        self.model, self.bodies = _model(self)


def _import_and_check(path: str, copy: int) -> Script:
    entry = _import(path, copy)
    for name in ("init", "run"):
        if not hasattr(entry, name):
            raise errors.UserScriptError(
                f"User script at {_file(entry)} does not have a {name}() function defined."
            )
    scoring = getattr(entry, "driver_module", None)
    if isinstance(scoring, ModuleType) and hasattr(scoring, "run"):
        script_log.info(
            "Found driver script at %s and the score script at %s", _file(entry), _file(scoring)
        )
    else:
        scoring = entry
        script_log.info("Found user script at %s", _file(entry))
    script = Script(entry, scoring)
    script_log.info(_mode_line(script))
    return script


def _file(module: ModuleType) -> str:
    return str(getattr(module, "__file__", module.__name__))


def _import(path: str, copy: int) -> ModuleType:
    try:
        if path:
            return _import_file(path, _MODULE_NAME, copy)
        return _import_main(copy) if copy else import_module("main")
    except BaseException as exc:
        raise errors.UserScriptImportException(exc) from exc


def _import_main(copy: int) -> ModuleType:
    """Executes `main` once more; it can be imported, for it has been."""
    file = getattr(import_module("main"), "__file__", None)
    if not file:
        raise ImportError("main is no file of its own; use --share_module")
    return _import_file(file, "main", copy)


def _import_file(path: str, name: str, copy: int) -> ModuleType:
    spec = spec_from_file_location(f"{name}_{copy + 1}" if copy else name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a file that Python can import; it must end in .py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# What run() wants


def _mode(run: Any, module_name: str) -> str:
    raw = _is_raw(run, module_name)
    decorated = _is_schema_decorated(run)
    if raw and decorated:
        raise errors.UserScriptError(
            "run() cannot be decorated with both @rawhttp and @input_schema"
        )
    if raw:
        return "raw"
    return "schema" if decorated else "plain"


def _model(script: Script) -> tuple[model.Model | None, decorators.BatchMark | None]:
    """What a script says of tensors, and of batches of bodies; its mode may be another."""
    if "scorehost.decorators" in sys.modules:
        from scorehost import model

        tensors, batching = model.marks_of(script.run)
        if tensors or batching:
            model.check(script.mode, script.parameters, bool(tensors))
        if tensors:
            script.mode = "tensor"
            return model.Model("tensor", tensors, batching), None
        if batching:
            script.mode = "batch"
            return None, batching
    if script.mode == "schema":
        from scorehost import model

        return model.of_schema(script.run, script.parameters), None
    return None, None


def _is_raw(run: Any, module_name: str) -> bool:
    """Tells whether run() is decorated with @rawhttp.

    The decorator remembers what it was put on. A decorator on top of it may
    hide that function; then it is known by its name and its module. The
    flag alone counts only where nothing was remembered, so that a helper
    which uses @rawhttp for itself does not change the mode.
    """
    module = sys.modules.get(_RAW_MODULE)
    if module is None or not getattr(module, "_rawHttpRequested", False):
        return False
    marked: list[Any] = getattr(module, "_marked", [])
    if not marked or any(layer is item for layer in _layers(run) for item in marked):
        return True
    return any(
        getattr(item, "__name__", "") == "run" and getattr(item, "__module__", "") == module_name
        for item in marked
    )


def _layers(run: Any) -> Iterator[Any]:
    """Yields run and what it is a wrapper of."""
    seen: list[Any] = []
    layers = [run, getattr(type(run), "__call__", None)]
    while layers:
        layer = layers.pop()
        if layer is not None and not any(layer is item for item in seen):
            seen.append(layer)
            yield layer
            layers += [getattr(layer, name, None) for name in ("__wrapped__", "__func__", "func")]


def _is_schema_decorated(run: Any) -> bool:
    if "inference_schema.schema_decorators" not in sys.modules:
        return False
    from inference_schema.schema_util import is_schema_decorated

    try:
        return bool(is_schema_decorated(run))
    except AttributeError:  # it has no name, so nothing can be known about it
        return False


def _mode_line(script: Script) -> str:
    if script.mode == "raw":
        return (
            "run() is decorated with @rawhttp. "
            "Server will invoke it with the flask request object."
        )
    if script.mode == "schema":
        return (
            "run() is decorated with @input_schema. "
            f"Server will invoke it with the following arguments: {', '.join(script.names)}."
        )
    if script.mode == "tensor" and script.model is not None:
        arrays = ", ".join(map(str, script.model.inputs))
        rows = " of the rows of many requests" if script.model.batching else ""
        kind = "NumPy arrays"
        if script.model.framework is not None:
            kind = f"arrays of {script.model.framework}"
        if script.model.device != "cpu":
            kind = "arrays on the GPU"
        return f"run() takes tensors. Server will invoke it with {kind}{rows}: {arrays}."
    if script.mode == "batch":
        return "run() takes batches. Server will invoke it with a list of inputs in JSON strings."
    return "run() is not decorated. Server will invoke it with the input in JSON string."


# For every request


class Scoring:
    """A loaded script, as the host calls it.

    The C core reads the attributes once. For a plain POST it may call
    ``run`` itself when ``fast`` is set; everything else goes through
    ``invoke()``. None of the methods raises for what a client or the script
    did wrong: the answer to that is a reply too.
    """

    #: What the import system has refused; only where it may (isolation.py).
    refusals: list[isolation.Refusal] | None = None

    #: What the C side is told of a script with tensors: its signature and its
    #: batches in JSON; whether it was written for them ("tensor") or has the
    #: schemas of NumPy arrays ("schema"); whether run() may write to its input.
    signature: str | None = None
    batching: str | None = None
    tensor_way: str | None = None
    writable = False

    #: Makes an array for run() of a _core.Tensor, and outputs of its result.
    array: Callable[[Tensor | DeviceTensor], Any] | None = None
    outputs: Callable[..., list[tensors.Output]] | None = None

    #: The GPU in whose memory those arrays are, and the stream that run() works in.
    gpu: Gpu | None = None
    stream: Callable[[], int] | None = None

    _tensors: tensors.Tensors | None = None

    def __init__(self, script: Script, settings: Settings) -> None:
        self.mode = script.mode
        self.parameter = script.names[0]
        self.wants_headers = _HEADERS in script.parameters
        self.fast = script.mode == "plain" and not self.wants_headers
        self._set_model(script, settings)
        self.swaggers: dict[str, bytes] = {}
        self.init = _synchronous(script.init)
        self.run = _synchronous(script.run)
        self.after_fork = _synchronous(script.after_fork) if script.after_fork else None
        self.encode = outputs.encode
        self._decorated = script.run
        self._settings = settings
        self._wanted = {name: script.parameters[name] for name in script.names}

    def _set_model(self, script: Script, settings: Settings) -> None:
        """Finds what the C side is told of tensors and batches."""
        found = self._model = script.model
        if script.bodies is not None or found is not None:
            from scorehost import model
        if script.bodies is not None:
            self.batching = model.batching_text(script.bodies, bodies=True)
        if found is None:
            return
        from scorehost import tensors

        self._tensors = tensors.Tensors(found)
        self.array, self.outputs = self._tensors.array, self._tensors.outputs
        self.signature = found.signature(model.name_of(settings))
        self.tensor_way, self.writable = found.way, self._tensors.writable
        self.stream = self._tensors.stream
        if found.batching is not None:
            self.batching = model.batching_text(found.batching, bodies=False)

    def prepare_swaggers(self) -> None:
        """Makes the documents of /swagger.json; done once, after init()."""
        decorated = self._decorated if self.mode == "schema" else None
        declared = self._model.schemas() if self.mode == "tensor" and self._model else None
        self.swaggers = swagger.build(self._settings, decorated, declared)

    def open_device(self) -> None:
        """Finds the GPU that the script wants its arrays on; in each worker, after init()."""
        if self._tensors is not None:
            self._tensors.open_device()
            self.gpu, self.writable = self._tensors.gpu, self._tensors.writable

    def describe_model(self) -> dict[str, object] | None:
        """What the script takes and gives as a model, for people."""
        return self._model.describe() if self._model is not None else None

    @staticmethod
    def flask_active() -> bool:
        """Tells whether run() expects a Flask context around it."""
        return "flask" in sys.modules

    def invoke(self, call: Call) -> reply.Reply:
        """Answers a request, whatever its method and the script's mode."""
        try:
            if self.mode != "raw" and not self.flask_active():
                return self._begun(self._answer(call))
            from scorehost import raw

            with raw.context(call) as finished:
                made = finished(self._answer(call))
            return self._begun(made)
        except Exception:
            return outputs.internal()
        except BaseException as exc:
            return self.failed(exc)

    def _answer(self, call: Call) -> reply.Reply:
        if self.mode != "raw" and call.method not in ("GET", "POST"):
            return _without_run(call.method)
        try:
            arguments = self._arguments(call)
        except inputs.BadInput as exc:
            return reply.message(exc.status, exc.text)
        before = self._refused()
        started = call.begin()
        try:
            result = self._result(arguments)
        except BaseException as exc:
            return self._failed_or_unfit(exc, before)
        return self._finish(result, perf_counter_ns() - started, call.method)

    def _result(self, arguments: dict[str, Any]) -> Any:
        """What run() returned, in the form in which it is answered."""
        if self.mode == "batch":
            return self.bodies(arguments[self.parameter])[0]
        result = self.call(arguments)
        if self.mode == "tensor" and self._tensors is not None:
            result = self._tensors.lists(result)
        return result

    def call(self, arguments: dict[str, Any]) -> Any:
        """Calls run() with arguments by name; raises what it raises."""
        result = self.run(**arguments)
        if isinstance(result, CoroutineType):
            result = outputs.drive(result)
        return result

    def bodies(self, items: list[str]) -> list[Any]:
        """Calls a run() that takes bodies; there is a result for each, or WrongOutput."""
        results = self.run(**{self.parameter: items})
        if not isinstance(results, (list, tuple)):
            raise errors.WrongOutput(
                f"run() returned {type(results).__name__} for a batch; return a list with a "
                "result for each body"
            )
        if len(results) != len(items):
            raise errors.WrongOutput(
                f"run() returned {len(results)} results for a batch of {len(items)} bodies"
            )
        return list(results)

    def _arguments(self, call: Call) -> dict[str, Any]:
        if self.mode == "tensor" and self._tensors is not None:
            return self._tensors.arguments(call)
        if self.mode == "batch":
            return {self.parameter: [inputs.plain(call)]}
        if self.mode == "schema":
            arguments = inputs.schema(call, self._wanted)
        elif self.mode == "plain":
            arguments = {self.parameter: inputs.plain(call)}
        else:
            from scorehost import raw

            arguments = {self.parameter: raw.request}
        if self.wants_headers:
            arguments[_HEADERS] = inputs.headers_dict(call.headers)
        return arguments

    def unpack(
        self, coding: str, body: memoryview, most: int
    ) -> bytearray | tuple[int, str]:
        """What a packed body was, of `most` bytes at most; else a status and why not."""
        from scorehost import unpack

        try:
            return unpack.unpack(coding, body, min(most, self._settings.max_body_bytes))
        except inputs.BadInput as exc:
            return exc.status, exc.text

    def finish(self, result: Any, run_ns: int) -> reply.Reply:
        """Makes the reply for what run() returned to the core."""
        return self._begun(self._finish(result, run_ns, "POST"))

    def _begun(self, made: reply.Reply) -> reply.Reply:
        before = self._refused()
        try:
            return outputs.begun(made)
        except outputs.RunRaised as exc:
            return self._failed_or_unfit(exc.exc, before)
        except Exception:
            return outputs.internal()

    def _finish(self, result: Any, run_ns: int, method: str) -> reply.Reply:
        before = self._refused()
        try:
            return outputs.finish(result, run_ns, method)
        except outputs.RunRaised as exc:
            return self._failed_or_unfit(exc.exc, before)
        except Exception:
            return outputs.internal()
        except BaseException as exc:
            return self.failed(exc)

    def failed(self, exc: BaseException) -> reply.Reply:
        """Makes the reply for what run() raised, and logs it."""
        return self._failed_or_unfit(exc, self._refused())

    def unfit(self, exc: BaseException, before: int) -> reply.Reply:
        """The same for a run() that met refusals: the list was `before` long."""
        return self._failed_or_unfit(exc, before)

    def _refused(self) -> int:
        return len(self.refusals) if self.refusals is not None else 0

    def _failed_or_unfit(self, exc: BaseException, before: int) -> reply.Reply:
        if self.refusals is not None and not isinstance(exc, _INTERRUPTS):
            from scorehost import isolation

            found = isolation.since(before, exc)
            if found:
                return isolation.unfit(self._settings.script_path, found)
        return outputs.failed(exc, self._settings.scoring_timeout_ms)

    @staticmethod
    def wake(thread_id: int) -> None:
        """Has a thread that waits in a coroutine see what was raised in it."""
        outputs.wake(thread_id)

    def log_line(self, logger: str, level: int, message: str) -> None:
        """Writes a line of the host's through the worker's logging."""
        logging.getLogger(logger).log(level, message)


def _without_run(method: str) -> reply.Reply:
    if method == "OPTIONS":
        return 200, [("Content-Type", "text/html; charset=utf-8")], b"", reply.OWN_TYPE, 0
    return reply.message(405, "Method not allowed")


def _synchronous(function: Any) -> Any:
    """Returns the function, or for an ``async def`` one that waits for it."""
    code = getattr(function, "__code__", None)
    if code is None or not code.co_flags & _CO_COROUTINE:
        return function

    def run_to_its_end(**arguments: Any) -> Any:
        return outputs.drive(function(**arguments))

    return run_to_its_end
