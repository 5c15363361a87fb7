"""Scripts that declare no outputs: what is made of all that run() may return."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Make
from .host import Host
from .wire import Response

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

INFINITY = float("inf")

#: What is returned, the answer on /score, and the outputs of v2: datatype, shape, data.
GOOD: dict[str, tuple[Any, list[tuple[str, str, list[int], list[Any]]]]] = {
    "scalar": (5, [("output0", "INT64", [], [5])]),
    "float": (0.1, [("output0", "FP32", [], [0.1])]),
    "truth": (True, [("output0", "BOOL", [], [True])]),
    "text": ("\u00e9\0", [("output0", "BYTES", [], ["\u00e9\0"])]),
    "list": ([1, 2, 3], [("output0", "INT64", [3], [1, 2, 3])]),
    "dict": ({"a": [1], "b": [[1.0, 1.0], [1.0, 1.0]]},
             [("a", "INT64", [1], [1]), ("b", "FP64", [2, 2], [1.0] * 4)]),
    "empty": ({}, []),
    "tuple": ({"output0": [1.0, 1.0], "output1": [0.0]},
              [("output0", "FP64", [2], [1.0, 1.0]), ("output1", "FP64", [1], [0.0])]),
    "large": ([2**64 - 1], [("output0", "UINT64", [1], [2**64 - 1])]),
    "big-endian": ([1, 2], [("output0", "INT32", [2], [1, 2])]),
    "backwards": ([5, 3, 1], [("output0", "INT64", [3], [5, 3, 1])]),
    "turned": ([[0, 3], [1, 4], [2, 5]], [("output0", "INT64", [3, 2], [0, 3, 1, 4, 2, 5])]),
    "no-rows": ([], [("output0", "FP32", [0, 3], [])]),
    "texts": (["a", "\U0001f600"], [("output0", "BYTES", [2], ["a", "\U0001f600"])]),
    "bytes": (["a\0b", "c"], [("output0", "BYTES", [2], ["a\0b", "c"])]),
}

#: What no tensor can be made of, and what a client of v2 is told.
BAD = {
    "mixed": "BYTES", "ragged": "NumPy", "complex": "complex128", "dates": "datetime64",
    "objects": "BYTES", "none": "None", "too-deep": "32", "too-many": "64", "no-name": "name",
    "too-long": "name",
}


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("any_output.py")


def score(server: Host, what: str) -> Response:
    return server.post(json.dumps({"what": [what]}), ("Content-Type", "application/json"))


def infer(server: Host, what: str, **more: Any) -> Response:
    inputs = [{"name": "what", "datatype": "BYTES", "shape": [1], "data": [what]}]
    body = json.dumps({"inputs": inputs, **more}).encode()
    return server.ask("POST", "/v2/models/any_output/infer", body)


@pytest.mark.parametrize("what", GOOD)
def test_what_can_be_sent(server: Host, what: str) -> None:
    answer, outputs = GOOD[what]
    response = score(server, what)
    assert response.status == 200 and response.json == answer
    told = infer(server, what).json["outputs"]
    keys = ("name", "datatype", "shape", "data")
    assert [tuple(item[key] for key in keys) for item in told] == outputs


def test_what_is_no_number(server: Host) -> None:
    assert score(server, "edges").body == b"[NaN, Infinity, -Infinity, -0.0]"
    (output,) = infer(server, "edges").json["outputs"]
    assert output["data"][1:] == [INFINITY, -INFINITY, 0.0] and output["data"][0] != 0


@pytest.mark.parametrize("what", BAD)
def test_what_cannot(server: Host, what: str) -> None:
    response = score(server, what)
    assert response.status == 500
    assert response.message.startswith("An unexpected error occurred in scoring script")
    response = infer(server, what)
    assert response.status == 500 and BAD[what] in response.json["error"]
    assert score(server, "scalar").json == 5


def test_bytes_that_are_no_text(server: Host) -> None:
    assert score(server, "raw").json == "\ufffd"
    response = infer(server, "raw")
    assert response.status == 400 and "binary_data" in response.json["error"]
    wish = [{"name": "output0", "parameters": {"binary_data": True}}]
    assert infer(server, "raw", outputs=wish).body.endswith(b"\1\0\0\0\xff")


def test_an_output_that_is_not_there(server: Host) -> None:
    response = infer(server, "dict", outputs=[{"name": "c"}])
    assert response.status == 400 and '"c"' in response.json["error"]
    told = infer(server, "dict", outputs=[{"name": "b"}]).json["outputs"]
    assert [item["name"] for item in told] == ["b"]
