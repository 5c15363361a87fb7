"""The process that workers are forked from: what it says, loses and leaves alone."""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import logged
from scorehost import zygote

# Where tests run several at once, the process that forks here has a thread of pytest-xdist's.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

SCRIPT = """
import os
def init():
    print("init by", os.getpid())
def run(data):
    return data
"""


@dataclass
class Parent:
    """A running `python -m scorehost.zygote`, and the host's end of its socket."""

    process: subprocess.Popen[str]
    control: socket.socket
    links: list[socket.socket] = field(default_factory=list)
    pidfds: list[int] = field(default_factory=list)

    def hear(self) -> tuple[list[int], list[int]]:
        """The next message, as numbers, and the descriptors that came with it."""
        assert select.select([self.control], [], [], 20)[0], "it says nothing"
        data, fds, _, _ = socket.recv_fds(self.control, 100, 1)
        return list(zygote.MESSAGE.unpack(data)) if data else [], fds

    def fork(self, number: int) -> tuple[socket.socket, int, int]:
        """Asks for a worker; the other end of its socket, its pid and its pidfd."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        order = zygote.MESSAGE.pack(zygote.FORK, number, 0, 0, 0, 0)
        socket.send_fds(self.control, [order], [theirs.fileno()])
        theirs.close()
        self.links.append(ours)
        told, fds = self.hear()
        self.pidfds += fds
        assert told[:2] == [zygote.FORKED, number] and told[3:] == [0, 0, 0]
        return ours, told[2], fds[0]

    def end(self) -> tuple[str, str]:
        """Closes the socket; what the process wrote."""
        self.control.close()
        return self.process.communicate(timeout=250)

    def finish(self) -> None:
        """Lets go of everything."""
        for sock in (self.control, *self.links):
            sock.close()
        for pidfd in self.pidfds:
            os.close(pidfd)
        self.process.kill()
        self.process.communicate()


Start = Callable[[str], Parent]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts such processes for scripts that are given as text."""
    started: list[Parent] = []

    def make(source: str) -> Parent:
        (tmp_path / "score.py").write_text(source)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.send(b'{"argv": ["azmlinfsrv", "-x"]}')
        process = subprocess.Popen(
            [sys.executable, "-m", "scorehost.zygote", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "AML_APP_ROOT": str(tmp_path),
                 "AZUREML_ENTRY_SCRIPT": str(tmp_path / "score.py")},
        )
        theirs.close()
        started.append(Parent(process, ours))
        return started[-1]

    yield make
    for parent in started:
        parent.finish()


def test_it_loads_once_and_says_so(start: Start) -> None:
    parent = start(SCRIPT)
    assert parent.hear()[0] == [zygote.READY, 0, parent.process.pid, 0, 0, 0]
    out, err = parent.end()
    assert out.count(f"init by {parent.process.pid}") == 1
    assert f"workers are forked from pid {parent.process.pid}, which has" in out
    assert (parent.process.returncode, err) == (0, "")


def test_a_script_that_does_not_load_is_code_3(start: Start) -> None:
    parent = start("1 / 0")
    assert parent.hear() == ([], [])
    assert parent.process.wait(60) == 3
    assert "ZeroDivisionError" in parent.end()[0]


def test_a_worker_is_named_and_so_is_its_end(start: Start) -> None:
    parent = start(SCRIPT)
    parent.hear()
    link, pid, pidfd = parent.fork(17)
    assert os.getpgid(pid) == pid
    link.send(b"this is no host")  # it is not what a worker expects
    assert parent.hear()[0] == [zygote.ENDED, 17, pid, 1, 0, 0]
    assert select.select([pidfd], [], [], 0)[0], "the descriptor is that of the worker"
    _, pid, pidfd = parent.fork(18)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)  # it waits for its host
    assert parent.hear()[0] == [zygote.ENDED, 18, pid, 0, signal.SIGKILL, 0]
    assert "Exception in worker process" in parent.end()[1]


def test_ends_are_told_whatever_the_script_does_with_its_children(start: Start) -> None:
    parent = start("import signal, threading\n"
                   "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                   "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
                   + SCRIPT)
    parent.hear()
    _, pid, pidfd = parent.fork(1)
    signal.pidfd_send_signal(pidfd, signal.SIGTERM)
    assert parent.hear()[0] == [zygote.ENDED, 1, pid, 0, signal.SIGTERM, 0]


def test_it_ends_when_the_host_is_gone_at_once(start: Start) -> None:
    parent = start(SCRIPT)
    parent.control.shutdown(socket.SHUT_RDWR)
    parent.control.close()
    assert parent.process.wait(60) != 0


def test_the_messages_are_those_of_the_c_side() -> None:
    header = Path(__file__).parents[2] / "csrc" / "worker" / "zygote_wire.h"
    for name in ("FORK", "READY", "FORKED", "ENDED"):
        assert f"SCO_ZYGOTE_{name} = {getattr(zygote, name)}," in header.read_text()
    assert zygote.MESSAGE.format in header.read_text()


# Ends


def in_child(worker: Callable[[], int]) -> tuple[int, str]:
    """Forks, ends as a worker does; the exit code, and what was written to a pipe."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        zygote.end_as(worker)
    os.close(write)
    with open(read) as pipe:
        said = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said


def say(text: str) -> None:
    os.write(1, text.encode())


def leave(code: object) -> int:
    raise SystemExit(code)


@pytest.mark.parametrize(
    ("worker", "code"),
    [
        (lambda: 0, 0),
        (lambda: leave(7), 7),
        (lambda: leave(None), 0),
        (lambda: leave("why"), 1),
        (lambda: 1 // 0, 1),
    ],
)
def test_the_code_of_a_worker(worker: Callable[[], int], code: int) -> None:
    assert in_child(worker)[0] == code


def test_only_what_a_worker_registers_is_run_at_its_end() -> None:
    def worker() -> int:
        zygote.leave_exit_handlers()
        atexit.register(say, "worker's ")
        thread = threading.Thread(target=lambda: say("thread's "))
        thread.start()
        return 0

    atexit.register(say, "parent's ")
    try:
        assert sorted(in_child(worker)[1].split()) == ["thread's", "worker's"]
    finally:
        atexit.unregister(say)


# Losses


def test_memory_is_told_in_parts() -> None:
    private, shared = zygote.memory_kb()
    assert private > 1000 and shared > 0


def test_no_threads_are_no_loss(start: Start) -> None:
    parent = start(SCRIPT)
    parent.hear()
    assert " W [" not in parent.end()[0]


def test_threads_are_named(start: Start) -> None:
    parent = start("import threading\n"
                   "for name in 'ab':\n"
                   "    threading.Thread(target=threading.Event().wait, name=name,\n"
                   "                     daemon=True).start()\n" + SCRIPT)
    parent.hear()
    out, err = parent.end()
    assert "Threads started by init() do not exist in the workers: a, b. " in out
    assert err == ""


def test_cuda_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = types.SimpleNamespace(cuda=types.SimpleNamespace(is_initialized=lambda: True))
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(zygote, "lost_threads", lambda: [])
    with logged() as lines:
        zygote.warn_of_losses()
    assert [line[:18] for line in lines] == ["W init() uses CUDA"]
