"""What an interpreter with a GIL of its own refuses, and what follows from it.

An extension module that is not made for it does not load there. The refusal
is recorded where it happens, at the import system, because packages wrap it
in words of their own, or swallow it and go on without their fast part.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from importlib import import_module
from importlib.machinery import BuiltinImporter, ExtensionFileLoader
from typing import Any

from scorehost import reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: The name of what was refused, and the words in which it was.
Refusal = tuple[str, str]

#: All that this interpreter has refused, in order. C looks at its length.
refusals: list[Refusal] = []

# What main must have imported before the first interpreter is made. Up to
# 3.13 datetime has types that the first one to import it owns, and the end of
# a worker would free them under the others. 3.12 has more of that kind.
_WARM = ("datetime",)
_WARM_3_12 = (
    *("json", "logging", "traceback", "hashlib", "hmac", "ssl", "asyncio", "decimal", "uuid"),
    *("sqlite3", "ctypes", "zoneinfo", "xml.etree.ElementTree", "concurrent.futures"),
)

# RuntimeErrors that say the same of something that is no module.
_FORBIDDEN = {
    "daemon threads are disabled in this": "daemon threads",
    "fork not supported for": "os.fork()",
    "exec not supported for": "os.exec*()",
    "preexec_fn not supported within": "preexec_fn of subprocess",
}
_CHAIN = 8

# What the standard library itself tries to have and does without: for the
# hints in a traceback, for a ResourceWarning, for a prompt. Nothing is missing
# unless the script fails for it.
_SPARED = ("_suggestions", "_tracemalloc", "readline", "_curses")

_KIND = "a worker of kind interpreter"


def warm() -> None:
    """Imports in main what it must have before any other interpreter does."""
    names = _WARM if sys.version_info >= (3, 13) else _WARM + _WARM_3_12
    for name in names:
        try:
            import_module(name)
        except ImportError:
            continue  # a Python without it; then no worker has it either


def record() -> None:
    """Records from now on what the import system refuses."""
    for name in ("create_module", "exec_module"):
        for loader in (ExtensionFileLoader, BuiltinImporter):
            made = vars(loader)[name]
            if not hasattr(made, "recorded"):
                setattr(loader, name, _recording(made))


def _recording(made: Any) -> Any:
    """The same method, static or not, that notes what it raises."""
    method = made.__func__ if isinstance(made, staticmethod) else made

    def recorder(*given: Any) -> Any:
        try:
            return method(*given)
        except BaseException as error:
            # create_module() is given a spec, exec_module() a module.
            what = getattr(given[-1], "name", "") or getattr(given[-1], "__name__", "")
            refusals.append((what, str(error)))
            raise

    recorder.recorded = made  # type: ignore[attr-defined]
    return staticmethod(recorder) if isinstance(made, staticmethod) else recorder


def _chain(error: BaseException | None) -> list[BaseException]:
    """An exception and those that it came from, as far as that is of interest."""
    found: list[BaseException] = []
    while error is not None and len(found) < _CHAIN:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found


def _text(error: BaseException) -> str:
    """What an exception says; nothing when a script's own class fails to say it."""
    try:
        return str(error)
    except Exception:
        return ""


def forbidden(error: BaseException) -> Refusal | None:
    """What this interpreter forbids, if that is why an exception was raised."""
    for item in _chain(error):
        if isinstance(item, RuntimeError):
            for text, what in _FORBIDDEN.items():
                if _text(item).startswith(text):
                    return what, _text(item)
    return None


def since(before: int, error: BaseException | None) -> list[Refusal]:
    """What was refused since there were `before` of them, and how it ended."""
    texts = [_text(item) for item in _chain(error)]
    found = [
        (name, text)
        for name, text in refusals[before:]
        if name not in _SPARED or text in texts
    ]
    more = forbidden(error) if error is not None else None
    return [*found, more] if more else found


def sentence(found: Sequence[Refusal]) -> str:
    """What to tell about refusals; modules are named by their own names."""
    names = ", ".join(dict.fromkeys(name for name, _ in found))
    return f"The script needs {names}, which cannot be had in {_KIND} ({found[0][1]})"


def mark_unfit(script_path: str, found: Sequence[Refusal]) -> None:
    """Remembers that this script is for processes, for the next start."""
    try:
        from scorehost import kinds  # type: ignore[attr-defined,unused-ignore]

        kinds.remember_unfit(script_path, [name for name, _ in found])
    except (ImportError, OSError):
        pass  # the next start finds out anew


def unfit(script_path: str, found: Sequence[Refusal]) -> reply.Reply:
    """Makes the reply for a request that this kind of worker cannot run."""
    text = sentence(found)
    logging.getLogger("azmlinfsrv").warning(
        "%s. The request is answered 503; use --worker_kind process.", text
    )
    mark_unfit(script_path, found)
    flags = reply.UNFIT | reply.NO_FAILED_HEADER
    return reply.message(503, f"{text}. Please try again.", flags, [("Retry-After", "1")])


def wait_for_threads(patience_s: float | None = None) -> bool:
    """Waits for the script's threads, as the end of a process does; whether they have ended.

    Before the interpreter is ended: Pythons up to 3.13 abort when a thread is
    left then. For ever, if one of them does not end and no patience is given.
    """
    end = None if patience_s is None else time.monotonic() + patience_s
    # What concurrent.futures has registered ends its pools.
    calls: list[Callable[[], object]] = getattr(threading, "_threading_atexits", [])
    while calls:
        calls.pop()()
    # The main thread is the process's here, and not to be waited for.
    ours = (threading.get_ident(), threading.main_thread().ident)
    for thread in threading.enumerate():
        if thread.ident not in ours and not thread.daemon:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
            if thread.is_alive():
                return False
    forget_this_thread()
    return True


def forget_this_thread() -> None:
    """Lets go of what stands in threading for a thread that it did not start.

    In early 3.13s that complains when it goes after the module.
    """
    getattr(threading, "_thread_local_info", threading.local()).__dict__.clear()


# The probe


def probe(told: Mapping[str, object]) -> str:
    """Loads the script as a worker would, and reports in JSON what came of it."""
    from scorehost import boot

    record()
    sys.stdout = sys.stderr  # what the caller prints is one line of its own
    error: BaseException | None = None
    try:
        boot.load_only(told)
    except BaseException as raised:
        error = raised.__cause__ or raised
    return json.dumps(report(error))


def report(error: BaseException | None) -> dict[str, object]:
    """What was refused, if the script failed for it; else what it did without."""
    found = since(0, error)
    items = [{"module": name, "text": text} for name, text in dict(found).items()]
    refused = items if error is not None else []
    wrong = f"{type(error).__name__}: {error}" if error is not None and not items else None
    return {"refused": refused, "degraded": [] if refused else items, "error": wrong}


def merge(texts: Sequence[str]) -> str:
    """Makes one report of those of several interpreters."""
    reports = [json.loads(text) for text in texts]
    merged: dict[str, Any] = {}
    for key in ("refused", "degraded"):
        items = {item["module"]: item for part in reports for item in part[key]}
        merged[key] = list(items.values())
    merged["error"] = next((part["error"] for part in reports if part["error"]), None)
    return json.dumps({"ok": not any(merged.values()), **merged})
