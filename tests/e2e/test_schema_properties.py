"""Unmodified scripts with NumPy schemas: what C decodes is what the decorators make of the same.

The script is imported here as well, and called with what `json` reads: the
server must answer each body as the contract does, in the same words.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scorehost.reply import SCRIPT_FAILED

from .conftest import Make
from .host import OWN_SCRIPTS, Host
from .test_v2_properties import bounded

pytest.importorskip("inference_schema", reason="needs the real inference-schema")

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

JSON = ("Content-Type", "application/json")
SCRIPT = OWN_SCRIPTS / "numpy_schemas.py"
CASES = ("matrix", "single", "half", "flat", "cube", "ints", "long", "bytes", "bools",
         "loose-shape", "loose-type", "loose", "text", "big-endian", "two", "beside")


@functools.cache
def function(case: str) -> Callable[..., Any]:
    """run() of the script, decorated by the real package."""
    before = {name: os.environ.get(name) for name in ("CASE", "SCHEMAS")}
    os.environ["CASE"] = case
    os.environ.pop("SCHEMAS", None)
    try:
        spec = importlib.util.spec_from_file_location(f"numpy_schemas_{case}", SCRIPT)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    found: Callable[..., Any] = module.run
    return found


def expected(case: str, body: str) -> tuple[int, str]:
    """What the contract answers: a status, and the text of the body or of the message."""
    names = ["data", "scale"] if case in ("two", "beside") else ["data"]
    value = json.loads(body)
    for name in names:
        if name not in value:
            return 400, f"A value is not provided for the {name!r} parameter."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(case)(**{name: value[name] for name in names})
        except Exception:
            return 500, SCRIPT_FAILED
    return 200, json.dumps(result)


@pytest.fixture(scope="module")
def servers(module_host: Make) -> Callable[[str, str], Host]:
    """One for each case and each package, started when it is needed."""

    @functools.cache
    def server(case: str, package: str) -> Host:
        return module_host(
            "numpy_schemas.py", env={"CASE": case, "SCHEMAS": package}, life_s=1800.0
        )

    return server


NUMBERS = (
    st.integers(-3, 300) | st.floats(-1e3, 1e3) | st.integers() | st.floats()
    | st.sampled_from([2**31, 2**63, 2**64, -2**63, 10**400, 1e39, 65520.0, True, False, 1.0, -0.0])
)
ODD = NUMBERS | st.none() | st.text(max_size=4) | st.sampled_from([{}, [], "1", "2.5", "nan"])


def lists(elements: st.SearchStrategy[Any], *lengths: int) -> st.SearchStrategy[Any]:
    """Lists in each other of these lengths, with one to three at the outside."""
    made = elements
    for length in reversed(lengths):
        made = st.lists(made, min_size=length, max_size=length)
    return st.lists(made, min_size=0, max_size=3)


VALUES = (
    lists(NUMBERS, 3) | lists(st.integers(0, 100), 3) | lists(st.floats(width=32), 3)
    | lists(NUMBERS) | lists(NUMBERS, 2, 3) | lists(ODD, 3) | lists(st.booleans(), 3)
    | lists(st.text(max_size=4), 3) | lists(NUMBERS, 2) | st.lists(lists(NUMBERS), max_size=3)
    | st.recursive(ODD, lambda inner: st.lists(inner, max_size=3), max_leaves=8)
)
BODIES = st.fixed_dictionaries(
    {"data": VALUES},
    optional={"scale": st.lists(NUMBERS, max_size=2) | NUMBERS, "more": ODD},
) | st.dictionaries(st.sampled_from(["data", "scale", "dat"]), VALUES, max_size=2)


@pytest.mark.parametrize("package", ["package", "ours"])
@pytest.mark.parametrize("case", CASES)
@bounded
@given(body=BODIES.map(json.dumps))
def test_a_body_is_answered_as_the_decorators_would(
    servers: Callable[[str, str], Host], case: str, package: str, body: str
) -> None:
    if case in ("two", "beside") and '"scale"' not in body:
        body = json.dumps({**json.loads(body), "scale": [2] if case == "two" else 2})
    status, text = expected(case, body)
    response = servers(case, package).post(body, JSON)
    found = response.body.decode() if status == 200 else response.message
    assert (response.status, found) == (status, text)
