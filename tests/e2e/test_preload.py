"""The script loaded once, and workers forked from there (WORKER_PRELOAD)."""

from __future__ import annotations

import os
import re
import signal
from typing import Any

import pytest

from .conftest import Make
from .host import Host, children, descriptors, state, tree
from .wire import request, until

pytestmark = pytest.mark.kinds("process", why="a process is what can be forked")

PRELOAD = "--worker_preload"

#: Notes each init(), and has a table that every worker can see.
NOTES = """
import os, json
table = []

def init():
    with open("inits", "a") as file:
        file.write(f"{os.getpid()}\\n")
    table.extend(range(200000))

def run(data):
    return {"pid": os.getpid(), "sum": sum(table), "version": VERSION}

VERSION = 1
"""


def parents(server: Host) -> list[int]:
    """The processes that were started to load the script, oldest first."""
    return [int(pid) for pid in re.findall(r"preloading the process with pid (\d+)", server.stderr)]


def workers(server: Host) -> list[int]:
    """The workers, oldest first: children of the last of these processes."""
    return [pid for pid in children(parents(server)[-1]) if state(pid) not in ("Z", "")]


def start(host: Make, source: str, *arguments: str, **options: Any) -> Host:
    """A server with preloading for a script that is given as text."""
    return host("", "--entry_script", "score.py", PRELOAD, *arguments,
                files={"score.py": source}, **options)


def change(server: Host, source: str) -> None:
    """Give the script another text, and tell the server."""
    (server.app / "score.py").write_text(source)
    server.notify(signal.SIGHUP)


@pytest.fixture
def lab(host: Make) -> Host:
    """A server with one forked worker that does what it is told."""
    return host("lab.py", PRELOAD)


# One load for all


def test_the_script_is_loaded_once_for_all_workers(host: Make) -> None:
    server = start(host, NOTES, "--worker_count", "4").wait_ready(4)
    parent = parents(server)[0]
    assert (server.app / "inits").read_text() == f"{parent}\n"
    assert len(workers(server)) == 4
    assert server.post("").json["sum"] == sum(range(200000))
    assert server.post("").json["pid"] in workers(server)
    loading = [line for line in server.lines() if "Invoking user's init" in line.text]
    assert [line.pid for line in loading] == [parent]


def test_every_worker_scores(host: Make) -> None:
    server = host("lab.py", PRELOAD, "--worker_count", "3").wait_ready(3)
    waiting = [server.gate(name) for name in "abc"]
    assert not waiting[-1].is_answered(0.05)
    for name in "abc":
        server.open(name)
    assert [later.result().json for later in waiting] == ["a", "b", "c"]


def test_a_worker_has_its_own_group_and_nothing_of_its_siblings(host: Make) -> None:
    server = host("lab.py", PRELOAD, "--worker_count", "3").wait_ready(3)
    told = server.do("tell").json
    assert told["pgid"] == told["pid"] and told["ppid"] == parents(server)[0]
    assert told["main thread"] and told["threads"] == 1 and int(told["blocked"], 16) == 0
    mine = sorted(name.split(":")[0].removesuffix(" (deleted)") for name in told["fds"].values())
    assert sum(name == "socket" for name in mine) == 1
    assert not any("pidfd" in name for name in told["fds"].values())


def test_the_log_says_what_is_shared(host: Make) -> None:
    server = start(host, "blob = bytearray(b'x' * 50_000_000)\n" + NOTES,
                   "--worker_count", "2").wait_ready(2)
    found = re.findall(r"Worker with pid (\d+): ([\d.]+) MB private, ([\d.]+) MB shared with "
                       r"the preloaded parent", server.stdout)
    assert sorted(int(pid) for pid, _, _ in found) == workers(server)
    for _, private, shared in found:
        assert float(private) < 10 and float(shared) > 50


def test_the_environment_preloads_too(host: Make) -> None:
    server = host("lab.py", env={"WORKER_PRELOAD": "True"})
    assert server.do("tell").json["ppid"] == parents(server)[0]


def test_other_kinds_are_told_that_it_does_nothing(host: Make) -> None:
    server = host("lab.py", PRELOAD, "--worker_kind", "thread")
    assert "preload-unused WORKER_PRELOAD is for worker kind process" in server.stderr
    assert not parents(server)


