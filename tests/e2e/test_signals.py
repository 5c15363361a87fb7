"""What the host does when it is told to end, to restart, to grow or to shrink."""

from __future__ import annotations

import os
import signal
import time

import pytest

from .conftest import Make
from .host import Host, is_pending, state, tree
from .wire import Closed, request, until

ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]


@pytest.mark.parametrize("number", ENDING)
def test_it_ends_with_code_0(host: Make, number: int) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    workers = server.workers()
    assert server.stop(number) == 0
    assert "drain-timeout" not in server.stderr
    assert all(state(pid) == "" for pid in workers)
    name = signal.Signals(number).name[3:].lower()
    said = server.texts("gunicorn.error", "stderr")
    assert f"Handling signal: {name}" in said
    assert "Shutting down: Master" in said
    for pid in workers:  # those that are processes
        assert f"Worker exiting (pid: {pid})" in said


@pytest.mark.parametrize("number", ENDING)
def test_what_is_in_hand_is_finished_first(host: Make, number: int) -> None:
    server = host("lab.py")
    running = server.gate("hand")
    queued = [server.do_later("echo", value=at) for at in range(5)]
    idle = server.connect()
    idle.send(request("GET", "/")).response("GET")
    server.wait_read(*queued)
    server.notify(number)
    assert idle.is_closed(), "who waits for nothing is let go"
    until("no more clients", lambda: not can_connect(server))
    assert server.is_alive() and not running.is_answered()
    server.open("hand")
    response = running.result()
    assert (response.json, response.get("connection")) == ("hand", "close")
    assert [later.result().json for later in queued] == list(range(5))
    assert server.wait() == 0


@pytest.mark.parametrize("later_s", [0.0, 0.2])
def test_who_is_connected_and_idle_delays_nothing(host: Make, later_s: float) -> None:
    server = host("lab.py")
    kept = [server.connect() for _ in range(3)]
    for connection in kept:
        connection.send(request("GET", "/")).response("GET")
    assert not kept[0].has_answer(later_s)
    assert server.stop() == 0, "long before their time is over"
    assert "drain-timeout" not in server.stderr
    assert all(connection.is_closed() for connection in kept)


def can_connect(server: Host) -> bool:
    """Whether the host still listens."""
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_body_that_still_comes_is_waited_for(host: Make) -> None:
    server = host("lab.py")
    data = request(body=b'{"do": "echo", "value": 1}')
    coming = server.later(data[:-5])
    assert not coming.is_answered(0.1)
    server.notify(signal.SIGTERM)
    server.wait_said("Handling signal: term")
    coming.connection.send(data[-5:])
    response = coming.result()
    assert response.status in (200, 503), "answered, one way or the other"
    assert server.wait() == 0


def test_draining_has_an_end(host: Make) -> None:
    server = host("lab.py", "--drain_timeout_ms", "300")
    hanging = server.do_later("hang", name="drain")
    server.wait_at("drain")
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun > 0.25
    assert "drain-timeout" in server.stderr
    try:
        assert hanging.result().status in (502, 503)
    except Closed:
        pass


@pytest.mark.parametrize("second", ENDING)
def test_a_second_signal_does_not_wait(host: Make, second: int) -> None:
    server = host("lab.py")
    server.do_later("hang", name="twice")
    server.wait_at("twice")
    server.notify(signal.SIGTERM)
    server.wait_said("Handling signal: term")
    begun = time.monotonic()
    server.notify(second)
    until("what comes is no echo of the first", lambda: time.monotonic() - begun > 1)
    assert server.is_alive(), "within a second it is the same signal by another way"
    server.notify(second)
    assert server.wait() == 0
    assert "drain-timeout" not in server.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_tells_all_processes_stops_them_as_who_tells_the_first(
    host: Make, number: int
) -> None:
    """systemd does, and timeout(1): what is in hand is answered all the same."""
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    running = [server.gate("all"), server.gate("more")]
    waiting = server.do_later("echo", value=1)
    server.wait_read(waiting)
    for pid in tree(server.process.pid):
        if number == signal.SIGTERM or pid not in server.workers():
            os.kill(pid, number)
    server.wait_said("Handling signal")
    for name in ("all", "more"):
        server.open(name)
    assert [later.result().json for later in running] == ["all", "more"]
    assert waiting.result().json == 1
    assert server.wait() == 0
    assert "SIGKILL" not in server.stderr


