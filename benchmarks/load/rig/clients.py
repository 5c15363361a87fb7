"""The clients: wrk, a burst, an idle crowd, and the start-up probe."""

import json
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig.loads import HERE, Load
from rig.procs import Tree

PROBE_PAUSE_S = 0.0005
ANSWER_LIMIT_S = 30.0


class ServerFailed(Exception):
    """A server that ended, or does not answer as it should."""


def request_bytes(load: Load, close: bool = False) -> bytes:
    """One POST."""
    lines = [f"POST {load.path} HTTP/1.1", "Host: 127.0.0.1", *load.fields]
    lines.append(f"Content-Length: {len(load.body)}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + load.body


@dataclass
class Reply:
    """As much of an answer as has come."""

    data: bytes = b""
    ended: bool = False

    def _head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0].lower()

    def status(self) -> int:
        """0 before the status line is there."""
        words = self.data.split(b" ", 2)
        return int(words[1]) if len(words) > 2 else 0

    def body(self) -> bytes:
        """As received; none of the servers measured answers in chunks."""
        return self.data.partition(b"\r\n\r\n")[2]

    def whole(self) -> bool:
        """Whether the announced length is there, or the end came."""
        if b"\r\n\r\n" not in self.data:
            return False
        for line in self._head().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                return len(self.body()) >= int(line.split(b":")[1])
        return self.ended

    def keeps_alive(self) -> bool:
        """Whether the connection may be used again."""
        return not self.ended and b"connection: close" not in self._head()


def connect(port: int, limit_s: float = ANSWER_LIMIT_S) -> socket.socket:
    """A connection to the server under test."""
    return socket.create_connection(("127.0.0.1", port), timeout=limit_s)


def ask(peer: socket.socket, request: bytes) -> Reply:
    """Sends one request and reads its answer."""
    reply = Reply()
    peer.sendall(request)
    while not reply.whole() and not reply.ended:
        piece = peer.recv(65536)
        reply.data += piece
        reply.ended = not piece
    return reply


def post(port: int, load: Load) -> Reply:
    """One request on a connection of its own."""
    with connect(port) as peer:
        return ask(peer, request_bytes(load, close=True))


def check_answer(port: int, load: Load, constant: bool) -> None:
    """Refuses to measure a server that does not answer what it should."""
    reply = post(port, load)
    if reply.status() != 200:
        raise ServerFailed(f"answered {reply.status()}: {reply.body()[:200]!r}")
    answer: Any = json.loads(reply.body())
    if not constant and load.expected is not None and answer != load.expected:
        raise ServerFailed(f"answered {answer!r}, not {load.expected!r}")


def _probe(port: int) -> int:
    """Status of GET /; 0 when there is none."""
    try:
        with connect(port, limit_s=5.0) as peer:
            return ask(peer, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").status()
    except OSError:
        return 0


def wait_ready(tree: Tree, port: int, limit_s: float = 60.0) -> float:
    """Asks for `/` until it is 200; returns the time of that, monotonic."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if _probe(port) == 200:
            return time.monotonic()
        if not tree.alive():
            raise ServerFailed(f"ended at its start; see {tree.log}")
        time.sleep(PROBE_PAUSE_S)
    raise ServerFailed(f"no 200 on / within {limit_s:.0f} s; see {tree.log}")


def run_client(command: list[str], cpu: int, env: dict[str, str]) -> tuple[str, float]:
    """What a client that ran on one CPU printed, and how much of that CPU it used."""
    begun = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", str(cpu), *command],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begun
    return output, (used.ru_utime + used.ru_stime) / wall


@dataclass(frozen=True)
class WrkResult:
    """What wrk saw."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    errors: int
    client_busy: float  # CPU that wrk used, of the one that it had


def run_wrk(
    port: int, load: Load, connections: int, seconds: float, cpu: int, body: Path
) -> WrkResult:
    """One run of wrk with one thread on one CPU."""
    command = [
        *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
        *("--timeout", "20s", "-s", str(HERE / "post.lua"), f"http://127.0.0.1:{port}"),
    ]
    output, busy = run_client(command, cpu, {"BENCH_BODY": str(body)})
    lines = [line for line in output.splitlines() if line.startswith("BENCH ")]
    if not lines:
        raise ServerFailed(f"wrk failed: {output[-300:]}")
    seen = json.loads(lines[0][len("BENCH ") :])
    return WrkResult(
        requests=seen["requests"],
        seconds=seen["duration_us"] / 1e6,
        p50_us=seen["p50_us"],
        p99_us=seen["p99_us"],
        errors=sum(seen[key] for key in ("connect", "read", "write", "status", "timeout")),
        client_busy=busy,
    )


@dataclass(frozen=True)
class Burst:
    """What became of requests that were all ready at once."""

    sent: int
    answered: int
    seconds: float


def _primed(port: int, request: bytes) -> socket.socket | None:
    """A connection that the server knows; None when it keeps none alive."""
    peer = connect(port)
    if ask(peer, request).keeps_alive():
        return peer
    peer.close()
    return None


def _collect(peers: list[socket.socket], limit_s: float) -> int:
    """How many of the connections got a whole answer 200 in time."""
    replies = {peer.fileno(): Reply() for peer in peers}
    by_fd = {peer.fileno(): peer for peer in peers}
    poll = select.epoll()
    for number in by_fd:
        poll.register(number, select.EPOLLIN)
    deadline = time.monotonic() + limit_s
    answered = 0
    while by_fd and time.monotonic() < deadline:
        for number, _ in poll.poll(0.1):
            reply = replies[number]
            try:
                piece = by_fd[number].recv(65536)
            except OSError:
                piece = b""
            reply.data += piece
            reply.ended = not piece
            if reply.whole() or reply.ended:
                answered += reply.status() == 200 and reply.whole()
                poll.unregister(number)
                del by_fd[number]
    poll.close()
    return answered


def burst(tree: Tree, port: int, load: Load, count: int, limit_s: float = 10.0) -> Burst:
    """Stops the server, sends `count` requests, each on its connection, and
    lets it go on: all of them are ready when it next looks. Where the server
    keeps connections, it has served each of these once before."""
    request = request_bytes(load)
    first = _primed(port, request)
    peers = [first] if first is not None else []
    try:
        while first is not None and len(peers) < count:
            peers.append(connect(port))
            ask(peers[-1], request)
        tree.signal(signal.SIGSTOP)
        while len(peers) < count:
            peers.append(connect(port))
        for peer in peers:
            peer.sendall(request)
        begun = time.monotonic()
        tree.signal(signal.SIGCONT)
        answered = _collect(peers, limit_s)
        return Burst(count, answered, time.monotonic() - begun)
    finally:
        tree.signal(signal.SIGCONT)
        for peer in peers:
            peer.close()


class Crowd:
    """Connections that have each sent one request, and then nothing."""

    def __init__(self, port: int, load: Load, count: int) -> None:
        request = request_bytes(load)
        self._peers: list[socket.socket] = []
        for _ in range(count):
            peer = _primed(port, request)
            if peer is not None:
                self._peers.append(peer)

    def still_open(self) -> int:
        """How many the server has not closed."""
        return sum(_is_open(peer) for peer in self._peers)

    def leave(self) -> None:
        """Closes them all."""
        for peer in self._peers:
            peer.close()


def _is_open(peer: socket.socket) -> bool:
    peer.setblocking(False)  # MSG_DONTWAIT would still wait for the timeout
    try:
        return peer.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
