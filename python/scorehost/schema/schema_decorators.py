"""The decorators for ``run()``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from . import registry
from .parameter_types.abstract_parameter_type import AbstractParameterType

_LISTS = (list, tuple)  # JSON knows only one of them
_Function = TypeVar("_Function", bound=Callable[..., Any])

# Word for word the package's.
_NOT_A_TYPE = "Error, provided param_type must be a subclassof the AbstractParameterType."


def input_schema(
    param_name: str,
    param_type: AbstractParameterType,
    convert_to_provided_type: bool = True,
    optional: bool = False,
) -> Callable[[_Function], _Function]:
    """Describes a parameter by a sample, and converts what is given for it.

    An ``optional`` one may be None. The function keeps its signature.
    """
    if not isinstance(param_type, AbstractParameterType):
        raise Exception(_NOT_A_TYPE)

    def convert(value: Any) -> Any:
        if not convert_to_provided_type or (optional and value is None):
            return value
        return _converted(value, param_type)

    def decorate(function: _Function) -> _Function:
        names = list(inspect.signature(function).parameters)
        registry.add_input(function, names, param_name, param_type.input_to_swagger())
        registry.add_versions(function, registry.INPUT, param_type.supported_versions())
        run = _converting(function, names, param_name, convert)
        # For the server (scorehost.model), as a wrapper on top copies it.
        note = {
            "of": run,
            "param_name": param_name,
            "param_type": param_type,
            "convert_to_provided_type": convert_to_provided_type,
            "optional": optional,
        }
        setattr(run, "__inference_schema__", note)
        return run

    return decorate


def _converting(
    function: _Function, names: list[str], name: str, convert: Callable[[Any], Any]
) -> _Function:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if args and _is_batch_call(args[0]):
            return function(*args, **kwargs)
        if name not in names:
            raise Exception(
                f'Error, provided param_name "{name}" is not in the decorated function.'
            )
        position = names.index(name)
        if name in kwargs:
            kwargs[name] = convert(kwargs[name])
        elif position < len(args):
            args = (*args[:position], convert(args[position]), *args[position + 1 :])
        return function(*args, **kwargs)

    return run  # type: ignore[return-value]


def _is_batch_call(value: Any) -> bool:
    """Tells whether a caller hands over everything in a form of its own."""
    return isinstance(value, dict) and value.keys() == {"parameters", "input_string"}


def _converted(value: Any, param_type: AbstractParameterType) -> Any:
    elements = getattr(param_type, "sample_data_type_list", None)
    if elements and isinstance(value, _LISTS):
        return [_converted(item, elements[0]) for item in value]
    members = getattr(param_type, "sample_data_type_map", None)
    if members and isinstance(value, dict):
        return {
            key: _converted(item, members[key]) if key in members else item
            for key, item in value.items()
        }
    if isinstance(value, param_type.sample_data_type):
        return value
    if isinstance(value, _LISTS) and issubclass(param_type.sample_data_type, _LISTS):
        return value
    return param_type.deserialize_input(value)


def output_schema(output_type: AbstractParameterType) -> Callable[[_Function], _Function]:
    """Describes the result by a sample; the result is never converted."""
    if not isinstance(output_type, AbstractParameterType):
        raise Exception(_NOT_A_TYPE)

    def decorate(function: _Function) -> _Function:
        registry.add_output(function, output_type.input_to_swagger())
        registry.add_versions(function, registry.OUTPUT, output_type.supported_versions())
        return function

    return decorate
