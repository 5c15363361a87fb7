"""Scripts with tensors: what /score takes and gives, and what it refuses."""

from __future__ import annotations

import io
import json
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scorehost.reply import SCRIPT_FAILED

from .conftest import Make
from .host import Host

pytestmark = pytest.mark.kinds(
    "process", "thread", why="NumPy does not load in interpreters of their own"
)

JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def tensors(module_host: Make) -> Host:
    return module_host("tensors.py")


def body(x: object, what: str = "") -> str:
    return json.dumps({"x": x, "what": [what]})


def test_arrays_come_and_go(tensors: Host) -> None:
    got = tensors.post(body([[1, 2, 3], [0.5, 1e3, -7]]), JSON)
    assert got.status == 200
    assert got.json == {"sum": [[6.0], [993.5]], "text": ["6", "993"]}
    assert got.get("x-ms-run-fn-exec-ms") is not None


@pytest.mark.parametrize("order", ["double", "turned"])
def test_what_needs_a_cast_or_a_copy_is_the_same(tensors: Host, order: str) -> None:
    got = tensors.post(body([[1, 2, 3]], order), JSON)
    assert got.status == 200
    assert got.json["sum"] == [[6.0]]


def test_a_large_array_is_exact(tensors: Host) -> None:
    x = np.random.default_rng(1).random((20_000, 3), dtype=np.float32)
    got = tensors.post(body(x.astype(np.float64).tolist()), JSON)
    assert np.array_equal(np.array(got.json["sum"], np.float32), x.sum(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ('{"x": [[1, 2, 3], [4, 5]], "what": ["a"]}', "[1], byte 23: a list of 2"),
        ('{"x": [[1, 2]], "what": ["a"]}', "its shape is [1,2]"),
        ('{"x": [[1, 2, "3"]], "what": ["a"]}', '[0][2], byte 14'),
        ('{"x": [[1, 2, 3]]}', '"what" is missing'),
        ('{"x": [[1, 2, 3]], "what": ["a"], "z": 1}', 'no argument "z"'),
        ('{"x": [[1, 2, 3]], "what": ["a", "b"]}', "its shape is [2]"),
        ("[1, 2]", "line 1, column 1"),
        ("{", "line 1, column 2"),
    ],
)
def test_refusals_say_where(tensors: Host, data: str, said: str) -> None:
    got = tensors.post(data, JSON)
    assert got.status == 400
    assert said in got.json["message"]


def test_a_script_that_fails(tensors: Host) -> None:
    got = tensors.post(body([[1, 2, 3]], "raise"), JSON)
    assert got.status == 500
    assert got.get("x-ms-run-function-failed") == "True"
    assert "as ordered" in tensors.stdout + tensors.stderr
    assert tensors.post(body([[1, 2, 3]], "missing"), JSON).status == 500
    assert "text" in tensors.stdout + tensors.stderr


def infer(server: Host, x: list[list[float]], what: str = "", **more: object) -> object:
    inputs = [
        {"name": "x", "datatype": "FP32", "shape": [len(x), 3], "data": x},
        {"name": "what", "datatype": "BYTES", "shape": [1], "data": [what]},
    ]
    data = json.dumps({"inputs": inputs, **more}).encode()
    return server.ask("POST", "/v2/models/tensors/infer", data, [JSON])


def test_v2(tensors: Host) -> None:
    got = infer(tensors, [[1, 2, 3]], id="seven")
    assert got.status == 200
    assert got.json["id"] == "seven"
    by_name = {item["name"]: item for item in got.json["outputs"]}
    assert by_name["sum"]["data"] == [6.0] and by_name["sum"]["shape"] == [1, 1]
    assert by_name["text"]["data"] == ["6"]


def test_v2_in_binary(tensors: Host) -> None:
    wish = [{"name": "sum", "parameters": {"binary_data": True}}]
    got = infer(tensors, [[1, 2, 3], [4, 5, 6]], outputs=wish)
    length = int(got.get("inference-header-content-length"))
    assert got.get("content-type") == "application/octet-stream"
    assert struct.unpack("<2f", got.body[length:]) == (6.0, 15.0)


def test_v2_errors_tell_no_traceback(tensors: Host) -> None:
    got = infer(tensors, [[1, 2, 3]], "raise")
    assert got.status == 500
    assert got.json == {"error": SCRIPT_FAILED}
    got = infer(tensors, [[1, 2]])
    assert got.status == 400 and "error" in got.json


ASYNC = """
import asyncio

import scorehost


def init():
    pass


@scorehost.tensor(inputs={"x": ("FP32", [-1, 2])}, outputs={"y": ("FP32", [-1, 2])})
async def run(x):
    await asyncio.sleep(0.002)
    if x[0, 0] < 0:
        raise ValueError("as ordered")
    return x * 2
"""


def test_coroutines(host: Make) -> None:
    server = host("", "--entry_script", "score.py", "--worker_count", "2",
                  files={"score.py": ASYNC}, wait=False).wait_ready(2)

    def ask(number: int) -> None:
        got = server.post(json.dumps({"x": [[number, 1]] * (1 + number % 3)}), JSON)
        assert got.json == [[2.0 * number, 2.0]] * (1 + number % 3)
        assert server.post(json.dumps({"x": [[-1, number]]}), JSON).status == 500

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(ask, range(30)))


@pytest.fixture(scope="module")
def batches(module_host: Make) -> Host:
    return module_host("batches.py")


@pytest.mark.parametrize("target", ["/score", "/v2/models/batches/infer"])
def test_one_tensor_as_a_file_or_raw(batches: Host, target: str) -> None:
    x = np.arange(6, dtype=np.float64).reshape(2, 3)
    file = io.BytesIO()
    np.save(file, x)
    npy = [("Content-Type", "application/x-npy")]
    raw = [("Content-Type", "application/octet-stream"), ("Tensor-Datatype", "FP64"),
           ("Tensor-Shape", "2, 3")]
    for data, headers in ((file.getvalue(), npy), (x.tobytes(), raw)):
        got = batches.ask("POST", target, data, headers)
        assert got.status == 200, got.body
        rows = got.json if target == "/score" else got.json["outputs"][0]["data"]
        assert np.array(rows).reshape(2, 2).tolist() == [[3.0, 0.0], [12.0, 3.0]]
