"""Raw HTTP: the decorator that asks for it, and a name for annotations."""

from __future__ import annotations

from typing import Any, TypeVar

from flask import Request

__all__ = ["AMLRequest", "rawhttp"]

_Function = TypeVar("_Function")

#: Set by the decorator; whoever wraps it in a decorator of his own may set it.
_rawHttpRequested = False

# What the decorator was put on; the loader looks for run() in it.
_marked: list[Any] = []


def rawhttp(func: _Function) -> _Function:
    """Has ``run()`` called with the HTTP request itself."""
    global _rawHttpRequested
    _rawHttpRequested = True
    _marked.append(func)
    return func


class AMLRequest(Request):
    """An annotation for the request; objects of it are never made."""

    def __init__(self) -> None:
        raise TypeError("AMLRequest is for annotations; run() is given the request of Flask")
