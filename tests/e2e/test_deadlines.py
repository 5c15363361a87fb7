"""Callers that say how long they wait: who is told what, and whose work is not begun."""

from __future__ import annotations

import time

import pytest

from .conftest import Make
from .host import Host
from .wire import chunked, request, until

LATE = "Request timeout after {} ms ({}): {}."
OWN = "x-request-timeout-ms"
WAITING = "it was waiting for a worker"
RUNNING = "the script was running"

#: A caller's time in which run() surely begins, also on a machine that stalls.
SOON_MS = 1000


@pytest.fixture
def lab(host: Make) -> Host:
    """A host with one worker."""
    return host("lab.py")


def test_who_waits_is_told_at_its_time_and_never_scored(lab: Host) -> None:
    running = lab.gate("first")
    begun = time.monotonic()
    late = lab.impatient(200, "nothing", id="late")
    patient = lab.do_later("echo", value=1, id="patient")
    response = late.result()
    assert time.monotonic() - begun > 0.19
    assert (response.status, response.message) == (504, LATE.format(200, OWN, WAITING))
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-request-id")
    assert not running.is_answered()
    lab.open("first")
    assert running.result().json == "first"
    assert patient.result().json == 1
    assert lab.scored() == ["patient"]


def test_who_runs_is_told_too_and_its_worker_goes_on(lab: Host) -> None:
    worker = lab.do("pid").json
    late = lab.impatient(SOON_MS, "gate", name="slow", id="slow")
    lab.wait_at("slow")
    response = late.result()
    assert (response.status, response.message) == (504, LATE.format(SOON_MS, OWN, RUNNING))
    assert response.get("x-ms-run-function-failed") == "True"
    assert response.get("x-ms-run-fn-exec-ms") is None
    behind = lab.do_later("echo", value=7)
    assert not behind.is_answered(0.05), "the worker is at it still"
    lab.open("slow")
    assert behind.result().json == 7, "the late answer is not this one's"
    assert lab.do("pid").json == worker
    assert "WORKER TIMEOUT" not in lab.stderr


def test_what_runs_sees_that_nobody_waits(lab: Host) -> None:
    assert lab.impatient(SOON_MS, "leave", name="work").result().status == 504
    until("it has seen it", (lab.app / "work.seen").exists)
    assert lab.do("cancelled").json is False
    assert (lab.app / "work.seen").read_text() == "cancelled True"


def test_the_most_urgent_goes_first(lab: Host) -> None:
    running = lab.gate("first")
    waiting = [lab.do_later("nothing", id="none"), lab.impatient(50000, "nothing", id="later")]
    waiting.append(lab.impatient(20000, "nothing", id="sooner"))
    waiting.append(lab.do_later("nothing", id="none2"))
    lab.wait_read(*waiting)
    lab.open("first")
    assert running.result().status == 200
    assert [later.result().status for later in waiting] == [200] * 4
    # Where run() is short, what was given ahead is given: it is all there.
    assert sorted(lab.scored()) == ["later", "none", "none2", "sooner"]


def test_the_most_urgent_of_the_queue_goes_first(host: Make) -> None:
    """Where run() is long nothing is given ahead, and the order is exact."""
    lab = host("lab.py")
    for _ in range(12):
        assert lab.do("sleep", seconds=0.02).status == 200
    running = lab.gate("first")
    waiting = [lab.do_later("nothing", id="none"), lab.impatient(50000, "nothing", id="later")]
    waiting.append(lab.impatient(20000, "nothing", id="sooner"))
    waiting.append(lab.impatient(90000, "nothing", id="far"))
    lab.wait_read(*waiting)
    lab.open("first")
    assert running.result().status == 200
    assert [later.result().status for later in waiting] == [200] * 4
    assert lab.scored() == ["sooner", "later", "none", "far"]


def test_the_hosts_own_default(host: Make) -> None:
    lab = host("lab.py", "--request_timeout_ms", str(SOON_MS))
    response = lab.do("gate", name="slow")
    assert (response.status, response.message) == (
        504, LATE.format(SOON_MS, "request_timeout_ms", RUNNING))
    lab.open("slow")
    longer = lab.impatient(60000, "sleep", seconds=SOON_MS / 1000 + 0.2).result()
    assert longer.status == 200, "the caller's own word counts"
    assert lab.impatient(10**15, "echo", value=1).result().json == 1


