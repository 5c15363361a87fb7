"""What several parts of the table use."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from ..model import SCRIPTS, Play, Request, post

JSON = ("Content-Type", "application/json")

#: A script for plays in which the script hardly matters.
ECHO = '''\
def init():
    pass


def run(data):
    return {"got": data}
'''


def keys_of(script: str, table: str) -> list[str]:
    """Give the keys of the dict literal `table` in a script, unimported."""
    tree = ast.parse((SCRIPTS / script).read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Dict):
            if isinstance(node.target, ast.Name) and node.target.id == table:
                return [ast.literal_eval(key) for key in node.value.keys
                        if key is not None]
    raise LookupError(f"no table {table} in {script}")


def each_key(script: str, table: str,
             special: "dict[str, dict[str, Any]] | None" = None,
             make: Callable[..., Request] = post) -> tuple[Request, ...]:
    """Make a request for each key of a table of a script.

    `special` gives further attributes of the requests for some keys.
    """
    special = special or {}
    unknown = set(special) - set(keys := keys_of(script, table))
    assert not unknown, f"{script} has no {unknown}"
    return tuple(make(key, key, **special.get(key, {})) for key in keys)


def ending(name: str, *flags: str, files: "dict[str, str | bytes] | None" = None,
           **more: Any) -> Play:
    """Make a play in which the server ends by itself."""
    return Play(name, flags=flags, files=files or {}, exits=True, **more)


def broken(name: str, text: str, **more: Any) -> Play:
    """Make a play in which the script, given as text, stops the server."""
    return ending(name, "--entry_script", "score.py",
                  files={"score.py": text, **more.pop("files", {})}, **more)


def simple(name: str, requests: Iterable[Request], text: str = ECHO,
           **more: Any) -> Play:
    """Make a play on a script given as text."""
    files = {"score.py": text, **more.pop("files", {})}
    flags = ("--entry_script", "score.py", *more.pop("flags", ()))
    return Play(name, tuple(requests), files=files, flags=flags, **more)
