"""Batches when everything goes wrong: every request gets one answer, and it is its own."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Make
from .host import Host, Later
from .wire import Response, request, until

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

# As in scripts/abused.py.
POISON, FEW, MANY, WRITES, OBJECT, NOTHING, DIES, SLOW, TEXT, HUGE = range(-1, -11, -1)

JSON = ("Content-Type", "application/json")
PATH = "/v2/models/abused/infer"
Rows = list[list[float]]


def arguments(x: Rows, tag: str) -> bytes:
    return json.dumps({"x": x, "tag": [f"{tag}-{i}" for i in range(len(x))]}).encode()


def score(x: Rows, tag: str = "", *headers: tuple[str, str]) -> bytes:
    """A request to /score."""
    return request(body=arguments(x, tag), headers=[JSON, *headers])


def infer(x: Rows, tag: str = "", *headers: tuple[str, str]) -> bytes:
    """The same by the protocol."""
    given = json.loads(arguments(x, tag))
    inputs = [
        {"name": "x", "datatype": "FP64", "shape": [len(x), len(x[0])], "data": x},
        {"name": "tag", "datatype": "BYTES", "shape": [len(x)], "data": given["tag"]},
    ]
    return request("POST", PATH, json.dumps({"inputs": inputs}).encode(), [JSON, *headers])


def check(response: Response, x: Rows, tag: str = "") -> None:
    """The answer to just these rows, by either way."""
    assert response.status == 200, response.body
    found = response.json
    if "outputs" in found:
        by_name = {item["name"]: item["data"] for item in found["outputs"]}
        flat = by_name["y"]
        found = {**by_name, "y": [flat[i:i + 2] for i in range(0, len(flat), 2)]}
    assert found["tag"] == [f"{tag}-{i}" for i in range(len(x))]
    assert found["y"] == [[float(sum(row)), float(row[0])] for row in x]
    assert all(count >= 1 for count in found["calls"])


def failed(response: Response) -> str:
    """The sentence of a 500, in either form; nothing of the script's is in it."""
    assert response.status == 500, response.body
    text = str(response.json.get("error") or response.json.get("message"))
    assert text and "Traceback" not in text and "poison" not in text
    return text


def close(server: Host) -> None:
    (server.app / "shut").touch()


def hold(server: Host) -> Later:
    """Has run() wait with one request, so that what comes now goes together."""
    close(server)
    first = server.later(score([[1.0, 2.0]], "first"))
    until("run() waits", (server.app / "waits").exists)
    return first


def let_go(server: Host) -> None:
    (server.app / "waits").unlink()
    (server.app / "shut").unlink()


def read_all(server: Host) -> None:
    """Waits until what was sent before has been read: who comes later is served later."""
    for _ in range(2):
        assert server.ask("GET", "/").status == 200


def together(server: Host, asked: list[bytes]) -> list[Response]:
    """Sends requests that all wait for the worker, and their answers."""
    first = hold(server)
    before = server.sockets()
    waiting = [server.later(data) for data in asked]
    until("all are there", lambda: server.sockets() == before + len(asked))
    read_all(server)
    let_go(server)
    check(first.result(), [[1.0, 2.0]], "first")
    return [later.result() for later in waiting]


def settings(**batch: Any) -> dict[str, str]:
    return {"BATCH": json.dumps(batch)}


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("abused.py", env=settings(max_batch_size=64), life_s=600.0)


BAD = {
    "raises": POISON, "too-few": FEW, "too-many": MANY,
    "writes": WRITES, "objects": OBJECT, "nothing": NOTHING,
    "text": TEXT, "other-shape": HUGE,
}


@pytest.mark.parametrize("way", [score, infer])
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_one_bad_row_among_many_fails_alone(
    server: Host, way: Callable[..., bytes], bad: float
) -> None:
    asked = [[[float(i), 0.5]] for i in range(63)]
    asked.insert(40, [[float(bad), 0.0]])
    answers = together(server, [way(x, f"n{i}") for i, x in enumerate(asked)])
    for i, (x, answer) in enumerate(zip(asked, answers)):
        if i == 40:
            text = failed(answer)
            assert bad not in (FEW, MANY) or way is score or '"y"' in text
        else:
            check(answer, x, f"n{i}")


def test_several_bad_rows_and_both_ways_at_once(server: Host) -> None:
    chance = random.Random(5)
    asked = [[[float(chance.randint(0, 9)), 1.0]] * chance.randint(1, 3) for _ in range(40)]
    wrong = dict(zip(chance.sample(range(40), 6), BAD.values()))
    for place, bad in wrong.items():
        asked[place] = [[float(bad), 0.0]]
    ways = [score, infer]
    answers = together(server, [ways[i % 2](x, str(i)) for i, x in enumerate(asked)])
    for i, answer in enumerate(answers):
        if i in wrong:
            failed(answer)
        else:
            check(answer, asked[i], str(i))


