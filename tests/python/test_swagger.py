"""The documents of /swagger.json, byte for byte."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import logged, settings_for

from scorehost import hook, swagger

ALL = "I Swaggers are prepared for the following versions: [2, 3, 3.1]."


def build(root: Path, **fields: Any) -> tuple[dict[str, bytes], list[str]]:
    with logged("azmlinfsrv.swagger") as lines:
        return swagger.build(settings_for(root, **fields), None), lines


def sums(documents: dict[str, bytes]) -> dict[str, str]:
    return {version: hashlib.md5(text).hexdigest() for version, text in documents.items()}


def test_the_default_documents(tmp_path: Path) -> None:
    documents, lines = build(tmp_path)
    assert [len(text) for text in documents.values()] == [2198, 2359, 2359]
    assert sums(documents) == {
        "2": "6bcac1c15ee81e3c244642ef4db72822",
        "3": "0826fc67d3c799bd4d3aaa608dc84438",
        "3.1": "8ccd693ba46106e2b62c521261e815d6",
    }
    assert lines == [ALL]


def test_names_and_prefix(tmp_path: Path) -> None:
    named = {"service_name": "n\u00e9w", "service_path_prefix": "//a/b/", "service_version": "7"}
    assert sums(build(tmp_path, **named)[0]) == {
        "2": "fc568ed4e5d33b9d973db6c1e45e1d0c",
        "3": "b87dd93a137c33624c321abdf5e85211",
        "3.1": "a8c06501d342c76b26077b15d55ed3ea",
    }


def test_a_quote_in_the_name(tmp_path: Path) -> None:
    """Difference: it does not stop the server."""
    name = 'my "own" \\ service'
    for text in build(tmp_path, service_name=name)[0].values():
        assert json.loads(text)["info"]["title"] == name


def test_the_users_own_files(tmp_path: Path) -> None:
    (tmp_path / "swagger.json").write_text("{}")
    (tmp_path / "swagger2.json").write_text('{"x":"\u00e9"}', encoding="utf-8")
    (tmp_path / "swagger3.json").write_text('"text"')
    (tmp_path / "swagger3.1.json").write_text("[]")
    documents, lines = build(tmp_path)
    assert documents["2"] == b'{"x": "\\u00e9"}'
    assert documents["3"] == b'"text"'
    assert len(documents["3.1"]) == 2359
    loaded = "I Loaded user's swagger file for version"
    assert lines == [
        f"{loaded} [2] from {tmp_path / 'swagger.json'}",
        f"{loaded} [2] from {tmp_path / 'swagger2.json'}",
        f"{loaded} [3] from {tmp_path / 'swagger3.json'}",
        f"{loaded} [3.1] from {tmp_path / 'swagger3.1.json'}",
        ALL,
    ]


def test_the_first_name_wins(tmp_path: Path) -> None:
    for name in ("swagger.json", "swagger2.json"):
        (tmp_path / name).write_text(json.dumps({"from": name}))
    assert json.loads(build(tmp_path)[0]["2"]) == {"from": "swagger.json"}


@pytest.mark.parametrize("text", [b'{"a"', b"\xff", b"[" * 100_000], ids=["cut", "bytes", "deep"])
def test_a_file_that_cannot_be_read(tmp_path: Path, text: bytes) -> None:
    """Difference: it is left out with an error line; the server starts."""
    (tmp_path / "swagger3.json").write_bytes(text)
    documents, lines = build(tmp_path)
    assert len(documents["3"]) == 2359
    assert lines[0].startswith(f"E The swagger file {tmp_path / 'swagger3.json'} is left out")


@pytest.mark.parametrize(
    ("supported", "line"),
    [
        (
            ["3.0", "3.1"],
            "Swaggers are prepared for versions [3, 3.1] and skipped for versions [2].",
        ),
        ([], "No swagger is prepared."),
    ],
)
def test_versions_that_a_sample_rules_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, supported: list[str], line: str
) -> None:
    class Util:
        get_supported_versions = staticmethod(lambda run: supported)
        get_input_schema = get_output_schema = staticmethod(lambda run: {})

    monkeypatch.setitem(sys.modules, "inference_schema.schema_util", Util)  # type: ignore
    with logged("azmlinfsrv.swagger") as lines:
        documents = swagger.build(settings_for(tmp_path), print)
    assert list(documents) == [{"3.0": "3", "3.1": "3.1"}[version] for version in supported]
    assert lines == [f"I {line}"]


HEAD = """
from inference_schema.schema_decorators import input_schema, output_schema
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType as P)
def init(): pass
"""
DECORATED = [
    (
        "@input_schema('a', P(1))\n@input_schema('b', P('x'))\n@output_schema(P({'r': 1.5}))\n"
        "def run(a, request_headers, b, c=3, d=None): pass",
        ["82c246d0cc92ec2e61836180b60fcf69", "4ecc97fbcb5cebb6a4f6332e963256ae"],
    ),
    (
        "@output_schema(P([1, 2]))\ndef run(data, request_headers=None): pass",
        ["086ed1a24ee4b6bd76afa8eed3629885", "b8b7f4a0c768574e8b2f8c9b91ffcc9a"],
    ),
    (
        "@input_schema('z', P([{'a': 1}]))\ndef run(data, z): pass",
        ["e013a3dc308b43594a7bcf220cb6e97d", "51475785dd2a0eb4d2bd49eaf8160a5c"],
    ),
    (
        "@input_schema('z', P([1, 'a']))\n@output_schema(P(1))\ndef run(z): pass",
        [None, "eccb2db50133e230f69cf080d770989c"],
    ),
    (
        "@input_schema('z', P(1))\n@output_schema(P([1, 'a']))\ndef run(z): pass",
        [None, "362a1d40a034de989cad64b1e183b96e"],
    ),
    (
        "@input_schema('z', P(1))\n@input_schema('y', P([1, 'a']))\ndef run(z, y): pass",
        ["85d03718661a0dfe6f5d3aba73b8fb3c", "8364a6503ae52ff1eb3b6199eb168cf6"],
    ),
    (
        "@input_schema('z', P([1, 'a']))\n@input_schema('y', P(1))\ndef run(z, y): pass",
        [None, "1e0328d6b347dccb33f873fd4a666f15"],
    ),
    (
        "@input_schema('nope', P(1))\ndef run(z): pass",
        ["a7a2e10195748b70af0b61eaef0f8678", "6e8785451830a62343632d451fa8367c"],
    ),
]
CHILD = """
import hashlib, importlib.machinery, json, sys
from scorehost import script, settings
if sys.argv[2] == "shim":
    find = importlib.machinery.PathFinder.find_spec
    importlib.machinery.PathFinder.find_spec = classmethod(
        lambda cls, name, path=None, target=None:
            None if name == "inference_schema" else find(name, path, target))
conf = settings.Settings()
conf.app_root, conf.entry_script = sys.argv[1], "score.py"
loaded = script.load(conf)
loaded.prepare_swaggers()
assert ("scorehost" in sys.modules["inference_schema"].__file__) == (sys.argv[2] == "shim")
print(json.dumps({key: hashlib.md5(text).hexdigest() for key, text in loaded.swaggers.items()}))
"""


@pytest.mark.parametrize("package", ["shim", "real"])
@pytest.mark.parametrize(("source", "expected"), DECORATED)
def test_decorated_scripts(tmp_path: Path, package: str, source: str, expected: Any) -> None:
    if package == "real":
        pytest.importorskip("inference_schema", reason="needs the real inference-schema")
    (tmp_path / "score.py").write_text(HEAD + source)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), package],
        env={**os.environ, "PYTHONPATH": str(Path(hook.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [found.get("2"), found["3"]] == expected
