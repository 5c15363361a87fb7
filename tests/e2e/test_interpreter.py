"""Workers of kind interpreter: their own GIL and globals, in the host's process."""

from __future__ import annotations

import sys
import time

import pytest

from .conftest import Make
from .host import Host
from .wire import until

KIND = ("--worker_kind", "interpreter")
SCORE = (*KIND, "--entry_script", "score.py")
POSSIBLE = sys.version_info >= (3, 12, 4) and "t" not in getattr(sys, "abiflags", "")
SLEEP_ENDS = sys.version_info >= (3, 15)

needs = pytest.mark.skipif(not POSSIBLE, reason="this Python cannot have them")

LOST = "An unexpected error occurred in scoring script"


@pytest.fixture
def inner(host: Make) -> Host:
    """A host with one interpreter that does what it is told."""
    return host("inner.py", *KIND)


#: How long run() may take: what is quick is quicker, also on a machine that stalls.
LIMIT_MS = 800


@pytest.fixture
def hasty(host: Make) -> Host:
    """The same, whose script may not take long."""
    return host("inner.py", *KIND, env={"SCORING_TIMEOUT_MS": str(LIMIT_MS)})


def timed_out(server: Host, what: str, **more: object) -> None:
    """Order what takes too long; the answer comes at the limit."""
    begun = time.monotonic()
    response = server.do(what, **more)
    assert (response.status, response.message) == (500, f"Scoring timeout after {LIMIT_MS} ms")
    assert LIMIT_MS / 1000 <= time.monotonic() - begun < 40


@pytest.mark.skipif(POSSIBLE, reason="this Python can have them")
def test_what_cannot_be_had_is_refused(host: Make) -> None:
    server = host("inner.py", *KIND, wait=False)
    assert server.wait() == 3
    assert "worker kind interpreter" in server.stderr
    assert "use --worker_kind" in server.stderr


# What they are


@needs
def test_each_has_its_own_globals_in_one_process(host: Make) -> None:
    server = host("inner.py", *KIND, "--worker_count", "4").wait_ready(4)
    assert server.workers() == []
    gates = [server.gate(name) for name in "abc"]
    told = [server.do("tell").json for _ in range(3)]
    for name in "abc":
        server.open(name)
    assert [later.result().json for later in gates] == ["a", "b", "c"]
    assert {item["pid"] for item in told} == {server.pid}
    assert len({item["thread"] for item in told}) == 1
    assert [item["calls"] for item in told] == [1, 2, 3]
    assert told[0]["inits"] == 1 and told[0]["argv"][1] == "--entry_script"
    assert "Using worker: interpreter" in server.stderr
    assert server.stop() == 0


@needs
def test_they_run_python_at_once(host: Make) -> None:
    """One that computes for ever keeps nobody from anything."""
    server = host("inner.py", *KIND, "--worker_count", "2", "--drain_timeout_ms", "200")
    server.wait_ready(2)
    alone_s = echo_s(server)
    server.wait_read(server.do_later("busy"))
    assert echo_s(server) < max(0.02, 4 * alone_s)
    assert server.stop() == 0


def echo_s(server: Host) -> float:
    """How long a small request takes when nothing else keeps the processor from it."""
    times = []
    for number in range(20):
        begun = time.monotonic()
        assert server.do("echo", value=number).json == number
        times.append(time.monotonic() - begun)
    return sorted(times)[4]


@needs
def test_they_answer_as_processes_do(inner: Host) -> None:
    assert inner.do("echo", value=[1, "a"]).json == [1, "a"]
    assert inner.do("later", value=5).json == 5
    assert inner.do("awaited", value=6).json == 6
    assert inner.do("pieces", value=["a", "b"]).body == b"ab"
    assert inner.ask("GET", "/score?do=echo&value=x").json == "x"
    assert inner.ask("GET", "/swagger.json").status == 200