@pytest.mark.kinds("process", why="a thread cannot be killed")
def test_the_scoring_timeout_keeps_its_status_and_kills(host: Make) -> None:
    lab = host("lab.py", env={"SCORING_TIMEOUT_MS": "1500"})
    worker = lab.workers()[0]
    late = lab.impatient(SOON_MS, "hang", name="c").result()
    assert (late.status, late.message) == (504, LATE.format(SOON_MS, OWN, RUNNING))
    lab.wait_said(f"WORKER TIMEOUT (pid:{worker})")
    lab.wait_ready(2)
    response = lab.impatient(60000, "sleep", seconds=20).result()
    assert (response.status, response.message) == (500, "Scoring timeout after 1500 ms")


def test_callers_cannot_have_workers_killed(host: Make) -> None:
    lab = host("lab.py", "--raise_cancelled")
    worker = lab.workers()
    stuck = lab.impatient(SOON_MS, "stubborn", name="stuck", seconds=SOON_MS / 1000 + 1.5)
    assert stuck.result().status == 504
    assert lab.do("echo", value=1).json == 1
    assert (lab.app / "stuck.caught").exists(), "it was asked to stop"
    assert lab.workers() == worker


@pytest.mark.parametrize("value", ["0", "-5", "1.5", "5s", "", "1e3", "ten"])
def test_what_is_no_time_is_refused(host: Make, value: str) -> None:
    response = host("lab.py").impatient(value, "nothing").result()
    assert response.status == 400
    assert response.message == (
        "x-request-timeout-ms must be sent once and be a whole number of milliseconds, "
        f"1 or more, not '{value}'"
    )


def test_a_body_that_comes_too_late(host: Make) -> None:
    lab = host("lab.py")
    with lab.connect() as connection:
        connection.send(
            b"POST /score HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: 50\r\n"
            b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        )
        assert connection.head().status == 100  # the head is in, and its time runs
        time.sleep(0.06)  # the time itself is what is waited for
        connection.send(chunked(b'{"do": "nothing", "id": "late"}'))
        response = connection.response()
        assert (response.status, response.message) == (
            504, LATE.format(50, OWN, "its body was still coming in"))
        connection.send(request(body=b'{"do": "echo", "value": 3}'))
        assert connection.response().json == 3
    assert lab.scored() == []


def test_what_has_no_hope_is_refused_at_once(host: Make) -> None:
    lab = host("lab.py")
    for _ in range(12):  # the host learns what run() takes
        assert lab.do("sleep", seconds=0.1).status == 200
    running = lab.gate("first")
    waiting = [lab.do_later("sleep", seconds=0.1) for _ in range(40)]
    lab.wait_read(*waiting)
    # All forty have no deadline: it would overtake them, but not the one that runs.
    refused = lab.impatient(40, "nothing", id="hopeless").result()
    assert not running.is_answered()
    assert refused.status == 503 and int(refused.get("retry-after") or 0) == 1
    assert "within 40 ms (x-request-timeout-ms)" in refused.message
    hopeful = lab.impatient(30000, "nothing", id="hopeful")
    lab.open("first")
    assert running.result().status == 200
    assert hopeful.result().status == 200
    assert "hopeful" in lab.scored() and "hopeless" not in lab.scored()
    assert lab.stderr.count("hopeless") == 1
    for later in waiting:
        later.connection.reset()
    until("idle", lambda: lab.impatient(60000, "echo", value=1).result().status == 200)


def test_time_left(lab: Host) -> None:
    assert 290 < lab.do("left").json <= 300, "the worker timeout is the limit then"
    assert 50 < lab.impatient(60000, "left").result().json <= 60
    assert 290 < lab.impatient(10**15, "left").result().json <= 300


def test_without_any_limit_there_is_no_time_left_to_tell(host: Make) -> None:
    lab = host("lab.py", env={"SCORING_TIMEOUT_MS": "0", "WORKER_TIMEOUT": "0"})
    assert lab.do("left").json == {}, "that is None"


def test_a_stream_that_has_begun_is_in_time(host: Make) -> None:
    server = host("drip.py")
    headers = [("X-Request-Timeout-Ms", str(SOON_MS))]
    (server.app / "item0.open").touch()
    with server.connect() as connection:
        over = time.monotonic() + SOON_MS / 1000 + 0.1
        connection.send(request(body=b"2", headers=headers))
        assert connection.head().status == 200
        chunks = connection.chunks()
        assert next(chunks) == b"0"
        until("the caller's time is over", lambda: time.monotonic() > over)
        (server.app / "item1.open").touch()
        assert list(chunks) == [b"1"]


def test_an_idle_host_with_deadlines_behind_it_does_nothing(lab: Host) -> None:
    for _ in range(5):
        assert lab.impatient(SOON_MS, "nothing").result().status == 200
    assert lab.impatient(SOON_MS, "gate", name="g").result().status == 504
    lab.open("g")
    assert lab.do("nothing").status == 200
    until("it does nothing", lambda: lab.is_idle(1.0))