def test_a_bad_row_in_a_request_of_many_batches(server: Host) -> None:
    large = [[float(i), 2.0] for i in range(300)]
    check(server.raw(infer(large, "L")), large, "L")
    spoilt = [*large[:199], [float(POISON), 0.0], *large[199:]]
    answers = together(server, [score(spoilt, "S"), score([[1.0, 1.0]], "a"), infer(large, "b")])
    failed(answers[0])
    check(answers[1], [[1.0, 1.0]], "a")
    check(answers[2], large, "b")


def test_shapes_and_lengths_that_do_not_go_together(server: Host) -> None:
    chance = random.Random(9)
    asked = [
        [[float(chance.randint(0, 99)) for _ in range(width)] for _ in range(chance.randint(1, 5))]
        for width in [1, 2, 3, 7] * 12
    ]
    chance.shuffle(asked)
    answers = together(server, [score(x, "x" * (i % 30)) for i, x in enumerate(asked)])
    for i, (x, answer) in enumerate(zip(asked, answers)):
        check(answer, x, "x" * (i % 30))


def test_what_is_no_number_stays_in_its_row(server: Host) -> None:
    bodies = [b'{"x": [[NaN, 1]], "tag": ["a-0"]}', b'{"x": [[Infinity, 1]], "tag": ["b-0"]}',
              arguments([[3.0, 1.0]], "c")]
    answers = together(server, [request(body=body, headers=[JSON]) for body in bodies])
    nan, infinity = (answer.json["y"][0] for answer in answers[:2])
    assert nan[0] != nan[0] and nan[1] != nan[1]
    assert infinity == [float("inf"), float("inf")]
    check(answers[2], [[3.0, 1.0]], "c")