@needs
def test_what_a_script_writes_is_in_the_log(inner: Host) -> None:
    inner.do("say")
    assert "printed" in inner.texts("azmlinfsrv.print")
    assert "to stdout\n" in inner.stdout
    inner.wait_said("to stderr")
    inner.wait_said("WARNING:mine:logged")


@needs
@pytest.mark.parametrize("what", ["exit", "interrupt"])
def test_what_would_end_a_program_fails_a_request(inner: Host, what: str) -> None:
    response = inner.do(what)
    assert response.status == 500 and LOST in response.message
    assert inner.do("tell").json["calls"] == 2


# What they cannot have


@needs
@pytest.mark.parametrize(
    ("what", "more", "name"),
    [("lazy", {"name": "faulthandler"}, "faulthandler"), ("fork", {}, "os.fork()")],
)
def test_what_is_refused_is_answered_503(
    inner: Host, what: str, more: dict[str, str], name: str
) -> None:
    response = inner.do(what, **more)
    assert response.status == 503 and response.get("Retry-After") == "1"
    assert f"The script needs {name}," in response.message
    assert [line.level for line in inner.lines() if f"needs {name}" in line.text] == ["W"]


@needs
def test_numpy_is_named_by_what_was_refused(inner: Host) -> None:
    pytest.importorskip("numpy")
    response = inner.do("lazy", name="numpy")
    assert response.status == 503 and response.get("Retry-After") == "1"
    assert "numpy._core._multiarray_umath" in response.message


@needs
def test_a_script_that_cannot_be_loaded_so_says_what_to_do(host: Make) -> None:
    server = host(
        "", *SCORE, "--worker_count", "2", wait=False,
        files={"score.py": "def init():\n import faulthandler\ndef run(data): pass\n"},
    )
    assert server.wait() == 3
    assert "The script needs faulthandler, which cannot be had" in server.stdout
    assert "use --worker_kind process, or auto" in server.stdout


@pytest.mark.skipif(sys.version_info < (3, 14) or not POSSIBLE, reason="auto takes no such kind")
def test_where_nobody_chose_the_script_moves_to_processes(host: Make) -> None:
    """The probe does not call init(); what it needs is found out at the start."""
    server = host(
        "", "--entry_script", "score.py", "--worker_kind", "auto", "--worker_count", "2",
        files={"score.py": "def init():\n import faulthandler\ndef run(data): return 1\n"},
    )
    assert "Using worker: interpreter" in server.stderr
    assert "The script needs faulthandler, which cannot be had" in server.stdout
    assert server.post("x").json == 1
    assert len(server.wait_workers(2)) == 2
    assert server.stop() == 0


@needs
def test_a_script_that_is_broken_ends_the_host_as_ever(host: Make) -> None:
    server = host(
        "", *SCORE, wait=False, files={"score.py": "def init(): 1/0\ndef run(x): pass\n"}
    )
    assert server.wait() == 3
    assert "ZeroDivisionError" in server.stdout
    assert "Worker failed to boot" in server.stderr


# Time


@needs
def test_a_loop_is_interrupted_and_the_next_request_is_clean(hasty: Host) -> None:
    for number in range(3):
        timed_out(hasty, "busy")
        assert hasty.do("echo", value=number).json == number
    assert hasty.do("tell").json["calls"] == 7, "it is the same worker"
    assert 'inner.py", line' in hasty.stderr and "in busy" in hasty.stderr
    assert hasty.stop() == 0


@needs
def test_a_short_sleep_hurts_nobody_else(hasty: Host) -> None:
    """The exception that is left for it is raised when it wakes up, in no other request."""
    for number in range(3):
        timed_out(hasty, "sleep", seconds=LIMIT_MS / 1000 + 0.4)
        assert hasty.do("echo", value=number).json == number
    assert hasty.do("tell").json["calls"] == 7


