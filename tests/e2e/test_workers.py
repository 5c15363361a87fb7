"""Workers that crash, hang or are left: who notices, and what they are told."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from .conftest import Make
from .host import Host, children, is_over, state
from .wire import request, until

crashes_alone = pytest.mark.kinds("process", why="a thread that crashes takes its host along")
has_a_process = pytest.mark.kinds("process", why="the process that a worker has for itself")

LOST = "The worker process {} while it scored this request. Check the logs for more info."


@pytest.fixture
def lab(host: Make) -> Host:
    """A host with one worker that does what it is told."""
    server = host("lab.py")
    server.wait_quiet()
    return server


# Crashes


@crashes_alone
@pytest.mark.parametrize(
    ("what", "more", "how", "logged"),
    [
        ("segv", {}, "was killed by SIGSEGV", "was sent SIGSEGV!"),
        ("exit", {"code": 7}, "exited with code 7", "exited with code 7"),
        ("exit", {"code": 0}, "exited with code 0", "exited with code 0"),
        ("exit", {"code": 3}, "exited with code 3", "exited with code 3"),
        ("kill", {"name": "SIGKILL"}, "was killed by SIGKILL",
         "was sent SIGKILL! Perhaps out of memory?"),
        ("kill", {"name": "SIGABRT"}, "was killed by SIGABRT", "was sent SIGABRT!"),
    ],
)
def test_a_crash_costs_its_own_request_alone(
    lab: Host, what: str, more: dict[str, object], how: str, logged: str
) -> None:
    first = lab.workers()[0]
    with lab.connect() as kept:
        response = lab.do(what, **more)
        assert (response.status, response.message) == (502, LOST.format(how))
        assert response.get("x-ms-run-function-failed") == "True"
        assert response.get("x-request-id")
        assert lab.do("echo", value=1).json == 1
        assert kept.send(request("GET", "/")).response("GET").status == 200
    lab.wait_ready(2)
    second = lab.wait_workers(1)[0]
    assert second != first and lab.do("pid").json == second
    assert f"E [{lab.pid}] gunicorn.error - Worker (pid:{first}) {logged}" in lab.stderr


@crashes_alone
def test_what_waits_behind_a_crash_is_scored_by_the_next_worker(lab: Host) -> None:
    running = lab.gate("before")
    crashing = lab.do_later("segv", id="crash")
    waiting = [lab.do_later("echo", value=number, id=number) for number in range(10)]
    lab.wait_read(crashing, *waiting)
    lab.open("before")
    assert running.result().json == "before"
    assert crashing.result().status == 502
    assert [later.result().json for later in waiting] == list(range(10))
    assert lab.scored() == ["crash", *map(str, range(10))]


@has_a_process
def test_a_worker_killed_from_outside_is_replaced(lab: Host) -> None:
    first = lab.workers()[0]
    os.kill(first, signal.SIGKILL)
    lab.wait_ready(2)
    assert lab.wait_workers(1) != [first]
    assert lab.do("echo", value=1).json == 1


@crashes_alone
def test_workers_that_die_again_and_again_are_started_more_slowly(host: Make) -> None:
    server = host("dies_young.py", wait=False)
    server.wait_said("the next one starts in 1.6 s")
    assert server.ask("GET", "/").status == 503
    response = server.post("x")
    assert response.status == 503 and int(response.get("retry-after") or 0) > 0
    assert response.message
    assert server.stderr.count("Booting worker") < 12
    assert server.stop() == 0


@crashes_alone
def test_a_crash_of_one_worker_does_not_touch_the_other(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    running = server.gate("one")
    assert server.do("segv").status == 502
    assert not running.is_answered()
    server.open("one")
    assert running.result().json == "one"


# Time


#: How long run() may take: what is quick is quicker, also on a machine that stalls.
LIMIT_MS = 800
TIMED_OUT = f"Scoring timeout after {LIMIT_MS} ms"


def timed_out(server: Host, what: str, **more: object) -> None:
    """Order what takes too long by far; the answer comes at the limit, before it could be over."""
    begun = time.monotonic()
    response = server.do(what, **more)
    took = time.monotonic() - begun
    assert (response.status, response.message) == (500, TIMED_OUT)
    assert response.get("x-ms-run-function-failed") == "True"
    assert response.get("x-ms-run-fn-exec-ms") is None
    assert LIMIT_MS / 1000 <= took < LONG_S


#: What nobody waits for: a limit that does not hold is seen by it.
LONG_S = 40


@pytest.fixture
def hasty(host: Make) -> Host:
    """A host whose script may not take long."""
    return host("lab.py", env={"SCORING_TIMEOUT_MS": str(LIMIT_MS)})


@pytest.mark.parametrize("what", [
    pytest.param("sleep", marks=pytest.mark.kinds(
        "process", "thread", why="no signal wakes an interpreter: it is left behind")),
    "busy"])
def test_python_that_takes_too_long_is_interrupted(hasty: Host, what: str) -> None:
    worker, scorers = hasty.do("pid").json, hasty.scorers()
    timed_out(hasty, what, seconds=LONG_S)
    assert hasty.do("pid").json == worker
    hasty.wait_said("Script failed to finish execution within the allocated time: "
                    f"{LIMIT_MS}ms", "stdout")
    assert hasty.scorers() == scorers


def in_c(server: Host) -> dict[str, object]:
    """How run() hangs: with its interpreter's lock, where no other worker needs that one."""
    return {"locked": server.kind != "thread"}


