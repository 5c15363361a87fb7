"""Tensors and batches of workers that come over ZeroMQ: as of any other worker."""

from __future__ import annotations

import gzip
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import test_batching_abuse as batches
from .conftest import Make
from .remote import Farm, farms
from .wire import until

pytestmark = pytest.mark.kinds("process", why="a remote worker is a process, whatever the host's")


@pytest.fixture
def farm(host: Make, tmp_path: Path) -> Iterator[Farm]:
    yield from farms(host, tmp_path)


def test_it_is_a_model_once_a_worker_has_come(farm: Farm) -> None:
    host = farm.start(script="abused.py")
    assert host.ask("GET", "/v2/models/abused").status == 503
    farm.join("a", script="abused.py")
    told = host.ask("GET", "/v2/models/abused").json
    assert [item["name"] for item in told["inputs"]] == ["x", "tag"]
    assert host.ask("GET", "/v2/models/abused/config").json["max_batch_size"] == 64
    for way in (batches.score, batches.infer):
        batches.check(host.raw(way([[1.0, 2.0], [3.0, 4.0]], "a")), [[1.0, 2.0], [3.0, 4.0]], "a")
    large = [[float(i), 1.0] for i in range(3000)]
    batches.check(host.raw(batches.infer(large, "L")), large, "L")
    batches.failed(host.raw(batches.infer([[float(batches.POISON), 0.0]])))


def test_bodies_that_are_packed_go_there_as_they_are(farm: Farm) -> None:
    host = farm.start(script="v2_rows.py")
    farm.join("a", script="v2_rows.py")
    from .test_v2_packed import GZIP, INFER, SOUND, bomb, sums

    for body, status in ((gzip.compress(SOUND), 200), (b"\x1f\x8b", 400),
                         (bomb(50_000_000), 413)):
        response = host.ask("POST", INFER, body, [GZIP])
        assert response.status == status, response.body
        assert status != 200 or sums(response) == [10.0]


@pytest.mark.parametrize("credits", ["1", "4"])
def test_many_clients_and_two_workers(farm: Farm, credits: str) -> None:
    host = farm.start(script="abused.py")
    for name in ("a", "b"):
        farm.join(name, "--credits", credits, script="abused.py")
    seen = host.app / "runs"
    assert batches.under_load(host, lambda: until(
        "many", lambda: seen.exists() and len(seen.read_text().split()) > 300
    )) > 100


def test_workers_that_are_killed_in_the_middle(farm: Farm) -> None:
    host = farm.start(script="abused.py")
    remotes = [farm.join(name, "--credits", "4", script="abused.py") for name in ("a", "b")]

    def kill() -> None:
        for turn, remote in enumerate(random.Random(3).choices(remotes, k=3), 1):
            joined = sum(item.stderr.count("remote-joined") for item in remotes)
            remote.kill()
            until(f"it comes again, {turn}", lambda: sum(
                item.stderr.count("remote-joined") for item in remotes) > joined)

    assert batches.under_load(host, kill, forgiven=(502, 503)) > 20


def test_clients_that_leave(farm: Farm) -> None:
    host = farm.start(script="abused.py")
    farm.join("a", "--credits", "4", script="abused.py")

    def leave(number: int) -> None:
        for turn in range(10):
            connection = host.connect()
            rows = [[float(batches.SLOW if turn % 3 == 0 else turn), 1.0]]
            connection.send(batches.infer(rows, str(number)))
            connection.close()

    threads = [threading.Thread(target=leave, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batches.check(host.raw(batches.score([[5.0, 1.0]], "z")), [[5.0, 1.0]], "z")