# Ends of workers


@pytest.mark.parametrize(
    ("what", "more", "how", "logged"),
    [
        ("exit", {"code": 7}, "exited with code 7", "exited with code 7"),
        ("exit", {"code": 3}, "exited with code 3", "exited with code 3"),
        ("segv", {}, "was killed by SIGSEGV", "was sent SIGSEGV!"),
        ("kill", {"name": "SIGKILL"}, "was killed by SIGKILL",
         "was sent SIGKILL! Perhaps out of memory?"),
    ],
)
def test_a_crash_is_named_and_its_worker_forked_again(
    lab: Host, what: str, more: dict[str, object], how: str, logged: str
) -> None:
    first = workers(lab)[0]
    response = lab.do(what, **more)
    assert response.status == 502 and f"The worker process {how} while" in response.message
    assert lab.do("echo", value=1).json == 1
    assert f"Worker (pid:{first}) {logged}" in lab.stderr
    assert lab.do("pid").json == workers(lab)[0] != first
    assert len(parents(lab)) == 1, "nothing was loaded again"


def test_a_worker_is_back_long_before_the_script_could_be_loaded(host: Make) -> None:
    """It would never be: init() comes back but once."""
    server = start(host, """
import os, time
def init():
    while os.path.exists("loaded"):
        time.sleep(1)
    open("loaded", "w").close()
def run(data): os._exit(1) if data == "exit" else None
""")
    assert server.post("exit").status == 502
    assert server.post("x").status == 200


def test_what_the_script_started_goes_with_its_worker(host: Make) -> None:
    server = host("starts_program.py", PRELOAD)
    started = server.post("").json
    worker = workers(server)[0]
    assert state(started) != ""
    os.kill(worker, signal.SIGKILL)
    until("it is gone", lambda: state(started) in ("", "Z"))


def test_many_crashes_leave_nothing_behind(lab: Host) -> None:
    assert lab.do("exit", code=1).status == 502
    lab.wait_ready(2)
    before = [len(descriptors(pid)) for pid in (parents(lab)[0], lab.pid)]
    for at in range(10):
        assert lab.do("exit", code=1).status == 502
        lab.wait_ready(3 + at)
    until("all closed", lambda: all(
        len(descriptors(pid)) <= count
        for pid, count in zip((parents(lab)[0], lab.pid), before)))
    assert [state(pid) for pid in children(parents(lab)[0])].count("Z") == 0


def test_time_is_kept_in_forked_workers(host: Make) -> None:
    server = host("lab.py", PRELOAD, env={"SCORING_TIMEOUT_MS": "300"})
    worker = workers(server)[0]
    assert server.do("sleep", seconds=20).message == "Scoring timeout after 300 ms"
    assert server.do("pid").json == worker, "it was interrupted"
    assert server.do("hang", name="c").message == "Scoring timeout after 300 ms"
    assert server.do("pid").json != worker, "it was killed"
    server.wait_said(f"WORKER TIMEOUT (pid:{worker})")


def test_ttin_forks_one_more_and_ttou_ends_one(lab: Host) -> None:
    first = workers(lab)
    lab.notify(signal.SIGTTIN)
    lab.wait_ready(2)
    assert workers(lab)[:1] == first and len(workers(lab)) == 2
    lab.notify(signal.SIGTTOU)
    until("one left", lambda: len(workers(lab)) == 1)
    assert lab.do("echo", value=1).json == 1


def test_it_ends_in_order(host: Make) -> None:
    server = host("lab.py", PRELOAD, "--worker_count", "2").wait_ready(2)
    running = server.gate("end")
    below = tree(server.pid)[1:]
    server.notify(signal.SIGTERM)
    server.wait_said("Handling signal: term")
    server.open("end")
    assert running.result().json == "end"
    assert server.wait() == 0
    assert all(state(pid) == "" for pid in below)


def test_nothing_outlives_a_host_that_is_killed(host: Make) -> None:
    server = host("lab.py", PRELOAD, "--worker_count", "2").wait_ready(2)
    below = tree(server.pid)[1:]
    assert len(below) >= 3
    server.notify(signal.SIGKILL)
    server.wait()
    until("all gone", lambda: all(state(pid) in ("", "Z") for pid in below))


