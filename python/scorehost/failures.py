"""What went wrong in a script, told to who wrote it.

Their frames and nobody else's, the line to look at, and one sentence about
what to do.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator

from scorehost import errors

_OURS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
_LIBRARY = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "")
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

_MISSING_FILE = (
    "Check the path. Models: pass --model_dir and join its name with "
    "os.environ['AZUREML_MODEL_DIR']; files beside the script: os.path.dirname(__file__)."
)
_NOT_JSON = (
    "Return what json.dumps can write (an array: .tolist(); a NumPy number: .item()), "
    "bytes, or an AMLResponse."
)


def is_users(path: str) -> bool:
    """Whether a file is the user's own, and no library's."""
    if not path or path[:1] == "<" or path.startswith((_OURS, _LIBRARY)):
        return False
    in_venv = sys.prefix != sys.base_prefix and path.startswith(os.path.join(sys.prefix, ""))
    return not in_venv and not any(folder in path for folder in _INSTALLED)


def describe(exc: BaseException, phase: str) -> dict[str, object]:
    """Tells an exception of the script's: error, where, traceback, advice."""
    return {
        "phase": phase,
        "error": error_line(exc),
        "where": _where(exc),
        "traceback": users_traceback(exc),
        "advice": advice(exc, phase),
    }


def told(phase: str, error: str, advice: str) -> dict[str, object]:
    """Tells what is no exception of the script's, in the same form."""
    return {
        "phase": phase,
        "error": error,
        "where": None,
        "traceback": "",
        "advice": advice,
    }


def error_line(exc: BaseException) -> str:
    """An exception in one line."""
    return traceback.format_exception_only(type(exc), exc)[-1].strip()


def users_traceback(exc: BaseException) -> str:
    """The traceback as Python prints it, without the frames of libraries."""
    return "\n".join(_block(each) for each in _chain(exc)).rstrip("\n")


def _chain(exc: BaseException) -> list[BaseException]:
    """An exception and what it came from, the first cause first."""
    found: list[BaseException] = []
    each: BaseException | None = exc
    while each is not None and each not in found:
        found.insert(0, each)
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return found


def _block(exc: BaseException) -> str:
    frames = traceback.extract_tb(exc.__traceback__)
    mine = [frame for frame in frames if is_users(frame.filename)]
    lines = traceback.format_list(mine)
    last = frames[-1] if frames else None
    if mine and last and last is not mine[-1] and not last.filename.startswith((_OURS, "<")):
        lines.append(f"  (raised in {last.filename}, line {last.lineno}, in {last.name})\n")
    return "".join([*lines, *traceback.format_exception_only(type(exc), exc)])


def _where(exc: BaseException) -> dict[str, object] | None:
    """The line of the user's that was at work last."""
    if isinstance(exc, SyntaxError) and exc.filename and is_users(exc.filename):
        return {"file": exc.filename, "line": exc.lineno, "function": ""}
    for each in reversed(_chain(exc)):
        for frame in reversed(traceback.extract_tb(each.__traceback__)):
            if is_users(frame.filename):
                name = frame.name.removeprefix("<module>")
                return {"file": frame.filename, "line": frame.lineno, "function": name}
    return None


# What to do

_PHASES = {
    "import": "Mend the line shown; it ran while the script was imported.",
    "init": "Mend the line shown; init() has to return before anything is served.",
    "run": "Mend the line shown, or send what run() expects: the client would get a 500.",
}


def _module(exc: ModuleNotFoundError) -> str:
    top = (exc.name or "it").partition(".")[0]
    return f"Install it here (pip install {top}), or put {top}.py beside the script."


def _key(exc: KeyError) -> str:
    name = str(exc.args[0]) if exc.args else ""
    if name == "AZUREML_MODEL_DIR":
        return "Say where the model is: --model_dir DIR."
    if name.isupper() and _is_of_os(exc):
        return f"If it is an environment variable, set it: {name}=..."
    return ""


def _is_of_os(exc: BaseException) -> bool:
    """Whether os.environ raised it."""
    frames = traceback.extract_tb(exc.__traceback__)
    return bool(frames) and frames[-1].filename in ("<frozen os>", os.__file__)


def _type(exc: TypeError) -> str:
    text = str(exc)
    if text.startswith("run() missing"):
        return "Give run()'s other parameters defaults, or describe them with @input_schema."
    return _NOT_JSON if "JSON serializable" in text or "keys must be" in text else ""


#: The first that fits and has something to say.
_RULES: tuple[tuple[type[BaseException], Callable[..., str]], ...] = (
    (
        errors.WrongOutput,
        lambda exc: "Return what the decorator declares, or declare what run() returns.",
    ),
    (SyntaxError, lambda exc: "Python cannot read this line: mend it."),
    (ModuleNotFoundError, _module),
    (ImportError, lambda exc: "The package is there, this name is not: compare its version."),
    (KeyError, _key),
    (FileNotFoundError, lambda exc: _MISSING_FILE),
    (PermissionError, lambda exc: "Let the user that serves read it: ls -l shows who may."),
    (TypeError, _type),
    (MemoryError, lambda exc: "Give it more memory, or load less."),
    (
        SystemExit,
        lambda exc: "Raise an exception instead: a script that ends its process serves nobody.",
    ),
    (RecursionError, lambda exc: "Look for a function that calls itself without an end."),
)


def advice(exc: BaseException, phase: str) -> str:
    """One sentence about what to do."""
    return next(_said(exc), _PHASES.get(phase, "Change the script as it says."))


def _said(exc: BaseException) -> Iterator[str]:
    for kind, say in _RULES:
        text = say(exc) if isinstance(exc, kind) else ""
        if text:
            yield text