def test_a_storm_of_clients_that_leave(server: Host) -> None:
    """Hundreds leave at any moment, in either way; then all is as before."""

    def leave(number: int) -> None:
        chance = random.Random(number)
        for _ in range(12):
            rows = [[float(SLOW) if chance.random() < 0.1 else 1.0, 1.0]]
            data = chance.choice([score, infer])(rows * chance.choice([1, 1, 3, 70]), "gone")
            connection = server.connect()
            connection.send(data[: chance.choice([len(data), len(data), len(data) // 2])])
            if chance.random() < 0.3:
                connection.has_answer(chance.random() * 0.02)
            if chance.random() < 0.5:
                connection.reset()
            else:
                connection.close()

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(leave, range(12)))
    for i in range(5):
        check(server.raw(infer([[float(i), 1.0]], f"after{i}")), [[float(i), 1.0]], f"after{i}")
    server.wait_quiet()
    answers = together(server, [score([[float(i), 1.0]], str(i)) for i in range(30)])
    for i, answer in enumerate(answers):
        check(answer, [[float(i), 1.0]], str(i))


def test_callers_that_wait_for_a_moment_only(server: Host) -> None:
    """Each has its answer in time, or is told that there is none; nobody waits for ever."""

    def ask(number: int) -> list[int]:
        chance = random.Random(number)
        seen = []
        for turn in range(25):
            x = [[float(SLOW), float(turn)]] * chance.choice([1, 1, 2, 80])
            wait = str(chance.choice([1, 5, 20, 60, 200, 60_000]))
            response = server.raw(
                chance.choice([score, infer])(x, f"{number}.{turn}",
                                              ("x-request-timeout-ms", wait))
            )
            seen.append(response.status)
            if response.status == 200:
                check(response, x, f"{number}.{turn}")
            assert response.status in (200, 503, 504), response.body
            assert response.status == 200 or wait != "60000" or response.get("retry-after")
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = [status for statuses in pool.map(ask, range(8)) for status in statuses]
    assert 200 in seen and 504 in seen
    check(server.raw(score([[1.0, 1.0]], "z")), [[1.0, 1.0]], "z")


def hammer(server: Host, number: int, over: threading.Event, forgiven: tuple[int, ...]) -> int:
    """Asks until it is over; every answer is the right one or a forgiven refusal."""
    chance = random.Random(number)
    count = turn = 0
    while not over.is_set():
        turn += 1
        x = [[float(chance.randint(0, 999)), float(number)]] * chance.choice([1, 1, 2, 20])
        tag = f"{number}.{turn}"
        response = server.raw(chance.choice([score, infer])(x, tag))
        if response.status not in forgiven:
            check(response, x, tag)
            count += 1
    return count


def under_load(server: Host, what: Callable[[], None], forgiven: tuple[int, ...] = ()) -> int:
    """Does something while eight clients ask; how many right answers they had."""
    over = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(hammer, server, number, over, forgiven) for number in range(8)]
        try:
            what()
        finally:
            over.set()
        return sum(client.result() for client in clients)


@pytest.mark.parametrize("workers", [2, 4])
def test_several_workers(host: Make, workers: int) -> None:
    server = host("abused.py", "--worker_count", str(workers), env=settings(max_batch_size=16),
                  wait=False).wait_ready(workers)
    seen = server.app / "runs"
    assert under_load(server, lambda: until(
        "two thousand rows", lambda: len(seen.read_text().split()) > 400 if seen.exists() else 0
    )) > 200
    assert max(map(int, seen.read_text().split())) <= 16


@pytest.mark.kinds("process", why="workers of other kinds end with their host")
def test_workers_that_are_killed_in_the_middle(host: Make) -> None:
    server = host("abused.py", "--worker_count", "2", env=settings(max_batch_size=16),
                  wait=False).wait_ready(2)

    def kill() -> None:
        for turn in range(4):
            victim = server.wait_workers(2)[turn % 2]
            os.kill(victim, signal.SIGKILL)
            until("it is replaced", lambda: victim not in server.workers())
            until("two again", lambda: server.times_ready() >= 3 + turn)

    assert under_load(server, kill, forgiven=(502, 503)) > 50
    check(server.raw(score([[1.0, 1.0]], "z")), [[1.0, 1.0]], "z")


@pytest.mark.kinds("process", why="a worker of another kind ends with its host")
def test_a_row_that_ends_its_worker_costs_its_batch(server: Host) -> None:
    asked = [[[float(i), 0.5]] for i in range(8)] + [[[float(DIES), 0.0]]]
    answers = together(server, [infer(x, str(i)) for i, x in enumerate(asked)])
    assert {answer.status for answer in answers} <= {200, 502}
    assert answers[-1].status == 502 and "code 9" in answers[-1].json["error"]
    for i, answer in enumerate(answers[:-1]):
        if answer.status == 200:
            check(answer, asked[i], str(i))
    until("serving again", lambda: server.raw(score([[4.0, 1.0]])).status == 200)


@pytest.mark.kinds("process", why="a host of another kind is replaced as a whole")
def test_a_new_script_while_batches_run(host: Make) -> None:
    server = host("abused.py", "--worker_count", "2", env=settings(max_batch_size=16),
                  wait=False).wait_ready(2)

    def reload() -> None:
        for turn in range(3):
            server.notify(signal.SIGHUP)
            until("two more", lambda: server.times_ready() >= 4 + 2 * turn)

    assert under_load(server, reload) > 50


@pytest.mark.kinds("process", why="other kinds load the script once as they are")
def test_workers_that_are_forked(host: Make) -> None:
    env = {"WORKER_PRELOAD": "true", **settings(max_batch_size=16, max_queue_delay_ms=1)}
    server = host("abused.py", "--worker_count", "2", env=env, wait=False)
    server.wait_ready()
    seen = server.app / "runs"
    assert under_load(server, lambda: until(
        "many", lambda: len(seen.read_text().split()) > 200 if seen.exists() else 0
    )) > 100


def test_a_batch_that_is_not_to_be_split_fails_as_one(host: Make) -> None:
    server = host("abused.py", env=settings(max_batch_size=64, split_failed=False))
    asked = [[[float(i), 0.5]] for i in range(7)] + [[[float(POISON), 0.0]]]
    answers = together(server, [score(x, str(i)) for i, x in enumerate(asked)])
    assert answers[-1].status == 500
    runs = list(map(int, (server.app / "runs").read_text().split()))
    assert sum(runs) == 9, "no row is run twice"
    assert all(answer.status in (200, 500) for answer in answers)


def test_a_wait_for_company_and_sizes_that_suit(host: Make) -> None:
    server = host("abused.py", env=settings(
        max_batch_size=8, max_queue_delay_ms=30_000, preferred_batch_sizes=[4]))
    waiting = [server.later(score([[float(i), 1.0]], str(i))) for i in range(4)]
    for i, later in enumerate(waiting):
        check(later.result(), [[float(i), 1.0]], str(i))
    assert (server.app / "runs").read_text().split() == ["4"]


def test_a_drain_answers_what_is_held(host: Make) -> None:
    server = host("abused.py", env=settings(max_batch_size=4))
    first = hold(server)
    before = server.sockets()
    waiting = [server.later(score([[float(i), 1.0]], str(i))) for i in range(10)]
    until("all are there", lambda: server.sockets() == before + 10)
    read_all(server)
    server.notify(signal.SIGTERM)
    server.wait_said("Handling signal: term")
    let_go(server)
    check(first.result(), [[1.0, 2.0]], "first")
    for i, later in enumerate(waiting):
        check(later.result(), [[float(i), 1.0]], str(i))
    assert server.wait() == 0
