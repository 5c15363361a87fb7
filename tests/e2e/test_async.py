"""`async def run` in every kind of worker."""

from __future__ import annotations

import pytest

from .conftest import Make
from .host import Host
from .wire import until

#: Long enough for what is quick, also on a machine that stalls.
LIMIT_MS = 1000


@pytest.fixture(params=[1, 2])
def lab(request: pytest.FixtureRequest, host: Make) -> Host:
    """A host with a script of coroutines; with two threads neither is the main one."""
    return host(
        "async_lab.py", "--worker_count", str(request.param), "--raise_cancelled",
        env={"SCORING_TIMEOUT_MS": str(LIMIT_MS)},
    )


def test_each_request_has_a_context_of_its_own(lab: Host) -> None:
    for number in range(6):
        told = lab.do("context", name=f"caller {number}").json
        assert told.pop("same loop") in (True, False)
        assert told == {"before": "nobody", "now": f"caller {number}", "together": [0, 1, 2]}


def test_a_worker_has_one_loop_for_life(host: Make) -> None:
    """Clients that init() made are bound to it."""
    server = host("async_lab.py")
    assert all(server.do("context", name="x").json["same loop"] for _ in range(5))


def test_async_generators_stream(lab: Host) -> None:
    response = lab.do("stream", count=5, name="s")
    assert response.framing == "chunked"
    assert response.body.decode() == "".join(f"{n} the stream\n" for n in range(5))
    assert (lab.app / "s.clean").exists()


@pytest.mark.parametrize("what", ["forever", "busy"])
def test_at_the_limit_a_coroutine_is_cancelled_and_cleans_up(lab: Host, what: str) -> None:
    response = lab.do(what, name="late", seconds=30)
    assert (response.status, response.message) == (500, f"Scoring timeout after {LIMIT_MS} ms")
    if what == "forever":
        until("it has cleaned up", (lab.app / "late.clean").exists)
    for number in range(6):
        assert lab.do("echo", value=number).json == number
    assert "WORKER TIMEOUT" not in lab.stderr, "it came back by itself"
    assert "never retrieved" not in lab.stdout + lab.stderr


def test_a_coroutine_whose_client_leaves_is_cancelled(lab: Host) -> None:
    for number in range(3):
        later = lab.do_later("forever", name=f"left{number}")
        lab.wait_at(f"left{number}")
        later.connection.reset()
        until("it has cleaned up", (lab.app / f"left{number}.clean").exists)
        assert lab.do("echo", value=number).json == number
    assert (lab.app / "left0.clean").read_text() == "True"
    assert "WORKER TIMEOUT" not in lab.stderr


def test_an_endless_stream_ends_with_its_client(lab: Host) -> None:
    later = lab.do_later("stream", count=10**9, name="endless")
    assert later.connection.head().status == 200
    later.connection.reset()
    until("it is closed", (lab.app / "endless.clean").exists)
    assert lab.do("echo", value=1).json == 1


def test_coroutines_know_their_time(lab: Host) -> None:
    assert 0 < lab.do("left").json <= LIMIT_MS / 1000
