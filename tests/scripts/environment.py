"""Tells what it sees of its process, by name."""

import builtins
import json
import os
import sys
import threading
from typing import Any, Callable

VIEWS: dict[str, Callable[[], Any]] = {
    "name": lambda: __name__,
    "file": lambda: os.path.relpath(__file__),
    "file is absolute": lambda: os.path.isabs(__file__),
    "package": lambda: repr(__package__),
    "in sys.modules": lambda: __name__ in sys.modules,
    "main thread": lambda: (threading.current_thread()
                            is threading.main_thread()),
    "cwd files": lambda: sorted(os.listdir(".")),
    "argv0": lambda: os.path.basename(sys.argv[0]),
    "app root is cwd": lambda: os.environ["AML_APP_ROOT"] == os.getcwd(),
    "app root in path": lambda: os.environ["AML_APP_ROOT"] in sys.path,
    "own folder in path": lambda: os.path.dirname(__file__) in sys.path,
    "stdin": lambda: sys.stdin.read(),
    "stdout encoding": lambda: sys.stdout.encoding,
    "recursion limit": sys.getrecursionlimit,
    "print is a function": lambda: callable(builtins.print),
    "umask": lambda: oct(os.umask(os.umask(0o22))),
}


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Answer ``{"env": [names]}`` or ``{"view": name}``."""
    question = json.loads(data)
    if "env" in question:
        return {name: os.environ.get(name) for name in question["env"]}
    return VIEWS[question["view"]]()
