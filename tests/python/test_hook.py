"""Which module a script gets under the names that we serve."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scorehost import hook

PACKAGE = str(Path(hook.__file__).parent)


def child(code: str, cwd: Path, *paths: Path, **env: str) -> str:
    """Runs code in an interpreter of its own and returns what it prints."""
    path = os.pathsep.join([*map(str, paths), str(Path(hook.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, **env},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


HOOK = "from scorehost import hook; hook.install()\n"
FILE = "import {0}; print({0}.__file__)"
SERVER = "azureml_inference_server_http"
SERVICES = "azureml.contrib.services.aml_request"


@pytest.mark.parametrize(
    "code",
    [
        f"import {SERVICES} as m",
        f"import {SERVICES}\nm = azureml.contrib.services.aml_request",
        "from azureml.contrib.services import aml_request as m",
        f"from {SERVER}.api import aml_request as m",
    ],
)
def test_every_form_of_import_gives_the_same_module(tmp_path: Path, code: str) -> None:
    """Difference: the plain form works too."""
    check = f"\nimport {SERVER}.api.aml_request as own\nassert m is own, m\nprint(m.__name__)"
    assert child(HOOK + code + check, tmp_path) == f"{SERVER}.api.aml_request"


def test_ours_wins_over_an_installed_package(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write(site / SERVER / "__init__.py", "raise ImportError('the installed one')")
    write(site / "azureml" / "contrib" / "services" / "aml_request.py", "raise ImportError")
    (tmp_path / "cwd").mkdir()
    assert PACKAGE in child(HOOK + FILE.format(SERVER), tmp_path / "cwd", site)
    assert PACKAGE in child(HOOK + FILE.format(SERVICES), tmp_path / "cwd", site)


def test_the_rest_of_an_installed_azureml_stays(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write(site / "azureml" / "__init__.py", "here = 1")
    write(site / "azureml" / "core.py", "x = 1")
    code = f"import azureml.core, {SERVICES}, azureml\nprint(azureml.here, azureml.core.x)"
    assert child(HOOK + code, tmp_path, site) == "1 1"


@pytest.mark.parametrize("where", ["cwd", "root", "source"])
@pytest.mark.parametrize("name", [SERVER, SERVICES])
def test_a_module_of_the_users_own_is_not_shadowed(tmp_path: Path, where: str, name: str) -> None:
    cwd, root = tmp_path / "cwd", tmp_path / "root"
    folder = {"cwd": cwd, "root": root, "source": root / "source"}[where]
    cwd.mkdir()
    path = folder / (name.replace(".", "/") + ".py")
    write(path)
    code = "from scorehost import hook; hook.install('source'); hook.install('source')\n"
    found = child(code + FILE.format(name), cwd, folder, AML_APP_ROOT=str(root))
    assert found == str(path)


def test_an_installed_package_below_the_current_folder_is_not_the_users_own(
    tmp_path: Path,
) -> None:
    site = tmp_path / ".venv" / "site-packages"
    write(site / SERVER / "__init__.py")
    assert PACKAGE in child(HOOK + FILE.format(SERVER), tmp_path, site)


def test_the_real_inference_schema_wins(tmp_path: Path) -> None:
    write(tmp_path / "site" / "inference_schema" / "__init__.py")
    found = child(HOOK + FILE.format("inference_schema"), tmp_path, tmp_path / "site")
    assert found == str(tmp_path / "site" / "inference_schema" / "__init__.py")


def test_the_shim_is_there_otherwise(tmp_path: Path) -> None:
    code = """
import sys
from importlib.machinery import PathFinder
from scorehost import hook
hook.install()
find = PathFinder.find_spec
PathFinder.find_spec = lambda name, path=None, target=None: (
    None if name == "inference_schema" else find(name, path, target))
from inference_schema.schema_util import is_schema_decorated
print(is_schema_decorated.__module__, sys.modules["inference_schema"].__file__)
"""
    name, file = child(code, tmp_path).split(" ", 1)
    assert name == "inference_schema.schema_util"
    assert file.startswith(PACKAGE)


def test_installing_twice_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    hook.install("a")
    before = list(sys.meta_path)
    hook.install("a", "b")
    assert sys.meta_path == before
    kinds = [type(finder).__name__ for finder in before]
    assert (kinds[0], kinds[-1], kinds.count("_First")) == ("_First", "_Last", 1)


def test_other_names_are_none_of_our_business(tmp_path: Path) -> None:
    code = "\ntry:\n  import azureml.other\nexcept ModuleNotFoundError as e:\n  print(e.name)"
    assert child(HOOK + code, tmp_path) == "azureml.other"
