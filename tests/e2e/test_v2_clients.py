"""Requests in the forms that other clients give them, and what those need of the answers.

KServe's InferenceRESTClient, MLServer's types and its `infer`, and what people type by hand.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest

from .conftest import Make
from .host import Host
from .test_v2 import INFER, LENGTH, MODEL, sums
from .wire import Response

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

JSON = ("Content-Type", "application/json")


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("v2_rows.py")


def ask(server: Host, body: bytes, *headers: tuple[str, str]) -> Response:
    return server.ask("POST", INFER, body, [JSON, *headers])


def check_answer(response: Response) -> dict[str, Any]:
    """The keys that every client's types ask for are there, and of their type."""
    assert response.status == 200, response.body
    told: dict[str, Any] = response.json
    assert isinstance(told["model_name"], str) and isinstance(told["model_version"], str)
    for output in told["outputs"]:
        assert isinstance(output["name"], str) and isinstance(output["datatype"], str)
        assert all(isinstance(length, int) for length in output["shape"])
        assert isinstance(output["data"], list)
    return told


# KServe's keys come in this order, with the model's name among them.
KSERVE = {
    "id": "7", "model_name": "v2_rows",
    "inputs": [
        {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0.0, 1.0, 2.0, 3.0]},
        {"name": "n", "shape": [1, 1], "datatype": "INT8", "data": [1]},
    ],
    "outputs": [{"name": "sum", "parameters": {"binary_data": False}}], "parameters": {"p": 1},
}


def test_kserve_in_json(server: Host) -> None:
    response = ask(server, json.dumps(KSERVE).encode())
    assert sums(response) == [7.0]
    told = check_answer(response)
    assert (told["id"], told["parameters"]) == ("7", {"p": 1})


def test_kserve_in_binary(server: Host) -> None:
    asked = json.loads(json.dumps(KSERVE))
    for item, size in zip(asked["inputs"], (16, 1)):
        del item["data"]
        item["parameters"] = {"binary_data_size": size}
    asked["outputs"][0]["parameters"]["binary_data"] = True
    head = json.dumps(asked, separators=(",", ":")).encode()
    response = server.ask("POST", INFER, head + struct.pack("<4fb", 0, 1, 2, 3, 1), [
        ("Content-Type", "application/octet-stream"), (LENGTH.lower(), str(len(head))),
        ("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate"),
    ])
    assert response.status == 200, response.body
    assert struct.unpack("<f", response.body[int(response.get(LENGTH) or 0):]) == (7.0,)


@pytest.mark.parametrize("target", ["/v2/health/live", "/v2/health/ready", MODEL + "/ready"])
def test_kserve_asks_whether_it_is_there(server: Host, target: str) -> None:
    told = server.ask("GET", target, headers=[("Accept", "application/json")]).json
    assert told.get("live", told.get("ready")) is True


def mlserver(**more: Any) -> dict[str, Any]:
    """What MLServer's types make of arrays: content types, and nulls for what is not there."""
    def tensor(name: str, shape: list[int], datatype: str, data: list[float]) -> dict[str, Any]:
        return {"name": name, "shape": shape, "datatype": datatype,
                "parameters": {"content_type": "np", "headers": None}, "data": data}

    return {
        "id": None, "parameters": None,
        "inputs": [tensor("x", [2, 4], "FP32", [1.0] * 8), tensor("n", [2, 1], "INT8", [0, 0])],
        "outputs": None, **more,
    }


def test_mlserver(server: Host) -> None:
    response = ask(server, json.dumps(mlserver()).encode())
    assert sums(response) == [4.0, 4.0]
    assert "id" not in check_answer(response)


def test_mlservers_infer(server: Host) -> None:
    told = check_answer(ask(server, json.dumps(mlserver(
        id="a", parameters={"content_type": "np", "headers": {"x": "y"}, "batch_index": 3},
        outputs=[{"name": "sum", "parameters": None}],
    )).encode()))
    assert told["id"] == "a" and told["parameters"]["batch_index"] == 3
    assert len(told["outputs"]) == 1


def test_what_mlserver_asks_of_the_server_and_the_model(server: Host) -> None:
    told = server.ask("GET", "/v2").json
    assert {"name", "version", "extensions"} <= told.keys()
    assert all(isinstance(item, str) for item in told["extensions"])
    told = server.ask("GET", MODEL).json
    assert {"name", "versions", "platform", "inputs", "outputs"} <= told.keys()
    assert all(item.keys() == {"name", "datatype", "shape"} for item in told["inputs"])


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", "application/x-www-form-urlencoded",
     "text/plain;charset=UTF-8"],
)
@pytest.mark.parametrize("indent", [None, 4])
def test_what_people_type(server: Host, kind: str, indent: int | None) -> None:
    """curl -d with and without a header, a browser's fetch, JSON that was written by hand."""
    asked = {
        "inputs": [
            {"name": "n", "shape": [1, 1], "datatype": "INT8", "data": [[3]]},
            {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]},
        ]
    }
    body = json.dumps(asked, indent=indent).encode() + b"\n"
    response = server.ask("POST", INFER, body, [("Content-Type", kind), ("User-Agent", "curl/8")])
    assert sums(response) == [13.0]


def test_a_body_with_a_mark_of_its_byte_order(server: Host) -> None:
    assert sums(ask(server, b"\xef\xbb\xbf" + json.dumps(mlserver()).encode())) == [4.0, 4.0]


def test_unknown_keys_are_passed_by_at_every_level(server: Host) -> None:
    asked = mlserver(more={"a": [1, {}]}, model_name="other", raw_output=False)
    asked["inputs"][0]["contents"] = {"fp32_contents": [1]}
    asked["outputs"] = [{"name": "sum", "datatype": "FP32", "shape": [1], "parameters": {"q": 1}}]
    assert sums(ask(server, json.dumps(asked).encode())) == [4.0, 4.0]