def test_a_hang_in_c_is_answered_and_its_worker_replaced(hasty: Host) -> None:
    timed_out(hasty, "hang", name="c", **in_c(hasty))
    for number in range(10):
        assert hasty.do("echo", value=number).json == number


@has_a_process
def test_a_worker_that_hangs_in_c_is_killed_and_named(hasty: Host) -> None:
    worker = hasty.workers()[0]
    timed_out(hasty, "hang", name="c")
    assert hasty.do("echo", value=1).json == 1
    assert hasty.wait_workers(1) != [worker]
    killed = f"WORKER TIMEOUT (pid:{worker})"
    hasty.wait_said(killed)
    assert state(worker) in ("", "Z")
    answered_at = next(line.time for line in hasty.lines() if '"POST /score HTTP' in line.text)
    killed_at = next(line.time for line in hasty.lines("stderr") if killed in line.text)
    assert answered_at < killed_at, "the client did not wait for that"


def test_a_late_answer_never_reaches_the_next_caller(hasty: Host) -> None:
    """The script swallows its interruption and returns when nobody waits any more."""
    worker = hasty.do("pid").json
    with hasty.connect() as connection:
        order = {"do": "stubborn", "name": "late", "seconds": LIMIT_MS / 1000 + 0.4}
        connection.send(request(body=json.dumps(order).encode()))
        assert connection.response().status == 500
        for number in range(5):
            body = b'{"do": "echo", "value": %d}' % number
            assert connection.send(request(body=body)).response().json == number
    assert (hasty.app / "late.caught").exists()
    assert hasty.do("pid").json == worker


def test_who_ends_just_at_the_limit_hurts_nobody(hasty: Host) -> None:
    """Answer and interruption cross; what is too late for one must not hit the next.

    What is just at the limit is found out: it depends on the machine.
    """
    ends: list[int] = []
    seconds, step = LIMIT_MS / 1000 - 0.004, 0.064
    while len(ends) < 12 or set(ends) != {200, 500}:
        slow = hasty.do("sleep", seconds=seconds)
        assert slow.status == 200 or slow.message == TIMED_OUT
        if ends and slow.status != ends[-1]:
            step = max(step / 4, 0.001)
        ends.append(slow.status)
        seconds += step if slow.status == 200 else -step
        for _ in range(3):
            assert hasty.do("sleep", seconds=0.002).status == 200


def test_what_waits_behind_a_hang_is_scored_in_the_end(hasty: Host) -> None:
    hanging = hasty.do_later("hang", name="first", **in_c(hasty))
    hasty.wait_at("first")
    waiting = [hasty.do_later("echo", value=number, id=number) for number in range(5)]
    assert hanging.result().status == 500
    assert [later.result().json for later in waiting] == list(range(5))
    assert hasty.scored() == list(map(str, range(5)))


