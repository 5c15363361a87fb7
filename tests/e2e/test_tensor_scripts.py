"""Scripts with tensors and batches on /score: the contract's way in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Make
from .host import Host
from .wire import request

JSON = ("Content-Type", "application/json")

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

TYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
ALL_TYPES = {
    "bool": [[True, False]],
    **{name: [[1, 2]] for name in TYPES},
    **{name: [[0.5, 2.0]] for name in ("fp16", "bf16", "fp32", "fp64")},
    "bytes": [["a", "\u00e9"]],
}


def score(host: Host, value: Any, *headers: tuple[str, str]) -> Any:
    """What a JSON value is answered with, which must be 200."""
    response = host.post(json.dumps(value), *headers)
    assert response.status == 200, response
    return response.json


# Tensors


@pytest.fixture(scope="module")
def affine(module_host: Make) -> Host:
    return module_host("tensor_affine.py")


def test_arrays_in_lists_out(affine: Host) -> None:
    rows = [[1, 0, 0, 0], [0, 0, 0, 0.5]]
    assert score(affine, {"x": rows}) == [[0.0, 1.0, 2.0], [4.5, 5.0, 5.5]]
    assert affine.ask("GET", "/score?x=[[1,0,0,0]]").json == [[0.0, 1.0, 2.0]]


def test_floats_are_as_short_as_they_can_be(affine: Host) -> None:
    response = affine.post('{"x": [[0.1, 0, 0, 0]]}')
    assert response.json == [[0.0, 0.1, 0.2]]


def test_the_log_says_what_run_gets(affine: Host) -> None:
    assert affine.texts("azmlinfsrv.user_script")[1] == (
        "run() takes tensors. Server will invoke it with NumPy arrays: x FP32 [-1,4]."
    )


@pytest.mark.parametrize(
    "body",
    [
        "", "[]", "{}", "{", "nonsense", '{"x": 1}', '{"x": [1, 2, 3, 4]}', '{"x": [[1, 2, 3]]}',
        '{"x": [[1, 2, 3, 4], [1, 2, 3]]}', '{"x": [[1, 2, 3, [4]]]}', '{"x": [[1, 2, 3, "4"]]}',
        '{"x": [[1, 2, 3, 4]], "more": 1}', '{"x": [[1, 2, 3, null]]}', '{"x": [[1, 2, 3, true]]}',
        '{"x": null}', '{"y": [[1]]}',
    ],
)
def test_what_does_not_fit_is_refused(affine: Host, body: str) -> None:
    response = affine.post(body, JSON)
    assert response.status == 400 and response.message
    assert response.get("x-ms-run-function-failed") == "False"


def test_other_methods(affine: Host) -> None:
    assert affine.ask("OPTIONS").status == 200
    assert affine.ask("PUT", body=b"{}").status == 405


def test_swagger_says_the_shapes(affine: Host) -> None:
    document = affine.ask("GET", "/swagger.json?version=3").json
    schema = document["components"]["schemas"]["ServiceInput"]
    assert schema["properties"]["x"]["items"]["maxItems"] == 4
    assert score(affine, schema["example"]) == [[0.0, 0.0, 0.0]]


def test_every_datatype(host: Make) -> None:
    assert score(host("tensor_types.py"), ALL_TYPES) == ALL_TYPES


# NumPy schemas


@pytest.fixture(scope="module")
def schema(module_host: Make) -> Host:
    return module_host("numpy_schema.py")


def test_an_unmodified_script(schema: Host) -> None:
    rows = [[1] * 128, [0] * 127 + [1.5]]
    found = score(schema, {"data": rows, "scale": [2]}, JSON)
    assert found == pytest.approx([0.0, 3.0], abs=1e-9)
    # What C cannot be sure of, the decorator does: text, floats for integers.
    assert score(schema, {"data": [["2.5"] * 128], "scale": [1.9]}, JSON) == pytest.approx([0.0])


@pytest.mark.parametrize(
    ("body", "kind", "status", "text"),
    [
        ("{}", "text/plain", 415, "Expects Content-Type to be application/json"),
        ("", "application/json", 400, "POST body is empty. Expecting a JSON dictionary."),
        ("[]", "application/json", 400, "POST body should be a JSON dictionary."),
        (
            '{"data": []}', "application/json", 400,
            "A value is not provided for the 'scale' parameter.",
        ),
        (
            '{"data": [[1, 2]], "scale": [1]}', "application/json", 500,
            "An unexpected error occurred in scoring script. Check the logs for more info.",
        ),
    ],
)
def test_its_refusals_are_the_contracts(
    schema: Host, body: str, kind: str, status: int, text: str
) -> None:
    response = schema.post(body, ("Content-Type", kind))
    assert (response.status, response.message) == (status, text)


def test_its_log_is_the_decorators(schema: Host) -> None:
    schema.post('{"data": [[1, 2]], "scale": [1]}', JSON)
    schema.wait_said(
        "ValueError: Invalid input array: array has size 2 on dimension #1, while expected "
        "value is 128", "stdout",
    )


# Batches


def test_bodies_come_back_to_who_sent_them(host: Make) -> None:
    server = host("batch_bodies.py")
    waiting = [server.later(request(body=str(number).encode())) for number in range(40)]
    found = [later.result().json for later in waiting]
    assert [item["doubled"] for item in found] == [2 * number for number in range(40)]
    assert all(1 <= item["bodies"] <= 16 for item in found)
    assert score(server, 3)["doubled"] == 6


def test_a_bad_body_fails_alone(host: Make) -> None:
    server = host("batch_bodies.py")
    bodies = [b"nonsense" if number == 5 else str(number).encode() for number in range(16)]
    waiting = [server.later(request(body=body)) for body in bodies]
    statuses = [later.result().status for later in waiting]
    assert statuses == [500 if body == b"nonsense" else 200 for body in bodies]


def test_rows_come_back_to_who_sent_them(host: Make) -> None:
    server = host("tensor_batch.py")
    bodies = [{"x": [[number, row] for row in range(number % 3 + 1)]} for number in range(40)]
    waiting = [server.later(request(body=json.dumps(body).encode())) for body in bodies]
    for body, later in zip(bodies, waiting):
        found = later.result().json
        assert found["sum"] == [float(sum(row)) for row in body["x"]]
        assert all(count >= len(body["x"]) for count in found["rows"])


def test_a_bad_row_fails_alone(host: Make) -> None:
    server = host("bad_rows.py")
    marks = [-1 if number == 7 else number for number in range(12)]
    waiting = [
        server.later(request(body=json.dumps({"x": [[mark, 0]]}).encode())) for mark in marks
    ]
    answers = [later.result() for later in waiting]
    assert [answer.status for answer in answers] == [500 if mark == -1 else 200 for mark in marks]
    good = [(mark, answer) for mark, answer in zip(marks, answers) if mark != -1]
    assert all(answer.json["y"] == [-mark] for mark, answer in good)


# Names


def test_a_name_that_can_be_none(host: Make) -> None:
    server = host("echo.py", env={"SCOREHOST_MODEL_NAME": "a/b"}, wait=False)
    server.wait_said("SCOREHOST_MODEL_NAME: expected a name of 1 to 256 bytes", "stdout")
    assert server.process.wait(60) == 3
