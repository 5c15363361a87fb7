"""The life of workers: reloaded, recycled, more of them and fewer; and no request that notices."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from .conftest import Make
from .host import Host
from .wire import request, until

loads_beside = pytest.mark.kinds(
    "process", "interpreter", why="threads load a script anew in a new host alone")
is_recycled = pytest.mark.kinds("process", why="what wears out in a host goes with the host")

SCRIPT = """
import os, time
def init():
    time.sleep(0.05)
def run(data):
    time.sleep(0.002)
    return {answer!r}
"""

PIDS = """
import os
def init(): pass
def run(data): return os.getpid()
"""

LEAKS = """
import os
kept = []
def init(): pass
def run(data):
    if len(kept) < 100:
        kept.append(b"x" * 4_000_000)
    return os.getpid()
"""


class Load:
    """Clients that ask without a pause, each on a connection of its own."""

    def __init__(self, server: Host, clients: int) -> None:
        self.server = server
        self.answers: list[object] = []
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        with self.server.connect() as connection:
            while not self._over.is_set():
                try:
                    response = connection.send(request(body=b"x")).response("POST")
                except Exception as error:  # a lost connection is a failure too
                    self.failures.append(repr(error))
                    return
                if response.status == 200:
                    self.answers.append(response.json)
                else:
                    self.failures.append(f"{response.status} {response.message}")

    def begin(self) -> None:
        """Start the clients."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Have them finish what they asked."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)


@contextmanager
def load(server: Host, clients: int = 4) -> Iterator[Load]:
    """Load for as long as the block takes; none of its requests may fail."""
    asked = Load(server, clients)
    asked.begin()
    try:
        yield asked
    finally:
        asked.end()
    assert asked.failures == []


def change(server: Host, text: str) -> None:
    """Write another script in the place of the one that is served."""
    (server.app / "score.py").write_text(text)


def serving(host: Make, text: str, *arguments: str) -> Host:
    """A host with a script of these lines."""
    return host("", "--entry_script", "score.py", *arguments, files={"score.py": text})


# Reload


@loads_beside
@pytest.mark.parametrize("count", [1, 2])
def test_a_reload_under_load_is_seen_by_its_answers_alone(host: Make, count: int) -> None:
    server = serving(host, SCRIPT.format(answer="old"), "--worker_count", str(count))
    server.wait_ready(count)
    old = server.workers()
    with load(server) as asked:
        until("old answers", lambda: len(asked.answers) > 20)
        change(server, SCRIPT.format(answer="new"))
        server.notify(signal.SIGHUP)
        server.wait_said("all workers have loaded the script anew")
        seen = len(asked.answers)
        until("new answers", lambda: len(asked.answers) > seen + 50)
    assert set(asked.answers) == {"old", "new"}
    assert set(asked.answers[-20:]) == {"new"}
    if server.kind == "process":
        assert not set(server.wait_workers(count)) & set(old)


@loads_beside
def test_a_broken_script_changes_nothing_and_says_why(host: Make) -> None:
    server = serving(host, SCRIPT.format(answer="old"), "--worker_count", "2").wait_ready(2)
    before = server.workers()
    with load(server) as asked:
        change(server, "def init(: pass\n")
        server.notify(signal.SIGHUP)
        server.wait_said("replace-failed the new worker exited with code 3; the script is "
                         "not reloaded, and the workers that are there keep serving the old one")
        seen = len(asked.answers)
        until("more answers", lambda: len(asked.answers) > seen + 50)
    assert "SyntaxError" in server.stdout
    assert set(asked.answers) == {"old"}
    assert server.workers() == before
    assert server.ask("GET", "/").status == 200
    change(server, SCRIPT.format(answer="mended"))
    server.notify(signal.SIGHUP)
    server.wait_said("all workers have loaded the script anew")
    assert server.post("x").json == "mended"


@loads_beside
def test_a_second_reload_while_one_is_on_serves_the_newest(host: Make) -> None:
    server = serving(host, SCRIPT.format(answer=0), "--worker_count", "2").wait_ready(2)
    with load(server) as asked:
        for answer in range(1, 6):
            change(server, SCRIPT.format(answer=answer))
            server.notify(signal.SIGHUP)
            server.wait_said("Handling signal: hup", times=answer)
        until("the newest", lambda: asked.answers[-1:] == [5])
        server.wait_said("all workers have loaded the script anew")
        until("nothing else", lambda: set(asked.answers[-50:]) == {5})
    if server.kind == "process":
        server.wait_workers(2)


@loads_beside
def test_a_changed_file_reloads(host: Make) -> None:
    server = serving(host, SCRIPT.format(answer="old"), "--reload")
    assert server.post("x").json == "old"
    change(server, SCRIPT.format(answer="new"))
    server.wait_said(f"file-changed {server.app / 'score.py'}")
    until("the new script", lambda: server.post("x").json == "new")
    beside = server.app / "score.py.tmp"  # as editors do it
    beside.write_text(SCRIPT.format(answer="newest"))
    beside.rename(server.app / "score.py")
    until("the newest script", lambda: server.post("x").json == "newest")
    assert server.stderr.count("file-changed") == 2


