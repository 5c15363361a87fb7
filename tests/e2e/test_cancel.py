"""Clients that leave: what is dropped, what run() sees, and who is not hit by it."""

from __future__ import annotations

import json
import random

import pytest

from .conftest import Make
from .host import Host, Later
from .wire import request, until


@pytest.fixture
def lab(host: Make) -> Host:
    """A host with one worker."""
    return host("lab.py")


@pytest.fixture
def raising(host: Make) -> Host:
    """A host that raises Cancelled in run()."""
    return host("lab.py", "--raise_cancelled")


def seen(server: Host, name: str) -> str:
    """What run() saw, when it is over."""
    until(f"{name} is over", lambda: _text(server, name) != "")
    return _text(server, name)


def _text(server: Host, name: str) -> str:
    path = server.app / f"{name}.seen"
    return path.read_text() if path.exists() else ""


def leave(server: Host, name: str, what: str = "leave") -> Later:
    """Have run() work at something until it sees that its client left."""
    later = server.do_later(what, name=name)
    server.wait_at(name)
    return later


# What run() sees


def test_a_running_script_sees_that_its_client_left(lab: Host) -> None:
    leave(lab, "work").connection.reset()
    assert seen(lab, "work") == "cancelled True"
    assert lab.do("cancelled").json is False, "that was another one's"


def test_a_running_script_whose_client_stays_sees_nothing(lab: Host) -> None:
    work = leave(lab, "work")
    assert not work.is_answered(0.1)
    lab.open("work")
    assert work.result().json == "opened"
    assert seen(lab, "work") == "opened False"


def test_who_only_stops_sending_is_still_answered(lab: Host) -> None:
    """What waits is dropped; what runs is told, and its answer is sent."""
    work = leave(lab, "work")
    waiting = lab.do_later("echo", value=1, id="waiting")
    lab.wait_read(waiting)
    waiting.connection.half_close()
    assert waiting.result().status == 499
    work.connection.half_close()
    assert work.result().json == "cancelled"
    assert lab.do("cancelled").json is False
    assert lab.scored() == []


def test_a_stream_goes_on_for_who_only_stops_sending(host: Make) -> None:
    server = host("drip.py", "--raise_cancelled")
    (server.app / "item0.open").touch()
    with server.connect() as connection:
        connection.send(request(body=b"3"))
        assert connection.head().status == 200
        chunks = connection.chunks()
        assert next(chunks) == b"0"
        connection.half_close()
        (server.app / "item1.open").touch()
        assert next(chunks) == b"1"
        (server.app / "item2.open").touch()
        assert list(chunks) == [b"2"]


# Exceptions, where they are asked for


def test_cancelled_is_raised_where_it_is_asked_for(raising: Host) -> None:
    worker = raising.do("pid").json
    later = leave(raising, "work", "stubborn_gate")
    later.connection.reset()
    assert seen(raising, "work") == "raised True"
    raising.wait_said("run() was cancelled: nobody waits for its answer", "stdout")
    assert raising.do("cancelled").json is False
    assert raising.do("pid").json == worker
    lines = [line for line in raising.lines() if "run() was cancelled" in line.text]
    assert [line.level for line in lines] == ["I"]
    assert "Encountered Exception" not in raising.stdout


def test_it_is_not_raised_for_who_only_stops_sending(raising: Host) -> None:
    later = leave(raising, "work", "stubborn_gate")
    later.connection.half_close()
    assert not later.is_answered(0.2)
    raising.open("work")
    assert later.result().json == "cancelled", "it was told, and went on"


def test_it_is_raised_at_the_callers_deadline_too(raising: Host) -> None:
    assert raising.impatient(1000, "stubborn_gate", name="work").result().status == 504
    assert seen(raising, "work") == "raised True"


def test_a_script_that_does_not_obey_is_left_alone(raising: Host) -> None:
    worker = raising.do("pid").json
    later = raising.do_later("stubborn", name="work", seconds=2)
    raising.wait_at("work")
    later.connection.reset()
    until("it was raised", (raising.app / "work.caught").exists)
    assert raising.do("pid").json == worker


def test_a_stream_is_interrupted_too(host: Make) -> None:
    server = host("drip.py", "--raise_cancelled")
    later = server.later(request(body=b"2"))
    until("it waits", (server.app / "item0.here").exists)
    later.connection.reset()
    server.wait_said("generator closed", "stdout")
    (server.app / "item0.open").touch()
    assert server.post("1").body == b"0"


# Who is not hit


def test_cancelling_what_waits_does_not_hit_what_runs(raising: Host) -> None:
    running = leave(raising, "work", "stubborn_gate")
    waiting = [raising.do_later("echo", value=1, id=f"w{number}") for number in range(3)]
    raising.leave("reset", *waiting)
    assert not running.is_answered(0.1)
    raising.open("work")
    assert running.result().json == "opened"
    assert seen(raising, "work") == "opened False"
    assert raising.scored() == []


def test_a_late_interrupt_does_not_hit_the_next_one(raising: Host) -> None:
    """Clients leave at the very end of their run(), again and again."""
    dice = random.Random(20261127)
    for number in range(60):
        leaving = raising.do_later("busy", seconds=0.004)
        leaving.is_answered(dice.random() * 0.008)
        leaving.connection.reset()
        assert raising.do("echo", value=number).json == number


def test_a_storm_of_leaving_clients(worker_kind: str, host: Make) -> None:
    server = host("lab.py", "--raise_cancelled", "--worker_count", "2")
    if worker_kind == "process":
        server.wait_ready(2)
    sockets = server.sockets()
    dice = random.Random(7)
    for _ in range(10):
        storm = [server.do_later("busy", seconds=0.01) for _ in range(30)]
        storm += [server.impatient(dice.randrange(1, 60), "busy", seconds=0.01)
                  for _ in range(10)]
        for later in dice.sample(storm, len(storm)):
            if dice.random() < 0.3:
                later.connection.half_close()
            later.connection.reset()
    # Nothing is held for any of them: a queue of one has room for the next.
    for number in range(20):
        assert server.do("echo", value=number).json == number
    until("their sockets are closed", lambda: server.sockets() <= sockets)
    assert server.stop() == 0, "draining waits for nobody"


# Threads of the script's own


def test_threads_of_the_script_are_told_of_the_one_request(
    worker_kind: str, lab: Host
) -> None:
    """In a worker process there is one; inside the host nobody can know whose they are."""
    leave(lab, "work", "helper").connection.reset()
    told = worker_kind == "process"
    assert json.loads(seen(lab, "work")) == [told, told]
