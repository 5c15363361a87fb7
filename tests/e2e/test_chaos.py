"""Everything at once: good and bad clients, good and bad scripts, and a hand that kills.

CHAOS_SECONDS makes it longer, CHAOS_SEED repeats what the clients did.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import pytest

from . import chaos
from .chaos import Footprint, Storm
from .conftest import Make
from .host import Host, children
from .page import scrape
from .wire import Connection, request, until

SECONDS = float(os.environ.get("CHAOS_SECONDS", "30"))
WORKERS = 3

#: Memory that may be more afterwards: that of Python's heap where the script is in the host.
MORE_KB = {"process": 8_000, "thread": 60_000, "interpreter": 60_000}

#: What Python keeps of each interpreter that has ended; nearly nothing from 3.14 on.
KEPT_KB = 8_000 if sys.version_info < (3, 14) else 1_000


@pytest.mark.timeout(SECONDS + 200)
def test_every_request_gets_its_own_answer_whatever_happens(host: Make) -> None:
    server = host("storm.py", "--worker_count", str(WORKERS), env={
        "SCORING_TIMEOUT_MS": str(chaos.LIMIT_MS), "BODY_TIMEOUT_MS": "3000",
        "HEAD_TIMEOUT_MS": "3000"}, life_s=SECONDS + 180).wait_ready(WORKERS)
    seed = chaos.seed_of(os.environ.get("CHAOS_SEED"))
    is_alone = server.pid == server.process.pid
    print(f"seed {seed}, kind {server.kind}, {'no ' if is_alone else ''}supervisor")
    warmed = storm_over(server, seed + 1, 3.0, crashes=server.kind == "process", kills_host=False)
    assert not warmed.tally.wrong, f"seed {seed}: {warmed.tally.wrong[0]}; {story(server)}"
    settle(server)
    before = Footprint.of(server)

    # Interpreters that crash the host twice become processes: that is another test's.
    crashes = server.kind == "process" or (server.kind == "thread" and not is_alone)
    storm = storm_over(server, seed, SECONDS, crashes=crashes, kills_host=not is_alone,
                       good_min=50)
    print(sorted(storm.tally.seen.items()))
    assert not storm.tally.wrong, f"seed {seed}:\n" + "\n".join(storm.tally.wrong)
    assert not chaos.scored_wrongly(storm)
    settle(server)
    is_as_before(server, before)
    counts_nothing_as_under_way(server)
    says_why(storm)
    ends(server)


def story(server: Host) -> str:
    """What became of hosts and workers, for whoever reads of a failure."""
    told = ("host-", "Fatal", "worker-lost", "worker-kind", "interpreter-")
    lines = [line.raw for line in server.lines("stderr") if any(word in line.raw for word in told)]
    return "\n".join(lines[-30:])


def storm_over(server: Host, seed: int, seconds: float, **more: Any) -> Storm:
    """Let it rage, and see that every 200 came from a run()."""
    storm = Storm(server, seed, seconds, WORKERS, **more)
    storm.run()
    assert server.is_alive(), server.stderr[-3000:]
    for text in ("AddressSanitizer", "runtime error:"):
        assert text not in server.stderr, server.stderr[-6000:]
    return storm


def settle(server: Host) -> None:
    """Wait until nobody is connected and each worker serves; what was kept is let go."""
    if server.kind == "process":
        server.wait_workers(WORKERS)
    else:
        until("no worker is late or lacking", lambda: chaos.is_at_rest(server, WORKERS))
    until("serving", lambda: server.ask("GET", "/").status == 200)
    server.wait_quiet(WORKERS)
    connections = [Connection(server.address) for _ in range(64)]
    for number, connection in enumerate(connections):
        order = chaos.Order(f"settle-{number}", {"do": "forget"}, (200,))
        connection.send(request(body=order.bytes().partition(b"\r\n\r\n")[2]))
    for connection in connections:
        assert connection.response().status == 200, "all that fits is taken in again"
        connection.close()
    server.wait_quiet(WORKERS)


def is_as_before(server: Host, before: Footprint) -> None:
    """Wait until the host has what it had; memory within its bound."""
    try:
        until(f"as many descriptors and threads as in {before}", lambda: (
            len(server.descriptors()) <= before.descriptors
            and server.threads() <= before.threads))
    except AssertionError as error:
        raise AssertionError(f"{error}, but {Footprint.of(server)}: {server.descriptors()}; "
                             f"{chaos.thread_names(server.pid)}; {story(server)}") from None
    if "ASAN_OPTIONS" not in server.env:  # it keeps what is freed, for a while
        more = MORE_KB[server.kind]
        if server.kind == "interpreter":
            more += KEPT_KB * server.stderr.count("worker-lost")
        assert server.memory_kb() - before.memory_kb < more
    assert not chaos.zombies(server.pid, children)


def counts_nothing_as_under_way(server: Host) -> None:
    """Its gauges are back at zero, whoever left and however."""
    def is_quiet() -> bool:
        page = scrape(server)
        assert page.value("request_duration_seconds_count", route="score") >= 64, "as settled"
        return not page.value("requests_in_flight", route="score") + page.value("requests_waiting")

    until("no request is in flight or waits", is_quiet)


def says_why(storm: Storm) -> None:
    """The log names each cause."""
    server = storm.server
    # A signal that a hanging script has blocked comes to it later.
    until("the log explains each end", lambda: not chaos.unexplained(storm))
    for end in storm.tally.ends:
        server.wait_said(end)
    # In the storm it may have been killed before it could say so.
    late = f"within the allocated time: {chaos.LIMIT_MS}ms"
    times = server.stdout.count(late)
    hang = chaos.Order("late", {"do": "hang", "where": "python", "seconds": chaos.OBEYS_S}, (500,))
    assert server.raw(hang.bytes()).json == {"message": chaos.TIMED_OUT}
    server.wait_said(late, "stdout", times + 1)


def ends(server: Host) -> None:
    """It goes when it is told to, and leaves nothing."""
    below = server.workers()
    assert server.stop(signal.SIGTERM) == 0
    assert not server.left(), "processes are left"
    assert all(not os.path.exists(f"/proc/{pid}") for pid in below)