def test_who_tells_all_processes_loses_no_request(lab: Host) -> None:
    """The process that workers are forked from would take them along."""
    running = lab.gate("all")
    for pid in tree(lab.process.pid):
        os.kill(pid, signal.SIGTERM)
    lab.wait_said("Handling signal: term")
    lab.open("all")
    assert running.result().json == "all"
    assert lab.wait() == 0


def test_ending_does_not_wait_for_init(host: Make) -> None:
    server = start(host, "import time\ndef init(): time.sleep(600)\ndef run(data): pass\n",
                   wait=False)
    server.wait_said("Invoking user's init", "stdout")
    assert server.stop() == 0
    assert "drain-timeout" not in server.stderr


# The end of the process that they are forked from


def test_service_goes_on_when_the_loaded_process_is_killed(host: Make) -> None:
    server = start(host, NOTES, "--worker_count", "2").wait_ready(2)
    parent, old = parents(server)[0], workers(server)
    assert server.post("").status == 200
    os.kill(parent, signal.SIGKILL)
    server.wait_ready(4)
    assert server.post("").json["sum"] == sum(range(200000))
    assert all(state(pid) in ("", "Z") for pid in (parent, *old))
    assert len(parents(server)) == 2 and len(workers(server)) == 2
    assert f"preload-lost the process that workers are forked from (pid:{parent}) was killed " \
        "by SIGKILL" in server.stderr
    for pid in old:
        assert f"Worker (pid:{pid}) ended with the process it was forked from" in server.stderr


def test_a_request_in_hand_is_answered_when_the_loaded_process_is_killed(lab: Host) -> None:
    running = lab.gate("hand")
    waiting = lab.do_later("echo", value=1)
    os.kill(parents(lab)[0], signal.SIGKILL)
    lost = running.result()
    assert lost.status == 502 and "ended with the one it was forked from" in lost.message
    assert waiting.result().json == 1


# A script that cannot be loaded


def test_a_script_that_cannot_be_loaded_ends_the_host_with_3(host: Make) -> None:
    server = start(host, "def init(): raise ValueError('no model')\ndef run(data): pass\n",
                   "--worker_count", "4", wait=False)
    assert server.wait() == 3
    assert "ValueError: no model" in server.stdout
    assert server.stderr.count("Reason: Worker failed to boot.") == 1
    assert server.stderr.count("Worker exiting") == 1, "there was one process"


def test_a_crash_while_loading_is_tried_again_more_slowly(host: Make) -> None:
    server = start(host, "import os\ndef init(): os.abort()\ndef run(data): pass\n",
                   "--worker_count", "3", wait=False)
    server.wait_said("was sent SIGABRT!", times=3)
    until("no worker can be had", lambda: server.ask("GET", "/").status == 503)
    assert len(parents(server)) < 8
    assert server.stop() == 0


# Reload


def test_hup_takes_the_changed_script(host: Make) -> None:
    server = start(host, NOTES, "--worker_count", "2").wait_ready(2)
    before = parents(server)[0], *workers(server)
    change(server, NOTES.replace("VERSION = 1", "VERSION = 2"))
    server.wait_ready(4)
    until("the new script", lambda: server.post("").json["version"] == 2)
    until("the old ones are gone", lambda: all(state(pid) == "" for pid in before))
    assert len(parents(server)) == 2 and len(workers(server)) == 2


def test_a_broken_script_changes_nothing(host: Make) -> None:
    server = start(host, NOTES).wait_ready()
    before = parents(server)[0], *workers(server)
    change(server, "this is broken(")
    server.wait_said("preload-kept")
    assert "SyntaxError" in server.stdout
    assert server.post("").json["pid"] == before[1]
    os.kill(before[1], signal.SIGKILL)
    server.wait_ready(2)
    assert server.post("").json["version"] == 1, "new workers are still forked from the old"
    assert children(before[0]) == [server.post("").json["pid"]]
    change(server, NOTES.replace("VERSION = 1", "VERSION = 3"))
    until("mended", lambda: server.post("").json["version"] == 3)


