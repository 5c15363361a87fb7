"""What a function can be called with."""

from __future__ import annotations

from types import FunctionType
from typing import Any

from scorehost import errors, inputs

# Of code objects; the module inspect is too dear to be imported for them.
_CO_VARARGS = 0x04
_CO_VARKEYWORDS = 0x08


def parameters_of(run: Any) -> dict[str, Any]:
    """Returns the names of run()'s parameters with their defaults, in order.

    A parameter without a default has ``inputs.REQUIRED``.
    """
    if type(run) is FunctionType and not {"__wrapped__", "__signature__"} & run.__dict__.keys():
        return _from_code(run)
    return _from_signature(run)


def _refuse_variadic() -> None:
    raise errors.UserScriptError(
        "run() cannot accept positional-only arguments, *args, or **kwargs."
    )


def _from_code(run: FunctionType) -> dict[str, Any]:
    code = run.__code__
    if code.co_posonlyargcount or code.co_flags & (_CO_VARARGS | _CO_VARKEYWORDS):
        _refuse_variadic()
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    found: dict[str, Any] = dict.fromkeys(names, inputs.REQUIRED)
    defaults = run.__defaults__ or ()
    found.update(zip(names[count - len(defaults) : count], defaults))
    found.update(run.__kwdefaults__ or {})
    return found


def _from_signature(run: Any) -> dict[str, Any]:
    import inspect

    found = {}
    for name, parameter in inspect.signature(run).parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            _refuse_variadic()
        given = parameter.default is not parameter.empty
        found[name] = parameter.default if given else inputs.REQUIRED
    return found
