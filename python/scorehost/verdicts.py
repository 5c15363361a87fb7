"""What is remembered of scripts: whether they load in subinterpreters.

A file for each script, so that hosts which start at the same time do not
undo each other's work. It holds as long as the script, every module that it
loaded and the Python that loaded them are what they were. Nobody needs it:
whatever is wrong with the folder, the script is looked at once more.

A client waits while this is read, so it is plain text and json stays out.
"""

from __future__ import annotations

import os
import sys

from scorehost import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: How many scripts are remembered, and how many files of each.
MAX_SCRIPTS = 256
MAX_FILES = 4096

_HEAD = "scorehost verdict 1"
_FIT, _UNFIT, _MET = "fit", "unfit", "met"


class Verdict:
    """Whether a script fits into subinterpreters, and in a clause why."""

    __slots__ = ("files", "fit", "met", "reason")

    def __init__(
        self, fit: bool, reason: str, met: bool = False, files: Iterable[str] = ()
    ) -> None:
        self.fit = fit
        self.reason = reason
        self.files = files  # that it depends on, where it was remembered
        self.met = met  # a worker met it while it served; no probe sees that


def folder() -> str:
    """Where verdicts lie; empty when there is no such place."""
    environ = os.environ
    given = environ.get("SCOREHOST_CACHE_DIR", "")
    if given:
        return os.path.abspath(given)
    cache = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):  # as its specification has it
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "scorehost") if os.path.isabs(cache) else ""


def recall(script: str) -> Verdict | None:
    """What is known of a script, if nothing has changed since."""
    try:
        with open(_path(script), encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except (OSError, ValueError):
        return None
    if len(lines) < 4 or lines[0] != _HEAD or lines[1] not in (_FIT, _UNFIT, _MET):
        return None
    if lines[-1] or any(_mark(_file_of(line)) != line for line in lines[3:-1]):
        return None
    files = [_file_of(line) for line in lines[3:-1]]
    return Verdict(lines[1] == _FIT, lines[2], lines[1] == _MET, files)


def remember(script: str, verdict: Verdict, files: Iterable[str]) -> None:
    """Writes down what was found out, for as long as these files stay as they are."""
    word = _MET if verdict.met else _FIT if verdict.fit else _UNFIT
    marks = [mark for mark in map(_mark, list(dict.fromkeys(files))[:MAX_FILES]) if mark]
    lines = [_HEAD, word, " ".join(verdict.reason.split()), *marks, ""]
    try:
        path = _path(script)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, "\n".join(lines).encode("utf-8", "surrogateescape"))
        _prune(os.path.dirname(path))
    except (OSError, ValueError):
        pass  # a home that may not be written, a script that is gone: found out again


def remember_unfit(script_path: str, modules: list[str]) -> None:
    """Marks a script as one for processes: a subinterpreter refused these modules.

    For a worker in which an import was refused long after the start.
    """
    files = [*siblings(script_path), *_packages(modules)]
    reason = f"{refusal(modules)}, as one of its workers met"
    remember(script_path, Verdict(False, reason, met=True), files)


def remember_crashes(script: str) -> None:
    """Marks a script as one for processes: its subinterpreters crashed the host.

    What the script has loaded stands in the verdict that there was, if any.
    """
    known = recall(script)
    files = [*siblings(script), *(known.files if known is not None else ())]
    reason = f"{os.path.basename(script)} has crashed its process more than once in subinterpreters"
    remember(script, Verdict(False, reason, met=True), files)


def refusal(modules: list[str]) -> str:
    """Says which modules do not load."""
    if not modules:
        return "an extension module does not load in subinterpreters"
    shown = list(dict.fromkeys(modules))
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    names = f"{', '.join(shown[:3])}{more}"
    if not all(name.replace(".", "").isidentifier() for name in shown):
        return f"{names} cannot be had in subinterpreters"  # os.fork() and its kin
    return f"{names} {'does' if len(shown) == 1 else 'do'} not load in subinterpreters"


def siblings(script: str) -> Iterator[str]:
    """The Python files beside a script and in the folders below it."""
    count = 0
    for place, folders, names in os.walk(os.path.dirname(os.path.realpath(script))):
        folders[:] = [
            name
            for name in sorted(folders)
            if name[:1] not in "._" and not os.path.exists(os.path.join(place, name, "pyvenv.cfg"))
        ]
        for name in sorted(names):
            if name.endswith((".py", ".so")):
                yield os.path.join(place, name)
        count += len(names)
        if count > MAX_FILES:
            return


def _packages(modules: Iterable[str]) -> Iterator[str]:
    """The file of each package, so that a new version of it is given a chance."""
    from importlib.machinery import PathFinder

    for name in dict.fromkeys(module.partition(".")[0] for module in modules):
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.origin:
            yield spec.origin


def _mark(path: str) -> str:
    """A file as it is now: size, time and path; empty when it cannot be told."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):
        return ""
    return "" if "\n" in path else f"{stat.st_size} {stat.st_mtime_ns} {path}"


def _file_of(mark: str) -> str:
    """The path in a mark."""
    return mark.split(" ", 2)[-1]


def _path(script: str) -> str:
    """The file of this script as it is now, under this Python; OSError, ValueError."""
    place = folder()
    if not place:
        raise OSError("no folder for verdicts")
    real = os.path.realpath(script)
    with open(real, "rb") as file:
        text = file.read()
    # What else decides which modules are found.
    parts = [real, __version__, sys.version, sys.prefix, sys.implementation.cache_tag or ""]
    names = ("AML_APP_ROOT", "AZUREML_SOURCE_DIRECTORY", "PYTHONPATH")
    parts += [os.environ.get(name, "") for name in names]
    key = "\0".join(parts).encode("utf-8", "surrogateescape")
    return os.path.join(place, "verdicts", _digest(key + b"\0" + text))


def _digest(data: bytes) -> str:
    try:
        # hashlib would bring OpenSSL with it
        from _sha2 import sha256  # type: ignore[import-not-found]
    except ImportError:
        from hashlib import sha256
    return str(sha256(data).hexdigest())


def _write(path: str, data: bytes) -> None:
    """Replaces a file; who reads it meanwhile sees the old one or the new one."""
    fresh = f"{path}.{os.getpid()}.{id(data):x}.new"
    with open(fresh, "xb") as file:
        file.write(data)
    try:
        os.replace(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise


def _prune(place: str) -> None:
    """Forgets the oldest verdicts once there are too many."""
    names = os.listdir(place)
    if len(names) <= MAX_SCRIPTS:
        return
    found = []
    for name in names:
        try:
            path = os.path.join(place, name)
            found.append((os.stat(path).st_mtime_ns, path))
        except OSError:
            continue  # another host was quicker
    for _, path in sorted(found)[: len(found) - MAX_SCRIPTS]:
        try:
            os.unlink(path)
        except OSError:
            continue