@pytest.mark.kinds("process", why="the process that a worker has for itself")
def test_a_worker_that_is_told_to_end_answers_first(host: Make) -> None:
    """As gunicorn's do; the second time it is meant."""
    server = host("lab.py").wait_ready()
    for times, status in ((1, 200), (2, 502)):
        worker = server.workers()[0]
        running = server.gate(f"told{times}")
        for _ in range(times):
            os.kill(worker, signal.SIGTERM)
            until("it is taken", lambda pid=worker: not is_pending(pid, signal.SIGTERM))
        server.open(f"told{times}")
        assert running.result().status == status
        server.wait_said(f"Worker (pid:{worker}) was sent SIGTERM!")
        server.wait_ready(times + 1)
    os.kill(server.workers()[0], signal.SIGTERM)
    server.wait_said("was sent SIGTERM!", times=3)
    assert server.do("echo", value=1).json == 1


@pytest.mark.kinds("process", why="the process that a worker has for itself")
def test_processes_of_the_script_are_ended_as_ever(host: Make) -> None:
    """They inherit how a worker takes SIGTERM, but they are none."""
    server = host("", "--entry_script", "score.py", files={"score.py": (
        "import multiprocessing, time\n"
        "def init(): pass\n"
        "def run(data):\n"
        "    child = multiprocessing.get_context('fork').Process(\n"
        "        target=time.sleep, args=(600,))\n"
        "    child.start()\n"
        "    child.terminate()\n"
        "    child.join()\n"
        "    return child.exitcode\n")})
    assert server.post("x").json == -signal.SIGTERM


def test_hup_restarts_the_workers_and_nobody_notices(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    old, ready = server.workers(), server.times_ready()
    running = server.gate("hup")
    server.notify(signal.SIGHUP)
    server.wait_said("Hang up: Master")
    for number in range(50):
        assert server.do("echo", value=number).json == number
    server.open("hup")
    assert running.result().json == "hup"
    until("new workers", lambda: not set(server.workers()) & set(old)
          and server.times_ready() == 2 * ready)
    assert server.do("echo", value=1).json == 1
    assert "Handling signal: hup" in server.stderr


def test_hup_reads_the_script_again(host: Make) -> None:
    server = host("echo.py")
    (server.app / "echo.py").write_text("def init(): pass\ndef run(data): return 'new'\n")
    assert server.post("x").json == {"got": "x"}
    server.notify(signal.SIGHUP)
    server.wait_ready(2)
    until("the new script", lambda: server.post("x").json == "new")


def test_hup_with_one_worker_loses_no_request(host: Make) -> None:
    server = host("lab.py")
    server.notify(signal.SIGHUP)
    results = []
    while server.times_ready() < 2 or len(results) < 20:
        results.append(server.do("echo", value=1).status)
    assert set(results) == {200}


@pytest.mark.kinds("process", "interpreter",
                   why="where one thread scores it is Python's main one, and there is no second")
def test_ttin_and_ttou_add_and_take_one(host: Make) -> None:
    server = host("lab.py")
    first = server.workers()
    server.notify(signal.SIGTTIN)
    both = server.wait_ready(2).workers()
    gates = [server.gate("a"), server.gate("b")]
    for name, later in zip("ab", gates):
        server.open(name)
        assert later.result().json == name
    server.notify(signal.SIGTTOU)
    server.wait_said("Handling signal: ttou")
    left = server.wait_workers(len(first))
    assert set(first) <= set(both) and len(both) == 2 * len(first)
    server.notify(signal.SIGTTOU)
    server.wait_said("Handling signal: ttou", times=2)
    assert server.do("echo", value=1).json == 1
    assert server.workers() == left, "the last one stays"


@pytest.mark.kinds("thread", why="one thread alone stays alone")
def test_ttin_tells_why_it_does_nothing(host: Make) -> None:
    server = host("lab.py")
    server.notify(signal.SIGTTIN)
    server.wait_said("stays alone: start with --worker_count 2 or more")
    assert server.do("echo", value=1).json == 1


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGWINCH, signal.SIGPIPE])
def test_other_signals_do_nothing(host: Make, number: int) -> None:
    server = host("lab.py")
    server.notify(number)
    assert server.do("echo", value=1).json == 1
    assert server.is_alive()


@pytest.mark.kinds("process", "thread", why="an interpreter has no signal handlers")
def test_signals_of_the_script_reach_the_script(host: Make) -> None:
    server = host("signals.py")
    assert server.post("").json == ["SIGUSR2"]


def test_an_interrupt_of_the_terminal_ends_all_in_order(host: Make) -> None:
    """Ctrl-C goes to the host's group; the workers have groups of their own."""
    import os

    server = host("lab.py")
    running = server.gate("ctrl")
    os.killpg(server.process.pid, signal.SIGINT)
    server.wait_said("Handling signal: int")
    server.open("ctrl")
    assert running.result().json == "ctrl"
    assert server.wait() == 0
    assert "KeyboardInterrupt" not in server.stdout + server.stderr
