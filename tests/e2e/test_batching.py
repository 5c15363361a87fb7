"""Requests that are scored together: each gets its own, and one bad one fails alone."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Make
from .host import Host, Later
from .wire import request, until

pytestmark = pytest.mark.kinds(
    "process", "thread", why="NumPy does not load in interpreters of their own"
)

JSON = ("Content-Type", "application/json")
BAD, TOO_FEW, DIES, WAITS = -1.0, -2.0, -3.0, -4.0


def score(x: list[list[float]]) -> bytes:
    return request(body=json.dumps({"x": x}).encode(), headers=[JSON])


def infer(x: list[list[float]]) -> bytes:
    tensor = {"name": "x", "datatype": "FP64", "shape": [len(x), len(x[0])], "data": x}
    data = json.dumps({"inputs": [tensor]}).encode()
    return request("POST", "/v2/models/batches/infer", data, [JSON])


def wanted(x: list[list[float]]) -> list[list[float]]:
    return [[float(sum(row)), float(row[0])] for row in x]


def runs(server: Host) -> list[int]:
    path = server.app / "runs"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


@pytest.fixture
def server(host: Make) -> Host:
    made = host("batches.py")
    os.mkfifo(made.app / "gate")
    return made


def hold(server: Host) -> Later:
    """Keeps the worker busy until release()."""
    first = server.later(score([[WAITS]]))
    until("run() waits", lambda: (server.app / "waits").exists())
    return first


def release(server: Host) -> None:
    with open(server.app / "gate", "wb"):
        pass


def behind(server: Host, bodies: list[bytes]) -> list[Later]:
    """Sends requests that wait together while run() is busy."""
    first = hold(server)
    waiting = [server.later(body) for body in bodies]
    server.wait_read(*waiting)
    release(server)
    assert first.result().status == 200
    return waiting


def test_many_clients_each_get_their_own_rows(server: Host) -> None:
    def client(number: int) -> None:
        chance = random.Random(number)
        with server.connect() as connection:
            for turn in range(15):
                rows, width = chance.choice([1, 1, 2, 5, 40]), chance.choice([2, 3])
                x = [[float(chance.randint(0, 999)) for _ in range(width)] for _ in range(rows)]
                if (number + turn) % 2:
                    got = connection.send(score(x)).response()
                    assert got.json == wanted(x)
                else:
                    got = connection.send(infer(x)).response()
                    flat = [value for row in wanted(x) for value in row]
                    assert got.json["outputs"][0]["data"] == flat

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(client, range(12)))
    assert max(runs(server)) <= 16


def test_what_waits_goes_together(server: Host) -> None:
    waiting = behind(server, [score([[float(i), 2.0]]) for i in range(8)])
    for i, later in enumerate(waiting):
        assert later.result().json == [[i + 2.0, float(i)]]
    assert sum(runs(server)) == 9
    assert len(runs(server)) < 9


def test_a_bad_row_fails_alone(server: Host) -> None:
    values = [float(i) for i in range(8)]
    values[3] = BAD
    waiting = behind(server, [score([[value]]) for value in values])
    for value, later in zip(values, waiting):
        got = later.result()
        assert got.status == (500 if value == BAD else 200)
        if value != BAD:
            assert got.json == [[value, value]]


def test_too_few_rows_are_refused_with_the_name(server: Host) -> None:
    got = server.raw(infer([[TOO_FEW], [1.0]]))
    assert got.status == 500
    assert 'output "y"' in got.json["error"].replace("\\", "")
    assert "1 row" in got.json["error"]
    assert server.raw(score([[1.0]])).status == 200


def test_a_request_larger_than_a_batch_is_answered_whole(server: Host) -> None:
    x = [[float(i), 1.0] for i in range(50)]
    assert server.raw(score(x)).json == wanted(x)
    assert sorted(runs(server), reverse=True) == [16, 16, 16, 2]


def test_one_that_cannot_be_decoded_harms_nobody(server: Host) -> None:
    broken = infer([[1.0], [2.0]]).replace(b"[2.0]", b"[2.x]")
    waiting = behind(server, [score([[1.0]]), broken, score([[3.0]])])
    assert [later.result().status for later in waiting] == [200, 400, 200]


def test_clients_that_leave_wedge_nothing(server: Host) -> None:
    first = hold(server)
    waiting = [server.later(score([[float(i)]])) for i in range(6)]
    server.wait_read(*waiting)
    server.leave("close", *waiting[::2])
    release(server)
    assert first.result().status == 200
    assert [later.result().json for later in waiting[1::2]] == [[[1.0, 1.0]], [[3.0, 3.0]],
                                                                [[5.0, 5.0]]]
    assert sum(runs(server)) == 4


def test_a_deadline_is_kept_and_others_are_answered(server: Host) -> None:
    first = hold(server)
    late = server.later(request(body=b'{"x": [[1]]}', headers=[
        JSON, ("X-Request-Timeout-Ms", "200")]))
    patient = server.later(score([[2.0]]))
    assert late.result().status == 504
    release(server)
    assert first.result().status == 200
    assert patient.result().json == [[2.0, 2.0]]


@pytest.mark.kinds("process", why="a thread takes the host with it")
def test_a_worker_that_dies_loses_its_batch_alone(server: Host) -> None:
    waiting = behind(server, [score([[1.0]]), score([[DIES]]), score([[2.0]])])
    assert [later.result().status for later in waiting] == [502, 502, 502]
    until("serving again", lambda: server.raw(score([[4.0]])).status == 200)


def test_a_run_over_its_limit(host: Make) -> None:
    server = host("batches.py", env={"SCORING_TIMEOUT_MS": "700"})
    os.mkfifo(server.app / "gate")
    first = hold(server)
    assert first.result().status == 500
    until("serving again", lambda: server.raw(score([[4.0]])).status == 200)


def stats(server: Host) -> dict[str, Any]:
    """The model's statistics, whose calls of run() are those that the script has seen."""
    (told,) = server.ask("GET", "/v2/models/stats").json["model_stats"]
    assert sum(told["batch_reasons"].values()) == len(runs(server))
    found: dict[str, Any] = told
    return found


