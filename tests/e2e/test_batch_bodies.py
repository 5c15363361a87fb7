"""Plain scripts that are given lists of bodies, in every kind of worker."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import Make
from .host import Host
from .wire import request, until

JSON = ("Content-Type", "application/json")

SCRIPT = """
import json
import os
import time

import scorehost

SHUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shut")


def init():
    pass


@scorehost.batch(max_batch_size=8)
def run(bodies):
    while os.path.exists(SHUT):
        open(SHUT + ".waits", "w").close()
        time.sleep(0.002)
    found = [json.loads(body) for body in bodies]
    if "raise" in found:
        raise ValueError("as asked")
    if "fewer" in found:
        return found[1:]
    if "none" in found:
        return None
    if "tuple" in found:
        return tuple(found)
    if "set" in found:
        return [{item for item in found}] * len(found)
    return [{"is": item, "of": len(found)} for item in found]
"""


@pytest.fixture
def server(host: Make) -> Host:
    return host("", "--entry_script", "score.py", files={"score.py": SCRIPT})


def test_many_clients_each_get_their_own(server: Host) -> None:
    def ask(number: int) -> None:
        with server.connect() as connection:
            for turn in range(20):
                body = json.dumps([number, turn, "x" * (turn * 50)])
                got = connection.send(request(body=body.encode(), headers=[JSON])).response()
                assert got.json["is"] == json.loads(body)
                assert 1 <= got.json["of"] <= 8

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))


@pytest.mark.parametrize("bad", ["raise", "fewer", "none", "set"])
def test_one_bad_body_fails_alone(server: Host, bad: str) -> None:
    (server.app / "shut").touch()
    first = server.later(request(body=b"0", headers=[JSON]))
    until("run() waits", (server.app / "shut.waits").exists)
    before = server.sockets()
    bodies = [json.dumps(bad if i == 5 else i).encode() for i in range(8)]
    waiting = [server.later(request(body=body, headers=[JSON])) for body in bodies]
    until("all are there", lambda: server.sockets() == before + 8)
    (server.app / "shut").unlink()
    assert first.result().json["is"] == 0
    answers = [later.result() for later in waiting]
    if bad == "set":  # what cannot be sent is each one's own result
        assert {answer.status for answer in answers} <= {200, 500}
        assert answers[5].status == 500
        return
    for i, answer in enumerate(answers):
        assert answer.status == (500 if i == 5 else 200), answer.body
        assert i == 5 or answer.json["is"] == i


def test_a_tuple_is_as_good_as_a_list(server: Host) -> None:
    assert server.post('"tuple"', JSON).json == "tuple"


@pytest.mark.parametrize("body", [b"\xff", b""])
def test_bodies_that_are_no_text_or_nothing(server: Host, body: bytes) -> None:
    assert server.post(body, JSON).status in (400, 500)
    assert server.post("1", JSON).json == {"is": 1, "of": 1}


def test_clients_that_leave(server: Host) -> None:
    def leave(number: int) -> None:
        for turn in range(15):
            connection = server.connect()
            connection.send(request(body=b"1", headers=[JSON]))
            if (number + turn) % 2:
                connection.reset()
            else:
                connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(leave, range(6)))
    server.wait_quiet()
    assert server.post("2", JSON).json["is"] == 2


def test_other_methods_go_beside(server: Host) -> None:
    assert server.ask("GET", "/score?a=1").json["is"] == {"a": 1}
    assert server.ask("OPTIONS").status == 200


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers(host: Make, workers: int) -> None:
    server = host("", "--entry_script", "score.py", "--worker_count", str(workers),
                  files={"score.py": SCRIPT}, wait=False).wait_ready(workers)
    over = threading.Event()

    def ask(number: int) -> int:
        count = 0
        while not over.is_set() and count < 100:
            assert server.post(str(count), JSON).json["is"] == count, number
            count += 1
        return count

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(ask, range(6))) == 600


@pytest.mark.kinds("process", why="other kinds load the script once as they are")
def test_workers_that_are_forked(host: Make) -> None:
    server = host("", "--entry_script", "score.py", "--worker_count", "2",
                  files={"score.py": SCRIPT}, env={"WORKER_PRELOAD": "true"}, wait=False)
    server.wait_ready()
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda i: server.post(str(i), JSON).json["is"], range(200)))
    assert found == list(range(200))