@loads_beside
def test_a_changed_module_of_the_script_reloads(host: Make) -> None:
    server = host(
        "", "--entry_script", "score.py", "--reload",
        files={"score.py": "import part.inner\ndef init(): pass\n"
                           "def run(data): return part.inner.VALUE\n",
               "part/__init__.py": "", "part/inner.py": "VALUE = 1\n"})
    assert server.post("x").json == 1
    (server.app / "part" / "inner.py").write_text("VALUE = 2\n")
    until("the new module", lambda: server.post("x").json == 2)


def test_without_the_flag_a_changed_file_means_nothing(host: Make) -> None:
    server = serving(host, SCRIPT.format(answer="old"))
    before = server.workers()
    assert not [name for name in server.descriptors() if "inotify" in name]
    change(server, SCRIPT.format(answer="new"))
    assert server.post("x").json == "old"
    assert server.workers() == before


# Recycling


@is_recycled
def test_workers_are_recycled_by_requests_and_never_all_at_once(host: Make) -> None:
    server = serving(host, PIDS, "--worker_count", "2", "--max_requests", "50",
                     "--max_requests_jitter", "20").wait_ready(2)
    with load(server) as asked:
        until("many workers", lambda: len(set(map(str, asked.answers))) >= 6)
    assert fewest_at_a_change(server) == 3, "the one that goes, the one that comes, and another"
    counts = [list(map(str, asked.answers)).count(pid) for pid in set(map(str, asked.answers))]
    assert max(counts) >= 50
    server.wait_said(" requests: a new one takes its place", times=4)
    server.wait_workers(2)


def fewest_at_a_change(server: Host) -> int:
    """How many workers there are when one is told to leave, at the least; the host's own words."""
    booted, left, seen = 0, 0, []
    for text in server.texts("gunicorn.error", "stderr"):
        booted += text.startswith("Booting worker")
        left += text.startswith("Worker exiting")
        if text.startswith("worker-recycled"):
            seen.append(booted - left)
    return min(seen)


@is_recycled
def test_a_worker_that_leaks_is_recycled_and_the_log_says_it(host: Make) -> None:
    server = serving(host, LEAKS, "--max_worker_rss_bytes", str(300_000_000))
    with load(server, clients=1) as asked:
        until("another worker", lambda: len(set(map(str, asked.answers))) >= 2, 60)
    said = next(line.text for line in server.lines("stderr") if "worker-recycled" in line.text)
    assert "MB of memory: a new one takes its place" in said
    megabytes = float(said.partition(" has ")[2].split()[0])
    assert 300 < megabytes < 600, "all that it leaks and all that it is"


@is_recycled
def test_a_worker_is_recycled_by_its_age(host: Make) -> None:
    server = serving(host, PIDS, "--max_worker_age_ms", "500")
    first = server.post("x").json
    server.wait_said(" s old: a new one takes its place")
    until("another worker", lambda: server.post("x").json != first)


# As many as the load asks for


@pytest.mark.kinds("process", why="they are counted as processes")
def test_load_brings_more_workers(host: Make) -> None:
    text = "import time\ndef init(): pass\ndef run(data):\n    time.sleep(0.05)\n    return 1\n"
    server = serving(host, text, "--worker_max", "3")
    assert len(server.wait_workers(1)) == 1
    with load(server, clients=12):
        server.wait_workers(3)
    server.wait_said("autoscaled 3 workers instead of")
    server.notify(signal.SIGTTIN)  # the limit is the operator's too
    server.wait_said("Handling signal: ttin")
    assert server.post("x").json == 1
    assert len(server.workers()) == 3


def test_limits_that_leave_nothing_between_them_are_refused(host: Make) -> None:
    server = host("", "--worker_min", "3", "--worker_max", "2", "--entry_script", "score.py",
                  files={"score.py": PIDS}, wait=False)
    assert server.wait() == 1
    assert "worker_min is 3, more than worker_max: 2" in server.stdout + server.stderr


@pytest.mark.kinds("process", why="threads of one process share the pools of its libraries")
def test_the_threads_of_libraries_are_told(host: Make) -> None:
    server = serving(host, PIDS)
    said = [line.text for line in server.lines("stderr") if "threads in each worker" in line.text]
    assert len(said) == 1 and "OMP_NUM_THREADS" in said[0]


def test_a_host_that_may_grow_is_quiet_without_load(host: Make) -> None:
    server = serving(host, PIDS, "--worker_max", "3", "--max_worker_rss_bytes", "500000000")
    assert server.post("x").json in server.scorers()
    with server.connect() as waiting:
        server.wait_read(waiting.send(b"POST /score HTTP/1.1\r\n"))
        server.wait_idle()
        assert server.is_idle(1.5, looks=2)
        assert not waiting.has_answer()