def test_waiting_does_not_count_as_scoring(hasty: Host) -> None:
    """The limit is run()'s; a request that had to wait still has all of it."""
    waiting = [hasty.do_later("sleep", seconds=LIMIT_MS / 2500) for _ in range(4)]
    assert [later.result().status for later in waiting] == [200] * 4


def test_a_timeout_of_the_users_own_is_no_scoring_timeout(host: Make) -> None:
    server = host("failures.py")
    for kind in ("timeout", "socket timeout"):
        response = server.post(kind)
        assert response.status == 500
        assert response.message == ("An unexpected error occurred in scoring script. "
                                    "Check the logs for more info.")


def test_the_smaller_of_the_two_limits_counts(host: Make) -> None:
    server = host("lab.py", env={"WORKER_TIMEOUT": "1"})
    response = server.do("sleep", seconds=20)
    assert (response.status, response.message) == (500, "Scoring timeout after 1000 ms")


def test_no_limit_at_all(host: Make) -> None:
    server = host("lab.py", env={"SCORING_TIMEOUT_MS": "0", "WORKER_TIMEOUT": "0"})
    assert server.do("sleep", seconds=0.2).json == {}


def test_health_is_answered_while_every_worker_hangs(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    idle_s = health_s(server)
    hanging = [server.do_later("hang", name=f"h{number}", locked=False) for number in range(2)]
    for number in range(2):
        server.wait_at(f"h{number}")
    assert health_s(server) < max(0.02, 4 * idle_s), "as soon as if nothing hung"
    assert server.ask("GET", "/swagger.json").status == 200
    assert not any(later.is_answered() for later in hanging)


def health_s(server: Host) -> float:
    """How long an answer on / takes when nothing else keeps the processor from it."""
    times = []
    for _ in range(100):
        begun = time.monotonic()
        assert server.ask("GET", "/").status == 200
        times.append(time.monotonic() - begun)
    return sorted(times)[10]


# Clients that leave


@pytest.mark.parametrize("leave", ["close", "reset", "half_close"])
def test_who_leaves_while_queued_is_not_scored(lab: Host, leave: str) -> None:
    running = lab.gate("busy")
    leaving = [lab.do_later("nothing", id=f"left{number}") for number in range(3)]
    staying = lab.do_later("nothing", id="stayed")
    lab.wait_read(staying)
    lab.leave(leave, *leaving)
    lab.open("busy")
    assert running.result().json == "busy"
    assert staying.result().status == 200
    assert lab.scored() == ["stayed"]


def test_who_leaves_while_queued_does_not_touch_who_runs(lab: Host) -> None:
    running = lab.gate("run")
    sockets = lab.sockets()
    for _ in range(20):
        lab.do_later("nothing", id="left").connection.reset()
    lab.wait_sockets(sockets)
    lab.open("run")
    assert running.result().json == "run"
    assert lab.do("echo", value=1).json == 1
    assert lab.scored() == []


def test_a_half_closed_client_whose_request_runs_gets_its_answer(lab: Host) -> None:
    running = lab.gate("half")
    running.connection.half_close()
    assert not running.is_answered(0.1)
    lab.open("half")
    response = running.result()
    assert (response.status, response.json) == (200, "half")


def test_a_client_that_sends_and_half_closes_at_once_gets_its_answer(lab: Host) -> None:
    """As `nc -N` does: nobody is before it, so it does not wait."""
    for number in range(50):
        with lab.connect() as connection:
            connection.send(request(body=b'{"do": "echo", "value": %d}' % number))
            connection.half_close()
            assert connection.response().json == number
            assert connection.is_closed()


def test_who_leaves_while_running_lets_the_worker_live(lab: Host) -> None:
    scorers = lab.scorers()
    sockets = lab.sockets()
    running = lab.gate("gone")
    running.connection.reset()
    lab.wait_sockets(sockets)
    lab.open("gone")
    assert lab.do("echo", value=1).json == 1
    assert lab.scorers() == scorers


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_a_storm_of_leavers_and_then_a_normal_call(lab: Host, leave: str) -> None:
    """They leave while their requests are read, queued, or put to sleep."""
    running = lab.gate("storm")
    sockets = lab.sockets()
    for _ in range(40):
        storm = [lab.do_later("nothing", id="left") for _ in range(30)]
        for later in storm:
            getattr(later.connection, leave)()
    lab.wait_sockets(sockets)
    lab.open("storm")
    assert running.result().json == "storm"
    assert lab.do("echo", value=1).json == 1
    assert lab.scored() == []


# What a worker is


@has_a_process
def test_a_worker_as_the_script_sees_it(lab: Host) -> None:
    told = lab.do("tell", env=["OMP_NUM_THREADS", "AZUREML_ENTRY_SCRIPT"]).json
    assert told["pid"] == lab.workers()[0] and told["ppid"] == lab.pid
    assert told["pgid"] == told["pid"], "a process group of its own"
    assert told["main thread"] is True and told["threads"] == 1
    assert told["argv"][-len(lab.arguments[3:]):] == lab.arguments[3:]
    assert told["env"]["AZUREML_ENTRY_SCRIPT"] == str(lab.app / "lab.py")
    assert int(told["blocked"], 16) == 0


@has_a_process
def test_a_worker_has_no_descriptor_of_the_hosts(host: Make) -> None:
    """Neither listeners nor clients, nor what the host was started with."""
    read, write = os.pipe()
    try:
        server = host("lab.py", pass_fds=[read])
        inherited = os.readlink(f"/proc/self/fd/{read}")
        assert inherited in server.descriptors()
        with server.connect() as connection:
            connection.send(request("GET", "/")).response("GET")
            fds = server.do("tell").json["fds"]
    finally:
        os.close(read)
        os.close(write)
    assert inherited not in fds.values()
    sockets = {name for name in server.descriptors() if name.startswith("socket:")}
    assert not sockets & set(fds.values())
    assert sum(value.startswith("socket:") for value in fds.values()) <= 1
    assert len(fds) < 12, fds


@pytest.mark.kinds("process", why="threads of one process share the pools of its libraries")
@pytest.mark.parametrize("workers", [1, 2])
def test_thread_pools_share_the_processors(host: Make, workers: int) -> None:
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]
    server = host("lab.py", "--worker_count", str(workers))
    env = server.do("tell", env=names).json["env"]
    cores = len(os.sched_getaffinity(0))
    for name in names:
        assert 1 <= int(env[name]) <= max(1, cores // workers), name


def test_thread_pools_that_the_user_sized_stay(host: Make) -> None:
    server = host("lab.py", env={"OMP_NUM_THREADS": "7"})
    env = server.do("tell", env=["OMP_NUM_THREADS", "MKL_NUM_THREADS"]).json["env"]
    assert env["OMP_NUM_THREADS"] == "7" and env["MKL_NUM_THREADS"] != "7"


def test_two_workers_share_the_work(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    waiting = [server.gate("a"), server.gate("b")]
    queued = server.do_later("echo", value=3)
    assert not queued.is_answered(0.1)
    server.open("b")
    assert waiting[1].result().json == "b"
    assert queued.result().json == 3
    server.open("a")
    assert waiting[0].result().json == "a"
    assert server.kind != "process" or len(server.workers()) == 2


def test_what_was_given_ahead_moves_to_an_idle_worker(host: Make) -> None:
    """Nobody waits behind a slow request while another worker has nothing to do."""
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    for number in range(200):
        server.do("echo", value=number)
    slow = server.gate("slow")
    quick = [server.do_later("echo", value=number) for number in range(50)]
    assert [later.result().json for later in quick] == list(range(50))
    server.open("slow")
    assert slow.result().json == "slow"


FINALISED = """
import atexit, os
class Made:
    def __del__(self, write=os.write):
        write(1, b"finalised\\n")
made = Made()
def init():
    atexit.register(os.write, 1, b"at exit\\n")
def run(data):
    return data
"""


@pytest.mark.kinds("process", "interpreter", why="threads load a script anew in a new host alone")
def test_what_a_worker_made_goes_with_it(host: Make) -> None:
    server = host("", "--entry_script", "score.py", files={"score.py": FINALISED})
    server.wait_quiet()
    before = len(server.descriptors())
    for number in range(1, 5):
        server.notify(signal.SIGHUP)
        server.wait_said("all workers have loaded the script anew", times=number)
        server.wait_said("at exit\nfinalised\n", "stdout", times=number)
    until("its descriptors are closed", lambda: len(server.descriptors()) == before)


def test_what_the_last_worker_made_goes_with_the_host(host: Make) -> None:
    server = host("", "--entry_script", "score.py", files={"score.py": FINALISED})
    assert server.post("x").json == "x"
    assert server.stop() == 0
    assert server.stdout.endswith("at exit\nfinalised\n")


# The host


def test_nothing_outlives_a_host_that_is_killed(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    below = [server.pid, *server.workers()]
    server.do_later("hang", name="busy")
    server.wait_at("busy")
    server.notify(signal.SIGKILL)
    server.wait()
    until("all have gone with it", lambda: all(map(is_over, below)))
    with pytest.raises(ConnectionRefusedError):
        server.connect()


@has_a_process
def test_what_a_worker_started_goes_with_it(host: Make) -> None:
    server = host("starts_program.py")
    worker = server.workers()[0]
    program = server.post("start").json
    assert children(worker) == [program]
    os.kill(worker, signal.SIGKILL)
    until("the program is gone", lambda: state(program) in ("", "Z"))


def test_a_child_that_is_no_worker_may_end(host: Make) -> None:
    """As PID 1 of a container the host gets children that it did not start."""
    server = host("lab.py", prefix=["sh", "-c", 'sleep 0.3 & exec "$@"', "sh"])
    worker = server.do("pid").json
    strays = [pid for pid in server.workers() if pid != worker]
    until("the stray has ended", lambda: all(state(pid) in ("", "Z") for pid in strays))
    assert server.do("pid").json == worker
    assert "exited" not in server.stderr
    assert server.stop() == 0


@crashes_alone
def test_crashes_leave_nothing_behind(lab: Host) -> None:
    before = None
    for number in range(8):
        assert lab.do("exit", code=1).status == 502
        lab.wait_ready(number + 2)
        lab.wait_quiet()
        if number == 1:
            before = sorted(lab.descriptors()), lab.threads(), lab.memory_kb()
    assert before is not None
    assert len(lab.descriptors()) == len(before[0])
    assert lab.threads() == before[1]
    assert lab.memory_kb() - before[2] < 500
    assert children(lab.pid) == lab.workers(), "no zombies"


# Kind thread


@pytest.fixture(scope="module")
def threaded(module_host: Make) -> Host:
    return module_host("lab.py", "--worker_kind", "thread")


def test_one_thread_worker_is_pythons_main_thread(threaded: Host) -> None:
    told = threaded.do("tell").json
    assert told["pid"] == threaded.pid and told["main thread"] is True
    assert threaded.workers() == []


def test_thread_workers_answer_as_processes_do(threaded: Host) -> None:
    assert threaded.do("echo", value=[1, "a"]).json == [1, "a"]
    assert threaded.do("nothing").json == {}
    assert threaded.do("raise").status == 500
    assert threaded.do("big", size=1 << 20).status == 200
    assert threaded.ask("GET", "/score?do=echo&value=x").json == "x"
    assert "Using worker: thread" in threaded.stderr
    log = [line for line in threaded.lines() if line.text.startswith("POST /score 200")]
    assert log and log[0].pid == threaded.pid


@pytest.mark.kinds("thread", why="threads are not Python's main one when there are several")
def test_several_threads_score_at_once(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    waiting = [server.gate("a"), server.gate("b")]
    for name in ("a", "b"):
        server.open(name)
    assert sorted(later.result().json for later in waiting) == ["a", "b"]
    assert server.do("tell").json["main thread"] is False
    assert server.stop() == 0