def test_statistics_tell_of_each_call_once(server: Host) -> None:
    for later in behind(server, [infer([[float(i)]]) for i in range(4)]):
        assert later.result().status == 200
    assert server.raw(infer([[float(i)] for i in range(50)])).status == 200
    told = stats(server)
    assert told["inference_count"] == 54
    assert told["execution_count"] == len(runs(server)) - 1  # one was asked for by /score
    sizes = {item["batch_size"]: item["compute_infer"]["count"] for item in told["batch_stats"]}
    assert sizes == {rows: runs(server)[1:].count(rows) for rows in set(runs(server)[1:])}
    assert told["batch_reasons"]["full"] == 3
    assert told["batch_reasons"]["split"] == 0


def test_statistics_of_a_batch_that_is_run_in_halves(server: Host) -> None:
    values = [1.0, BAD, 2.0, 3.0]
    waiting = behind(server, [infer([[value]]) for value in values])
    assert [later.result().status for later in waiting] == [200, 500, 200, 200]
    told = stats(server)
    assert told["inference_count"] == 3
    seen = runs(server)[1:]
    if 4 in seen:  # all were together: 4, then 2 and 2, and of one half each alone
        assert (told["batch_reasons"]["split"], len(seen)) == (4, 5)
        assert told["execution_count"] == 2


@pytest.fixture
def bodies(host: Make) -> Host:
    return host("bodies.py")


def test_batches_of_bodies(bodies: Host) -> None:
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: bodies.post(json.dumps(i), JSON), range(60)))
    assert [item.json for item in got] == [{"is": i, "of": True} for i in range(60)]
    assert bodies.post('"bad"', JSON).status == 500
    assert bodies.post('"fewer"', JSON).status == 500
    assert "0 results for a batch of 1" in bodies.stdout + bodies.stderr
    assert bodies.post(b"\xff", JSON).status == 400
    assert bodies.post("1", JSON).json == {"is": 1, "of": True}


def test_a_classifier_gives_what_it_gives_alone(host: Make) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    server = host("batched_iris.py", life_s=120.0)
    chance = random.Random(7)
    rows = [[chance.uniform(0.1, 8.0) for _ in range(4)] for _ in range(64)]

    def ask(row: list[float]) -> dict[str, list[object]]:
        got: dict[str, list[object]] = server.raw(score([row])).json
        return got

    alone = [ask(row) for row in rows]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, rows))
    for first, second in zip(alone, together):
        assert first["label"] == second["label"]
        assert first["chance"][0] == pytest.approx(second["chance"][0], rel=1e-9)
