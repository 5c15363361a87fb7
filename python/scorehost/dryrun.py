"""A script loaded, started and perhaps called once, in a process to throw away.

`scorehost check` starts it as a program with a descriptor, where it writes
what it finds out as it goes, a JSON object a line: a script that crashes, or
never comes back, leaves what was known until then. The road is the server's
own; what is added only watches.
"""

from __future__ import annotations

import os
import sys

# As for a worker: no folder of the user's stands before the library.
if __name__ == "__main__" and (sys.path[0] == "" or not getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

import base64
import builtins
import json
import logging
import threading
from time import perf_counter_ns
from types import CoroutineType
from typing import Any

from scorehost import boot, errors, failures, inputs, outputs, reply, script, settings
from scorehost.parameters import parameters_of

#: What is kept of an answer, and of a stream.
MAX_BODY = 1 << 20
MAX_ITEMS = 1000


class Gone(Exception):
    """The dry run is over: this is why."""

    def __init__(self, failure: dict[str, object]) -> None:
        super().__init__(str(failure.get("error")))
        self.failure = failure


class Imports:
    """Measures the import statements of the user's, wherever they stand."""

    def __init__(self) -> None:
        self._spent: dict[str, int] = {}
        self._depth = 0
        self._import = builtins.__import__

    def watch(self) -> None:
        """Begins."""
        builtins.__import__ = self._timed

    def _timed(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
    ) -> Any:
        counts = self._depth == 0 or failures.is_users(str((globals or {}).get("__file__", "")))
        self._depth += 1
        started = perf_counter_ns()
        try:
            return self._import(name, globals, locals, fromlist, level)
        finally:
            self._depth -= 1
            if counts and level == 0:
                self._spent[name] = self._spent.get(name, 0) + perf_counter_ns() - started

    def slowest(self, count: int = 5, least_ms: float = 10.0) -> list[dict[str, object]]:
        """The libraries that took longest, with what they import themselves."""
        times = [
            (spent / 1e6, name)
            for name, spent in self._spent.items()
            if not failures.is_users(str(getattr(sys.modules.get(name), "__file__", "") or ""))
        ]
        slow = sorted((item for item in times if item[0] >= least_ms), reverse=True)
        return [{"module": name, "ms": round(ms, 1)} for ms, name in slow[:count]]


class Prints(logging.Filter):
    """Counts what print() made of log records."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Lets every record through."""
        self.count += 1
        return True


class Call:
    """One POST to /score, as the C side would hand it over."""

    method = "POST"
    target = path = "/score"
    query = b""
    version = "HTTP/1.1"
    peer = ("127.0.0.1", 40000)
    server = ("127.0.0.1", 5001)
    scheme = "http"
    request_id = "00000000-0000-4000-8000-000000000000"
    client_request_id = ""

    def __init__(self, body: bytes, kind: str, headers: list[list[str]]) -> None:
        self.body = body
        self.headers = [("Host", "127.0.0.1:5001"), ("Content-Length", str(len(body)))]
        if kind:
            self.headers.append(("Content-Type", kind))
        self.headers += [(name, value) for name, value in headers]

    def begin(self) -> int:
        """Says when run() is called."""
        return perf_counter_ns()


def memory() -> dict[str, int]:
    """Resident bytes, and those that are ours alone where that can be told."""
    found = {}
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            found["rss"] = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        with open("/proc/self/smaps_rollup", encoding="ascii") as file:
            lines = [line.split() for line in file if line.startswith("Private_")]
        found["private"] = sum(int(words[1]) for words in lines) * 1024
    except (OSError, ValueError, IndexError):
        pass  # another system: what was found is enough
    return found


class DryRun:
    """The way of one script, step by step."""

    def __init__(self, spec: dict[str, Any], out: int) -> None:
        self._spec = spec
        self._out = out
        self._imports = Imports()
        self._prints = Prints()
        self._forks = 0

    def tell(self, **facts: object) -> None:
        """Writes what is known now."""
        data = json.dumps(facts, default=repr).encode() + b"\n"
        while data:
            data = data[os.write(self._out, data) :]

    def go(self) -> None:
        """All of it; what went wrong is told."""
        try:
            conf = self._settings()
            scoring = self._load(conf)
            if self._spec["init"]:
                self._init(scoring)
            self._describe(scoring, conf)
            if self._spec["sample"] is not None:
                self._score(scoring, self._spec["sample"])
            self.tell(warnings=self._warnings(scoring, conf))
        except Gone as gone:
            self.tell(failure=gone.failure)
        self.tell(slow_imports=self._imports.slowest(), phase="done")

    # Before anything is served

    def _settings(self) -> settings.Settings:
        self.tell(phase="settings")
        try:
            conf = boot.prepare(self._spec["boot"])
        except SystemExit:
            told = "A setting or a configuration file is wrong."
            raise Gone(failures.told("settings", told, "Mend what the log says below.")) from None
        logging.getLogger("azmlinfsrv.print").addFilter(self._prints)
        os.register_at_fork(before=self._forked)
        return conf

    def _forked(self) -> None:
        self._forks += 1

    def _load(self, conf: settings.Settings) -> script.Scoring:
        self.tell(phase="import", memory={"start": memory()})
        self._imports.watch()
        started = perf_counter_ns()
        try:
            scoring = script.load(conf)
        except errors.UserScriptError as error:
            raise Gone(self._refusal(error, conf)) from None
        self.tell(import_ms=_ms(started), memory={"import": memory()})
        return scoring

    def _refusal(self, error: errors.UserScriptError, conf: settings.Settings) -> dict[str, object]:
        """What stands in the way of serving this script."""
        if error.__cause__ is not None:
            return failures.describe(error.__cause__, "import")
        line = line_of(conf.script_path, "run") if "run()" in str(error) else None
        found = failures.told("import", str(error), "Change the script as it says.")
        found["where"] = {"file": conf.script_path, "line": line, "function": ""}
        return found

    def _init(self, scoring: script.Scoring) -> None:
        self.tell(phase="init")
        started = perf_counter_ns()
        try:
            scoring.init()
        except BaseException as exc:
            raise Gone(failures.describe(exc, "init")) from None
        scoring.open_device()
        self.tell(init_ms=_ms(started), memory={"init": memory()})

    def _describe(self, scoring: script.Scoring, conf: settings.Settings) -> None:
        self.tell(phase="schema")
        try:
            scoring.prepare_swaggers()
        except Exception as exc:
            raise Gone(failures.describe(exc, "schema")) from None
        wanted = parameters_of(scoring._decorated)
        parameters = [
            {"name": name, "required": value is inputs.REQUIRED}
            | ({} if value is inputs.REQUIRED else {"default": repr(value)[:80]})
            for name, value in wanted.items()
        ]
        self.tell(mode=scoring.mode, parameters=parameters, example=_example(scoring))
        self.tell(model=scoring.describe_model(), batching=json.loads(scoring.batching or "null"))

    # One request

    def _score(self, scoring: script.Scoring, sample: dict[str, Any]) -> None:
        self.tell(phase="run")
        printed, watch = self._prints.count, Watch(scoring)
        call: Any = Call(base64.b64decode(sample["body"]), sample["type"], sample["headers"])
        started = perf_counter_ns()
        status, headers, body, flags, run_ns = scoring.invoke(call)
        try:
            data, is_whole = _drain(body)
        except BaseException as exc:
            raise Gone(failures.describe(exc, "run")) from None
        answer = {
            "status": status,
            "headers": [pair for pair in headers if pair[0].lower() != "set-cookie"],
            "type": watch.type_name,
            "streamed": bool(flags & reply.STREAM),
            "bytes": len(data),
            "whole": is_whole,
            "run_ms": round(run_ns / 1e6, 3),
            "ms": _ms(started),
            "body": data[:MAX_BODY].decode("utf-8", "replace"),
        }
        self.tell(answer=answer, prints_in_run=self._prints.count - printed)
        failure = watch.failure(status, flags, answer)
        if failure is not None:
            raise Gone(failure)

    # What is no mistake, and still worth a word

    def _warnings(self, scoring: script.Scoring, conf: settings.Settings) -> list[str]:
        found = [*self._on_threads(), *_on_model_dir(conf), *_on_parameters(scoring)]
        if self._forks:
            found.append(
                "The script forks its process: it cannot run in an interpreter, and in a "
                "thread worker a fork may hang."
            )
        return found

    @staticmethod
    def _on_threads() -> list[str]:
        others = [item for item in threading.enumerate() if item is not threading.main_thread()]
        if not others:
            return []
        names = ", ".join(sorted(item.name for item in others)[:5])
        kinds = " (daemons among them)" if any(item.daemon for item in others) else ""
        return [
            f"The script leaves {len(others)} thread(s) running{kinds}: {names}. Each worker "
            "has its own, and with WORKER_PRELOAD they are lost."
        ]


class Watch:
    """Looks at run() while the server's own code calls it."""

    def __init__(self, scoring: script.Scoring) -> None:
        self.type_name = ""
        self._raised: BaseException | None = None
        self._run, self._failed, self._internal = scoring.run, outputs.failed, outputs.internal
        self._is_schema = scoring.mode == "schema"
        scoring.run = self.run
        # This process serves nobody else.
        outputs.failed, outputs.internal = self.failed, self.internal

    def run(self, **arguments: Any) -> Any:
        """Calls the script's run() and keeps the type of what it returned."""
        result = self._run(**arguments)
        if isinstance(result, CoroutineType):
            result = outputs.drive(result)
        kind = type(result)
        module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
        self.type_name = module + kind.__qualname__
        return result

    def failed(self, exc: BaseException, timeout_ms: int) -> reply.Reply:
        """Keeps what run() raised."""
        self._raised = exc
        return self._failed(exc, timeout_ms)

    def internal(self) -> reply.Reply:
        """Keeps what was wrong with the result."""
        self._raised = sys.exc_info()[1]
        return self._internal()

    def failure(
        self, status: int, flags: int, answer: dict[str, Any]
    ) -> dict[str, object] | None:
        """What the client's status says was wrong; None when nothing was."""
        if self._raised is not None and status >= 500:
            found = failures.describe(self._raised, "run")
            if self._is_schema and found["where"] is None and not self.type_name:
                found["advice"] = "Send what run() declares: the sample was refused before."
            return found
        if status < 400 or (flags & reply.HTTP_RESPONSE and status < 500):
            return None
        if self._raised is not None:
            return None  # flask.abort() and its kin: meant so
        told = f"The sample is answered {status}: {answer['body'][:200]}"
        return failures.told("run", told, "Send what run() expects, or change what it declares.")


def _ms(started: int) -> float:
    return round((perf_counter_ns() - started) / 1e6, 3)


def _drain(body: Any) -> tuple[bytes, bool]:
    """The bytes of an answer, and whether these are all."""
    if isinstance(body, str):
        return body.encode(), True
    if isinstance(body, bytes):
        return body, True
    data = b""
    for count, item in enumerate(body, 1):
        data += item
        if count == MAX_ITEMS or len(data) > MAX_BODY:
            return data, False
    return data, True


def _schema(scoring: script.Scoring) -> dict[str, Any]:
    """What is declared of the input; empty when nothing is."""
    if scoring.mode not in ("schema", "tensor"):
        return {}
    for text in scoring.swaggers.values():
        document = json.loads(text)
        parts = document.get("definitions") or document.get("components", {}).get("schemas", {})
        found: dict[str, Any] = parts.get("ServiceInput", {})
        if found:
            return found
    return {}


def _example(scoring: script.Scoring) -> Any:
    return _schema(scoring).get("example")


def _on_model_dir(conf: settings.Settings) -> list[str]:
    if conf.model_dir:
        if os.path.isdir(conf.model_dir):
            return []
        return [f"The model directory does not exist: {conf.model_dir}"]
    try:
        with open(conf.script_path, encoding="utf-8", errors="replace") as file:
            is_read = "AZUREML_MODEL_DIR" in file.read()
    except OSError:
        is_read = False
    if not is_read:
        return []
    return ["The script reads AZUREML_MODEL_DIR, which is not set: pass --model_dir."]


def _on_parameters(scoring: script.Scoring) -> list[str]:
    required = [
        name
        for name, value in parameters_of(scoring._decorated).items()
        if value is inputs.REQUIRED and name != "request_headers"
    ]
    if scoring.mode == "schema":
        declared = _schema(scoring).get("properties", {})
        # What nobody described has an empty schema, and is handed over as it is.
        given = [name for name in required if declared.get(name) != {}]
        text = "run() takes {} as it comes: no @input_schema describes it."
    elif scoring.mode == "tensor":
        return []  # the decorator has seen to it
    else:
        given = [scoring.parameter]
        text = "run() needs {} too, but only its first parameter is filled: requests will fail."
    return [text.format(repr(name)) for name in required if name not in given]


def line_of(path: str, function: str) -> int | None:
    """The line where a function of a file is defined."""
    import ast

    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return None
    lines = [
        node.lineno
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function
    ]
    return lines[-1] if lines else None


def main() -> int:
    """Runs; the order comes on stdin, the descriptor to write to is the argument."""
    import faulthandler

    faulthandler.enable()
    out = int(sys.argv[1])
    os.set_inheritable(out, False)
    spec = json.loads(sys.stdin.read())
    sys.argv[:] = spec["boot"]["argv"]
    DryRun(spec, out).go()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the script's are no reason to wait


if __name__ == "__main__":
    main()
