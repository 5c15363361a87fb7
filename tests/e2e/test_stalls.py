"""A host that is kept from its CPU for a while: what has come in time meanwhile is not late."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .conftest import Make
from .host import Host, state, wakeups
from .wire import request, until

apart = pytest.mark.kinds("process", why="the script must run while the host does not")

#: What is allowed in each test, long enough for a machine that stalls by itself, too.
LIMIT_MS = 3000


@contextmanager
def stalled(server: Host) -> Iterator[None]:
    """Keeps the host from running until the block is through and the limit has passed."""
    end = time.monotonic() + LIMIT_MS / 1000
    pid = server.pid
    os.kill(pid, signal.SIGSTOP)
    until("it has stopped", lambda: state(pid) == "T")
    yield
    until("what was allowed is over", lambda: time.monotonic() > end)
    os.kill(pid, signal.SIGCONT)


def wait_idle(pid: int) -> None:
    """Wait until a process has not run for a while, though it could."""
    last, since = -1, 0.0

    def is_idle() -> bool:
        nonlocal last, since
        if wakeups(pid) != last:
            last, since = wakeups(pid), time.monotonic()
        return state(pid) == "S" and time.monotonic() - since > 0.1

    until("it has nothing to do", is_idle)


@apart
def test_what_was_scored_within_its_limit_is_answered(host: Make) -> None:
    server = host("lab.py", env={"SCORING_TIMEOUT_MS": str(LIMIT_MS)})
    running = server.gate("first")
    with stalled(server):
        server.open("first")
        wait_idle(server.workers()[0])
    assert running.result().json == "first"
    assert server.do("echo", value=1).json == 1
    assert "WORKER TIMEOUT" not in server.stderr and "run-timeout" not in server.stderr


@apart
def test_what_was_scored_before_its_caller_gave_up_is_answered(host: Make) -> None:
    server = host("lab.py")
    running = server.impatient(LIMIT_MS, "gate", name="first")
    server.wait_at("first")
    with stalled(server):
        server.open("first")
        wait_idle(server.workers()[0])
    assert running.result().json == "first"


@pytest.mark.parametrize(
    ("flag", "sent"),
    [("--head_timeout_ms", 20), ("--body_timeout_ms", -5), ("--keepalive_timeout_ms", 0)],
)
def test_what_was_sent_in_time_is_read(host: Make, flag: str, sent: int) -> None:
    """The rest of a head or of a body, or the next request of a connection that was kept."""
    server = host("lab.py", flag, str(LIMIT_MS))
    data = request(body=b'{"do": "echo", "value": 2}')
    with server.connect() as connection:
        connection.send(request(body=b'{"do": "echo", "value": 1}'))
        assert connection.response().json == 1
        connection.send(data[:sent])
        server.wait_read(connection)
        with stalled(server):
            connection.send(data[sent:])
        assert connection.response().json == 2