@needs
def test_a_long_sleep_is_left_behind(hasty: Host) -> None:
    """It can be interrupted on 3.15; before, another worker takes its place."""
    first = hasty.do("tell").json
    timed_out(hasty, "sleep", seconds=60)
    assert hasty.do("echo", value=1).json == 1
    second = hasty.do("tell").json
    assert (second["thread"] == first["thread"]) is SLEEP_ENDS
    assert hasty.stop() == 0


# The end


@needs
@pytest.mark.parametrize(
    ("script", "body"),
    [
        ("import datetime, asyncio\n", "datetime.date.today().year"),
        ("import hashlib\n", "hashlib.sha256(data.encode()).hexdigest()"),
        ("import ssl, decimal, sqlite3\n", "str(decimal.Decimal(1))"),
    ],
)
def test_the_end_of_the_interpreters_is_clean(host: Make, script: str, body: str) -> None:
    server = host(
        "", *SCORE, "--worker_count", "4",
        files={"score.py": f"{script}def init(): pass\ndef run(data): return {body}\n"},
    ).wait_ready(4)
    assert [server.post("x").status for _ in range(8)] == [200] * 8
    assert server.stop() == 0
    assert "Exception" not in server.stderr and "Traceback" not in server.stderr


@needs
def test_a_thread_that_never_ends_keeps_the_host_no_longer_than_it_waits(host: Make) -> None:
    server = host("inner.py", *KIND, "--drain_timeout_ms", "500")
    assert server.do("forever").json == "left"
    assert server.stop() == 0


@needs
def test_a_host_that_is_stopped_during_init_ends_at_once(host: Make) -> None:
    server = host("inner.py", *KIND, wait=False, env={"SLOW_INIT": "1"})
    until("init() has begun", (server.app / "init.here").exists)
    assert server.stop() == 0
    assert "drain-timeout" not in server.stderr


@needs
def test_a_crash_shows_where_python_was(inner: Host) -> None:
    inner.do_later("segv")
    inner.wait_said("Segmentation fault")
    inner.wait_said("in segv")
    inner.wait_said("host-lost")
    inner.wait_said("was killed by SIGSEGV")


# Kind thread


@pytest.mark.parametrize("share", [False, True])
def test_threads_have_copies_of_the_module_or_share_one(host: Make, share: bool) -> None:
    arguments = ["--worker_kind", "thread", "--worker_count", "3"]
    server = host("inner.py", *arguments, *(["--share_module"] if share else []))
    server.wait_ready(1 if share else 3)
    gates = [server.gate(name) for name in "ab"]
    told = server.do("tell").json
    for name in "ab":
        server.open(name)
    assert sorted(later.result().json for later in gates) == ["a", "b"]
    assert told["calls"] == (3 if share else 1)
    assert told["inits"] == 1
    assert server.times_ready() == (1 if share else 3)
    assert server.stop() == 0


def test_a_copy_of_main(host: Make) -> None:
    server = host(
        "", "--worker_kind", "thread", "--worker_count", "2", "--config_file", "{app}/c.json",
        files={
            "main.py": "def init(): pass\ndef run(data): return __name__\n",
            "c.json": '{"AML_APP_ROOT": "."}',
        },
    ).wait_ready(2)
    names = {server.post("x").json for _ in range(8)}
    assert names <= {"main", "main_2"}


def test_a_thread_that_does_not_come_back_is_replaced(host: Make) -> None:
    """Also where it was Python's main thread."""
    server = host("inner.py", "--worker_kind", "thread", env={"SCORING_TIMEOUT_MS": "200"})
    first = server.do("tell").json
    assert first["thread"] == server.pid
    waiting = server.gate("stuck")
    assert waiting.result().status == 500
    assert server.do("echo", value=1).json == 1
    assert server.stop() == 0


def test_a_crashing_worker_process_shows_where_python_was(host: Make) -> None:
    server = host("inner.py", "--worker_kind", "process")
    assert server.do("segv").status == 502
    server.wait_said("Segmentation fault")
    server.wait_said("in segv")
