"""Serves the module names that scoring scripts import.

Two finders on ``sys.meta_path``. The first wins over an installed package
and never over a module of the user's own; the last serves what nobody else
has.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
else:
    Loader = object

_HERE = os.path.dirname(os.path.abspath(__file__))
_SERVER = "azureml_inference_server_http"
_SERVICES = "azureml.contrib.services"
_ALIASES = {
    f"{_SERVICES}.aml_request": f"{_SERVER}.api.aml_request",
    f"{_SERVICES}.aml_response": f"{_SERVER}.api.aml_response",
}
_PARENTS = ("azureml", "azureml.contrib", _SERVICES)
_SHIM = "inference_schema"


def install(*user_dirs: str) -> None:
    """Puts the finders in place; a second call only adds folders.

    ``user_dirs`` are folders, beside the current one and the application
    root, whose modules are the user's own.
    """
    first = next((item for item in sys.meta_path if isinstance(item, _First)), None)
    if first is None:
        first = _First()
        sys.meta_path.insert(0, first)
        sys.meta_path.append(_Last())
    first.user_dirs += [folder for folder in user_dirs if folder not in first.user_dirs]


class _First:
    """Serves our names before anybody else is asked."""

    def __init__(self) -> None:
        self.user_dirs: list[str] = []

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of a module that is served from here."""
        if name == _SERVER:
            return None if self._is_users(name) else _package(name, "compat", _SERVER)
        if name in _ALIASES and not self._is_users(name):
            return ModuleSpec(name, _Alias(_ALIASES[name]))
        return None

    def _is_users(self, name: str) -> bool:
        parts = name.split(".")
        app_root = os.environ.get("AML_APP_ROOT", "")
        for folder in (os.getcwd(), app_root, *self.user_dirs):
            base = os.path.join(app_root, folder, *parts)
            if os.path.isfile(base + ".py") or os.path.isfile(os.path.join(base, "__init__.py")):
                return True
        return False


class _Last:
    """Serves what is not installed."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns the spec of a module that nobody else has."""
        if name in _PARENTS:
            return ModuleSpec(name, _Empty(), is_package=True)
        if name == _SHIM:
            return _package(name, "schema")
        return None


def _package(name: str, *folders: str) -> ModuleSpec | None:
    folder = os.path.join(_HERE, *folders)
    path = os.path.join(folder, "__init__.py")
    # Its modules are then found in the usual way, by the package's path.
    return spec_from_file_location(name, path, submodule_search_locations=[folder])


class _Empty(Loader):
    """Makes a package with nothing in it."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leaves it to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Has nothing to execute."""


class _Alias(Loader):
    """Gives a module of ours another name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leaves it to the import system: the module under the first name keeps its spec."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Puts the module itself where the import system will look for it."""
        sys.modules[module.__name__] = import_module(self.name)
