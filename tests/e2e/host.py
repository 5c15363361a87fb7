"""A running `azmlinfsrv`: how a test starts it, asks it, looks at it and ends it."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

from .wire import PATIENCE_S, Address, Connection, Headers, Response, request, until

SHARED_SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
OWN_SCRIPTS = Path(__file__).resolve().parent / "scripts"

#: A host that lives longer than this in one test is killed: the test hangs.
LIFE_S = 280.0

READY = "ready for serving traffic"

#: How /proc/net/tcp calls the state of a socket whose other side has closed.
CLOSE_WAIT = "08"

_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<level>[DIWEC]) "
    r"\[(?P<pid>\d+)\] (?P<logger>[\w.]+) - (?P<text>.*)"
)


def command() -> list[str]:
    """The program under test."""
    given = os.environ.get("SCOREHOST_COMMAND")
    if given:
        return shlex.split(given)
    script = Path(sys.executable).parent / "azmlinfsrv"
    if script.exists():
        return [str(script)]
    return [sys.executable, "-m", "scorehost.azmlinfsrv"]


@functools.cache
def library_is_strict() -> bool:
    """Whether the HTTP library is libmicrohttpd 1.0, which refuses more by itself."""
    told = subprocess.run([*command(), "--version"], capture_output=True, text=True, timeout=250)
    assert "libmicrohttpd " in told.stdout, told
    return "libmicrohttpd 0." not in told.stdout


class Port:
    """A free port of loopback, kept from others while it is ours.

    It stays bound without listening; the host can bind to it all the same.
    """

    def __init__(self, family: int = socket.AF_INET) -> None:
        self._sock = socket.socket(family)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
        self.number: int = self._sock.getsockname()[1]

    def close(self) -> None:
        """Let others have it."""
        self._sock.close()


class Line:
    """One line of a log, in the form that all have."""

    def __init__(self, text: str) -> None:
        parts = _LINE.fullmatch(text)
        self.raw = text
        self.is_log = parts is not None
        self.time, self.level, pid, self.logger, self.text = (
            parts.groups() if parts else ("", "", "0", "", text)
        )
        self.pid = int(pid)

    def __repr__(self) -> str:
        return self.raw


class Later:
    """A request that is on its way, and its answer."""

    def __init__(self, connection: Connection, method: str) -> None:
        self.connection = connection
        self.method = method

    def result(self) -> Response:
        """Wait for the answer."""
        with self.connection:
            return self.connection.response(self.method)

    def is_answered(self, within_s: float = 0.0) -> bool:
        """Tell whether the answer is there, or comes within that time."""
        return self.connection.has_answer(within_s)


class Host:
    """One start of the program, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        script: str = "",
        *arguments: str,
        kind: str = "process",
        env: Union[Mapping[str, Union[str, None]], None] = None,
        files: Union[Mapping[str, Union[str, bytes]], None] = None,
        copies: Sequence[str] = (),
        listen: Sequence[str] = ("--host", "127.0.0.1"),
        port: bool = True,
        address: Union[Address, None] = None,
        stdout: Union[int, None] = None,
        prefix: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
        life_s: float = LIFE_S,
    ) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir(parents=True)
        for name in (script, *copies):
            self._copy(name)
        for name, content in (files or {}).items():
            path = self.app / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.ports = [Port(), Port()]
        self.port = self.ports[0].number
        self.health_port = self.ports[1].number
        self.address: Address = address or ("127.0.0.1", self.port)
        entry = ["--entry_script", Path(script).name] if script else []
        own_port = ["--port", str(self.port)] if port else []
        self.arguments = [*command(), *entry, *own_port, *listen, *map(self._fill, arguments)]
        self.kind = kind
        self.env = self._environment({"WORKER_KIND": kind, **(env or {})})
        self._connections: list[Connection] = []
        self.process = self._start(prefix, stdout, pass_fds)
        self._pid = self.process.pid
        self._life_s = life_s
        self._timer: Union[threading.Timer, None] = None
        self.renew()

    # Beginning

    def _copy(self, name: str) -> None:
        if not name:
            return
        place = OWN_SCRIPTS if (OWN_SCRIPTS / name).exists() else SHARED_SCRIPTS
        source = place / name
        if source.is_dir():
            shutil.copytree(source, self.app, dirs_exist_ok=True)
        else:
            shutil.copy(source, self.app / source.name)

    def _fill(self, text: str) -> str:
        return (
            text.replace("{app}", str(self.app))
            .replace("{port}", str(self.port))
            .replace("{health_port}", str(self.health_port))
        )

    def _environment(self, more: Mapping[str, Union[str, None]]) -> dict[str, str]:
        kept = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV",
                "ASAN_OPTIONS", "UBSAN_OPTIONS")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env.update(HOME=str(self.folder), LANG="C.UTF-8", PYTHONDONTWRITEBYTECODE="1")
        for name, value in more.items():
            if value is not None:
                env[name] = self._fill(value)
            else:
                env.pop(name, None)
        return env

    def _start(
        self, prefix: Sequence[str], stdout: Union[int, None], pass_fds: Sequence[int]
    ) -> subprocess.Popen[bytes]:
        # It must not outlive us, however we end.
        guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (
            open(self.folder / "stdout", "ab") as out,
            open(self.folder / "stderr", "ab") as err,
        ):
            return subprocess.Popen(
                [*guard, *prefix, *self.arguments],
                cwd=self.app,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    def renew(self) -> None:
        """Give it another life, for another test."""
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(self._life_s, self.kill)
        self._timer.daemon = True
        self._timer.start()

    def wait_ready(self, times: int = 1) -> Host:
        """Wait until workers have said so often that they are ready, and one serves."""
        until("ready", lambda: not self.is_alive() or self.times_ready() >= times)
        assert self.is_alive(), f"it ended: {self.stdout}\n{self.stderr}"
        until("serving", lambda: self.ask("GET", "/").status == 200)
        return self

    def times_ready(self) -> int:
        """How often a worker has said that it is ready."""
        return self.stdout.count(READY)

    def wait_listening(self) -> Host:
        """Wait until clients can connect."""
        until("listening", lambda: not self.is_alive() or "Listening at" in self.stderr)
        return self

    # Asking

    def connect(self, source: str = "") -> Connection:
        """Open a connection; it is closed with the host at the latest."""
        connection = Connection(self.address, source)
        self._connections.append(connection)
        return connection

    def raw(self, data: bytes, method: str = "POST") -> Response:
        """Send exact bytes on a connection of their own, and read one response."""
        with self.connect() as connection:
            return connection.send(data).response(method)

    def ask(
        self,
        method: str = "GET",
        target: str = "/score",
        body: Union[bytes, None] = None,
        headers: Headers = (),
        version: str = "HTTP/1.1",
    ) -> Response:
        """Ask on a connection of its own."""
        return self.raw(request(method, target, body, headers, version), method)

    def impatient(self, wait_ms: object, what: str, **more: Any) -> Later:
        """Send an order to scripts/lab.py whose caller waits for so long."""
        body = json.dumps({"do": what, **more}).encode()
        return self.later(request(body=body, headers=[("X-Request-Timeout-Ms", str(wait_ms))]))

    def post(self, body: Union[bytes, str] = b"", *headers: tuple[str, str]) -> Response:
        """POST to /score."""
        data = body.encode() if isinstance(body, str) else body
        return self.ask("POST", "/score", data, headers)

    def do(self, what: str, **more: Any) -> Response:
        """POST an order to scripts/lab.py."""
        return self.post(json.dumps({"do": what, **more}))

    def later(self, data: bytes, method: str = "POST") -> Later:
        """Send exact bytes, and read the answer later."""
        return Later(self.connect().send(data), method)

    def do_later(self, what: str, **more: Any) -> Later:
        """POST an order to scripts/lab.py, and read the answer later."""
        return self.later(request(body=json.dumps({"do": what, **more}).encode()))

    # Working with scripts/lab.py

    def gate(self, name: str) -> Later:
        """Have a worker wait at a gate; returns once run() is there."""
        waiting = self.do_later("gate", name=name)
        self.wait_at(name)
        return waiting

    def wait_at(self, name: str) -> None:
        """Wait until run() is at the gate."""
        until(f"run() is at {name}", (self.app / f"{name}.here").exists)

    def open(self, name: str) -> None:
        """Let run() through the gate."""
        (self.app / f"{name}.open").touch()

    def wait_read(self, *asked: Union[Later, Connection]) -> None:
        """Wait until the host has read all that was sent; what happens now, happens after that."""
        connections = [one.connection if isinstance(one, Later) else one for one in asked]
        until("the host has read it", lambda: has_read(self.port, connections))

    def leave(self, how: str, *asked: Later) -> None:
        """Have clients leave, in one of a connection's ways, and wait until the host has noticed.

        What they have sent was read, so that these are those who wait, and not just come.
        """
        self.wait_read(*asked)
        ends = far_ends(self.port)
        left = {f"socket:[{ends[later.connection.port].inode}]" for later in asked}
        for later in asked:
            getattr(later.connection, how)()
        until("the host has noticed", lambda: not left & set(self.descriptors()))

    def scored(self) -> list[str]:
        """What run() was called with, by id, in order."""
        path = self.app / "journal"
        return path.read_text().split() if path.exists() else []

    # Looking at it

    @property
    def stdout(self) -> str:
        """All that was written to stdout so far."""
        return (self.folder / "stdout").read_text("utf-8", "backslashreplace")

    @property
    def stderr(self) -> str:
        """All that was written to stderr so far."""
        return (self.folder / "stderr").read_text("utf-8", "backslashreplace")

    def lines(self, stream: str = "stdout") -> list[Line]:
        """The lines of a stream."""
        text = self.stdout if stream == "stdout" else self.stderr
        return [Line(line) for line in text.removesuffix("\n").split("\n") if text]

    def texts(self, logger: str, stream: str = "stdout") -> list[str]:
        """What one logger said."""
        return [line.text for line in self.lines(stream) if line.logger == logger]

    def wait_said(self, text: str, stream: str = "stderr", times: int = 1) -> None:
        """Wait until a text stands in a stream."""
        until(
            f"{text!r} in {stream}", lambda: getattr(self, stream).count(text) >= times
        )

    @property
    def pid(self) -> int:
        """The host's process: the one with the loop, which a supervisor may have started."""
        if not _has_loop(self._pid):
            found = [pid for pid in tree(self.process.pid) if _has_loop(pid)]
            self._pid = found[0] if found else self.process.pid
        return self._pid

    def is_alive(self) -> bool:
        """Tell whether the host runs."""
        return self.process.poll() is None

    def workers(self) -> list[int]:
        """The processes that the host started and that still run, oldest first."""
        return [pid for pid in children(self.pid) if state(pid) not in ("Z", "")]

    def scorers(self) -> list[int]:
        """The processes in which run() is called."""
        return self.workers() if self.kind == "process" else [self.pid]

    def wait_workers(self, count: int) -> list[int]:
        """Wait until there are so many workers, and say which; more may come right after."""
        found: list[int] = []

        def are_there() -> bool:
            found[:] = self.workers()
            return len(found) == count

        until(f"{count} workers", are_there)
        return found

    def descriptors(self, pid: int = 0) -> list[str]:
        """What is open in the host, or in a worker."""
        return descriptors(pid or self.pid)

    def sockets(self) -> int:
        """How many sockets the host has open."""
        return sum(name.startswith("socket:") for name in self.descriptors())

    def wait_sockets(self, count: int) -> None:
        """Wait until the host has so many sockets: it has noticed who left."""
        until(f"{count} sockets", lambda: self.sockets() == count)

    def wait_quiet(self, workers: int = 1) -> None:
        """Wait until no client is connected: what remains is listener, workers, supervisor."""
        supervisors = int(self.pid != self.process.pid)
        self.wait_sockets(1 + supervisors + (workers if self.kind == "process" else 0))

    def threads(self, pid: int = 0) -> int:
        """How many threads the host has, or a worker."""
        return len(os.listdir(f"/proc/{pid or self.pid}/task"))

    def memory_kb(self, pid: int = 0) -> int:
        """The private memory of the host, or of a worker."""
        text = Path(f"/proc/{pid or self.pid}/smaps_rollup").read_text()
        return sum(int(kb) for kb in re.findall(r"^Private_\w+: +(\d+) kB", text, re.M))

    def wakeups(self, pid: int = 0) -> int:
        """How often a thread of the host, or of a worker, has stopped running."""
        return wakeups(pid or self.pid)

    def is_idle(self, seconds: float, looks: int = 0) -> bool:
        """Tell whether host, workers and supervisor do nothing at all for so long.

        Neither may they wake up to find that there is nothing to do; but while clients are
        connected the host looks round now and then: so often at the most.
        """
        everyone = {self.process.pid, self.pid, *self.workers()}
        woken, used_s = sum(map(wakeups, everyone)), sum(map(self.cpu_s, everyone))
        time.sleep(seconds)
        woken, used_s = sum(map(wakeups, everyone)) - woken, sum(map(self.cpu_s, everyone)) - used_s
        # What is counted in ticks of 10 ms may be a tick for a look.
        return woken <= 2 * looks and used_s <= 0.015 * looks

    def wait_idle(self) -> None:
        """Wait until all that was begun is done, and nothing runs any more."""
        until("nothing runs", lambda: self.is_idle(0.3))

    def cpu_s(self, pid: int = 0) -> float:
        """The CPU time that the host has used, or a worker."""
        fields = Path(f"/proc/{pid or self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    # Ending

    def notify(self, number: int) -> None:
        """Send the host a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE_S) -> int:
        """Wait for the end; returns the exit code."""
        return self.process.wait(seconds)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; returns the exit code."""
        self.notify(number)
        return self.wait()

    def kill(self) -> None:
        """End whatever is left of it, by its ids."""
        left = tree(self.process.pid) if self.process.returncode is None else []
        for pid in (*left, *self.left()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def left(self) -> list[int]:
        """Processes that work in its folder, orphans too, should there be any."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and os.readlink(f"/proc/{entry}/cwd") == str(self.app):
                    found.append(int(entry))
            except OSError:
                continue
        return found

    def close(self) -> None:
        """End it and give its ports back."""
        if self._timer:
            self._timer.cancel()
        for connection in self._connections:
            connection.close()
        self.kill()
        for port in self.ports:
            port.close()


def _has_loop(pid: int) -> bool:
    """Whether a process has the thread that serves."""
    try:
        return any(Path(f"/proc/{pid}/task/{task}/comm").read_text() == "loop\n"
                   for task in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return False


def state(pid: int) -> str:
    """The letter of a process's state; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return text.rpartition(")")[2].split()[0]


def is_pending(pid: int, number: int) -> bool:
    """Whether a signal was sent to a process that it has not taken yet."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    masks = re.findall(r"^\w\w\wPnd:\t(\w+)$", text, re.M)
    return any(int(mask, 16) >> (number - 1) & 1 for mask in masks)


def is_over(pid: int) -> bool:
    """Whether nothing of a process runs; its main thread may be a zombie before the others."""
    try:
        return state(pid) in ("", "Z") and len(os.listdir(f"/proc/{pid}/task")) <= 1
    except FileNotFoundError:
        return True


def wakeups(pid: int) -> int:
    """How often a thread of a process has stopped running: as often as it has begun to."""
    found = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        text = Path(f"/proc/{pid}/task/{task}/status").read_text()
        found += sum(map(int, re.findall(r"^\w+_ctxt_switches:\s+(\d+)$", text, re.M)))
    return found


class End(NamedTuple):
    """One end of a connection of loopback, as the kernel sees it."""

    state: str = ""
    unsent: int = 1
    unread: int = 1
    #: 0 while it waits to be accepted.
    inode: int = 0


def _ends() -> dict[tuple[int, int], End]:
    """All ends of connections, by their own port and that of the other end."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, own, other, state_, queues, *_, inode = line.split()[:10]
        unsent, unread = (int(size, 16) for size in queues.split(":"))
        found[int(own[-4:], 16), int(other[-4:], 16)] = End(state_, unsent, unread, int(inode))
    return found


def far_ends(port: int) -> dict[int, End]:
    """The ends that whoever serves a port has, by the port of the client."""
    return {other: end for (own, other), end in _ends().items() if own == port}


def has_read(port: int, connections: Sequence[Connection]) -> bool:
    """Whether all that was sent to a port of loopback was read, or its connection has ended."""
    ends = _ends()

    def is_read(own: int) -> bool:
        near, far = ends.get((own, port), End()), ends.get((port, own), End())
        is_closed = near.state == CLOSE_WAIT
        return near.unsent == 0 and (is_closed or (far.unread == 0 and far.inode != 0))

    return all(is_read(connection.port) for connection in connections)


def children(pid: int) -> list[int]:
    """The processes started by a process, oldest first."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            text = Path(f"/proc/{pid}/task/{task}/children").read_text()
            found += map(int, text.split())
    except (FileNotFoundError, ProcessLookupError):
        pass
    return sorted(found)


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(below for child in children(pid) for below in tree(child))]


def descriptors(pid: int) -> list[str]:
    """What a process has open."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    return found