def test_requests_during_a_reload_are_all_answered(host: Make) -> None:
    server = start(host, NOTES).wait_ready()
    server.notify(signal.SIGHUP)
    statuses = []
    while server.times_ready() < 2 or len(statuses) < 20:
        statuses.append(server.post("").status)
    assert set(statuses) == {200}


# What a fork takes and leaves


def test_after_fork_is_called_in_each_worker(host: Make) -> None:
    server = start(host, """
import os
mine = None
def init(): pass
def after_fork():
    global mine
    mine = os.getpid()
def run(data): return [mine, os.getpid()]
""", "--worker_count", "2").wait_ready(2)
    mine, pid = server.post("").json
    assert mine == pid in workers(server)
    assert server.stdout.count("Invoking user's after_fork function") == 2


def test_after_fork_that_raises_is_as_init_that_raises(host: Make) -> None:
    server = start(host, """
def init(): pass
def after_fork(): raise ValueError("no session")
def run(data): pass
""", wait=False)
    assert server.wait() == 3
    assert "User's after_fork function failed" in server.stdout
    assert "ValueError: no session" in server.stdout


def test_threads_of_init_are_missed_and_named(host: Make) -> None:
    server = start(host, """
import threading
def init():
    threading.Thread(target=threading.Event().wait, name="refresher", daemon=True).start()
def run(data): return threading.active_count()
""")
    assert ("W [" in server.stdout) and (
        "Threads started by init() do not exist in the workers: refresher." in server.stdout)
    assert server.post("").json == 1
    assert "DeprecationWarning" not in server.stderr


def test_a_folder_of_init_lives_as_long_as_its_process(host: Make) -> None:
    """A worker that ends must not delete what the others still use."""
    server = start(host, """
import atexit, os, tempfile, weakref
class Thing: pass
def init():
    global folder
    folder = tempfile.TemporaryDirectory()
    atexit.register(lambda: open("ended", "a").write("init's\\n"))
def run(data):
    if data == "own":
        thing = Thing()
        run.kept = thing
        weakref.finalize(thing, lambda: open("ended", "a").write("finalize\\n"))
        atexit.register(lambda: open("ended", "a").write("worker's\\n"))
    return [folder.name, os.path.isdir(folder.name)]
""")
    folder, there = server.post("own").json
    server.notify(signal.SIGTTIN)
    server.wait_ready(2)
    server.notify(signal.SIGHUP)  # all workers are replaced, the process too
    server.wait_ready(4)
    ended = server.app / "ended"
    until("all three", lambda: ended.exists() and len(ended.read_text().split()) == 3)
    assert sorted(ended.read_text().split()) == ["finalize", "init's", "worker's"]
    until("it went with its process", lambda: not os.path.exists(folder))
    assert there and server.post("").json[1]


def test_random_numbers_are_each_workers_own(host: Make) -> None:
    pytest.importorskip("numpy")
    server = start(host, """
import os, random, time
import numpy
def init(): numpy.random.random()
def run(data):
    open(f"{data}.here", "w").close()
    while not os.path.exists("open"):
        time.sleep(0.002)
    return [os.getpid(), random.random(), numpy.random.random()]
""", "--worker_count", "2").wait_ready(2)
    both = [server.later(request(body=name)) for name in (b"a", b"b")]
    for name in "ab":
        server.wait_at(name)
    (server.app / "open").touch()
    first, second = (later.result().json for later in both)
    assert all(mine != theirs for mine, theirs in zip(first, second))
    assert "Threads started by init()" not in server.stdout, "OpenBLAS's are no loss"


def test_recycled_workers_are_forked_too(host: Make) -> None:
    server = start(host, NOTES, "--max_requests", "5").wait_ready()
    pids: set[int] = set()
    until("the fourth worker", lambda: pids.add(server.post("").json["pid"]) or len(pids) > 3)
    assert len(parents(server)) == 1
    assert (server.app / "inits").read_text() == f"{parents(server)[0]}\n"


def test_a_changed_file_is_loaded_beside_what_is_there(host: Make) -> None:
    server = start(host, NOTES, "--reload").wait_ready()
    (server.app / "score.py").write_text(NOTES.replace("VERSION = 1", "VERSION = 2"))
    until("the new script", lambda: server.post("").json["version"] == 2)
    assert len(parents(server)) == 2
