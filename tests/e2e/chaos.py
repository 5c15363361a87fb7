"""A storm of clients, good and bad, over a server that is hurt meanwhile.

Every request has an id of its own. Whatever happens, it gets one answer, its
own, with a status that fits what it ordered; a closed connection is an answer
only where the client or a kill is to blame for it. What each client does is
drawn from a seed; when it happens is not.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Callable, Union

from .host import READY, Host, children, state
from .wire import Broken, Closed, Connection, Response, request, until

#: The time limit of run() in the storm; what is quick must keep it on a machine that stalls, too.
LIMIT_MS = 800

TIMED_OUT = f"Scoring timeout after {LIMIT_MS} ms"

#: A run() of this length is over its limit, and back before its worker is given up.
OBEYS_S = LIMIT_MS / 1000 + 0.4

_LOST = re.compile(r"The worker process (was killed by|exited with code) (\w+) while .*")


@dataclass
class Order:
    """One request, and which answers fit it."""

    id: str
    what: dict[str, Any]
    #: Statuses of a server that nobody hurts.
    expected: tuple[int, ...]

    def bytes(self, *headers: tuple[str, str]) -> bytes:
        """The request as it is sent."""
        return request(
            body=json.dumps({"id": self.id, **self.what}).encode(),
            headers=[("x-ms-client-request-id", self.id), *headers])


class Orders:
    """Draws orders, each with an id that no other has."""

    #: How often which is drawn.
    WEIGHTS = {"good": 40, "slow": 8, "big": 8, "upload": 5, "stream": 8, "raise": 8,
               "exit": 3, "leak": 5, "hang": 2, "crash": 2}

    def __init__(self, name: str, dice: random.Random, hang_in: tuple[str, ...],
                 crashes: bool, faults: bool) -> None:
        self.name = name
        self.crash_by = (*(("segv",) if faults else ()), "abort", "kill", "0", "7")
        self.dice = dice
        self.hang_in = hang_in
        weights = dict(self.WEIGHTS, crash=self.WEIGHTS["crash"] if crashes else 0)
        self._names = [name for name, weight in weights.items() for _ in range(weight)]
        self._count = 0

    def draw(self, *names: str) -> Order:
        """An order of one of these names, or of any."""
        self._count += 1
        name = self.dice.choice(names or self._names)
        what, expected = getattr(self, f"_{name}")()
        return Order(f"{self.name}-{self._count}-{name}", what, expected)

    def _good(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "good"}, (200,)

    def _slow(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "slow", "seconds": self.dice.uniform(0.01, 0.1)}, (200,)

    def _big(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "big", "size": self.dice.choice((20_000, 300_000, 3_000_000))}, (200,)

    def _upload(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "good", "text": "u" * self.dice.choice((20_000, 1_000_000))}, (200,)

    def _stream(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        items = self.dice.choice((1, 10, 2000))
        return {"do": "stream", "items": items, "pause": 0.01 if items == 10 else 0}, (200,)

    def _raise(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "raise"}, (500,)

    def _exit(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "exit", "code": self.dice.choice((0, 1, 3))}, (500,)

    def _leak(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "leak", "bytes": 500_000}, (200,)

    def _hang(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "hang", "where": self.dice.choice(self.hang_in),
                "seconds": self.dice.choice((OBEYS_S, OBEYS_S + 1.0))}, (500,)

    def _crash(self) -> tuple[dict[str, Any], tuple[int, ...]]:
        return {"do": "crash", "how": self.dice.choice(self.crash_by)}, (502,)


@dataclass
class Tally:
    """What was seen; any thread may add to it."""

    wrong: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    ends: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        """Note that this happened."""
        with self.lock:
            self.seen[what] += 1

    def note_end(self, message: str) -> None:
        """Note what a client was told of the end of its worker, as the log says it."""
        told = _LOST.fullmatch(message)
        if told:
            was_sent = told[1] == "was killed by"
            with self.lock:
                self.ends.add(f"was sent {told[2]}!" if was_sent else " ".join(told.groups()))

    def blame(self, text: str) -> None:
        """Note what must not be."""
        with self.lock:
            self.wrong.append(text)


class Kills:
    """When the host was killed: requests of that time may end without an answer."""

    #: How long after a kill its victims may still notice.
    AFTER_S = 10.0

    def __init__(self) -> None:
        self._last = -self.AFTER_S

    def note(self) -> None:
        """The host is about to be killed, or may die of what it was asked."""
        self._last = time.monotonic()

    def excuse(self, begun: float) -> bool:
        """Tell whether a request that began then may have lost its host."""
        return self._last + self.AFTER_S > begun


@dataclass
class Storm:
    """Clients and killers over one server, until the time is over and enough was seen."""

    server: Host
    seed: int
    seconds: float
    workers: int
    clients: int = 10
    #: Whether an order may crash the worker: not where that is the host and nobody starts it.
    crashes: bool = True
    #: Whether the host is killed now and then.
    kills_host: bool = False
    #: How many orders of those that do nothing have to be obeyed at least.
    good_min: int = 0
    tally: Tally = field(default_factory=Tally)
    killed: list[tuple[int, str]] = field(default_factory=list)
    host_kills: Kills = field(default_factory=Kills)

    def run(self) -> None:
        """Rage; returns when all clients have come home."""
        self._end = time.monotonic() + self.seconds
        bodies: list[Callable[[], None]] = [
            Client(self, f"c{number}").run for number in range(self.clients)]
        bodies += [Vandal(self, f"v{number}").run for number in range(2)]
        if self.server.kind == "process" or self.kills_host:
            bodies.append(self._kill_now_and_then)
        threads = [threading.Thread(target=self._guarded, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _guarded(self, body: Callable[[], None]) -> None:
        try:
            body()
        except Exception as error:
            self.tally.blame(f"{body.__qualname__}: {error!r}")

    def goes_on(self) -> bool:
        """Tell whether there is time left, or too little seen, and nothing wrong so far."""
        is_early = time.monotonic() < self._end or self.tally.seen["good 200"] < self.good_min
        return is_early and len(self.tally.wrong) < 10

    def orders(self, name: str) -> Orders:
        """The orders of one client."""
        in_process = self.server.kind != "process"
        return Orders(f"{self.seed}-{name}", random.Random(f"{self.seed} {name}"),
                      ("python", "c") if in_process else ("python", "c", "locked"),
                      self.crashes, self.faults)

    @property
    def faults(self) -> bool:
        """Whether what is hurt may be hurt by SIGSEGV: a sanitizer in it would report that."""
        return self.server.kind == "process" or not self.is_sanitized

    @property
    def is_sanitized(self) -> bool:
        """Whether the host is built with a sanitizer."""
        return "ASAN_OPTIONS" in self.server.env

    def _kill_now_and_then(self) -> None:
        dice = random.Random(f"{self.seed} kills")
        while self.goes_on():
            time.sleep(dice.uniform(0.2, 1.2))
            if self.kills_host and dice.random() < 0.15:
                self._kill(self.server.pid, dice)
            elif self.server.workers():
                self._kill(dice.choice(self.server.workers() or [0]), dice)

    def _kill(self, pid: int, dice: random.Random) -> None:
        number = dice.choice((signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM))
        # While one host takes another's place, what is asked for as a worker may be one of them.
        is_host = self.kills_host and pid in children(self.server.process.pid)
        if self.server.kind == "interpreter" or (is_host and self.is_sanitized):
            number = signal.SIGKILL  # faults would move the script to processes, or be reported
        if not pid or (is_host and number == signal.SIGTERM):
            return
        if self.kills_host and pid == self.server.process.pid:
            return  # the supervisor: no host is there at the moment
        if is_host:
            self.host_kills.note()
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        self.killed.append((pid, number.name))
        self.tally.count("killed")
        if is_host:  # it answers until it is told so, which may be after the storm
            until(f"the host {pid} is gone", lambda: not state(pid))


class Client:
    """One that behaves: it asks, and checks what it is told."""

    def __init__(self, storm: Storm, name: str) -> None:
        self.storm = storm
        self.tally = storm.tally
        self.orders = storm.orders(name)
        self.dice = self.orders.dice

    def run(self) -> None:
        """Ask on one connection after the other."""
        while self.storm.goes_on():
            with Connection(self.storm.server.address) as connection:
                self._visit(connection)

    def _visit(self, connection: Connection) -> None:
        for _ in range(self.dice.randint(1, 12)):
            orders = [self.orders.draw() for _ in range(self.dice.choice((1, 1, 1, 3)))]
            begun = time.monotonic()
            self._send(connection, b"".join(order.bytes() for order in orders))
            for order in orders:
                if not self._answer(connection, order, begun):
                    return
            if not self.storm.goes_on():
                break
        if connection.has_answer():
            self.tally.blame(f"after {order.id} more came: {bytes(connection.ahead[:200])!r}")

    def _send(self, connection: Connection, data: bytes) -> None:
        """All at once, or a part a moment later."""
        cut = self.dice.randint(1, len(data)) if self.dice.random() < 0.2 else 0
        if cut:
            connection.send(data[:cut])
            time.sleep(self.dice.uniform(0, 0.02))
        connection.send(data[cut:])

    def _answer(self, connection: Connection, order: Order, begun: float) -> bool:
        """Read and check one answer; False when the connection is over."""
        if order.what["do"] == "crash" and self.storm.server.kind != "process":
            self.storm.host_kills.note()
        try:
            response = connection.response()
        except (Closed, Broken, OSError) as error:
            self._check_end(order, begun, error)
            return False
        self.tally.count(f"{order.what['do']} {response.status}")
        if response.status == 502:
            self.tally.note_end(response.message)
        fault = self.fault(order, response)
        if fault:
            self.tally.blame(f"{order.id}: {response.status} {fault}: {response.headers} "
                             f"{response.body[:200]!r}")
        elif response.status == 200:
            self.tally.answered.add(order.id)
        return not fault and (response.get("connection") or "").lower() != "close"

    def _check_end(self, order: Order, begun: float, error: Exception) -> None:
        """A stream that has begun can but be cut; all else needs a dead host."""
        self.tally.count(f"{order.what['do']} cut")
        is_hurt = self.storm.server.kind == "process" or self.storm.crashes
        cut_stream = isinstance(error, Broken) and order.what["do"] == "stream" and is_hurt
        if cut_stream or self.storm.host_kills.excuse(begun):
            return
        # A host that hands over closes connections on which nothing has come to it yet.
        if not handed_over(self.storm.server, time.monotonic() - begun):
            self.tally.blame(f"{order.id}: {error!r}")

    def fault(self, order: Order, response: Response) -> str:
        """What is wrong with an answer; empty when it is right."""
        told = response.all("x-ms-client-request-id")
        if told != [order.id]:
            return f"is for {told}"
        if response.status == 200 and response.status in order.expected:
            return self._fault_of_good(order, response)
        if response.status == 503:
            return "" if response.get("retry-after") else "without Retry-After"
        if response.status == 500 and response.json == {"message": TIMED_OUT}:
            return "" if order.what["do"] != "good" else "but it is quick"
        if response.status in order.expected or response.status == 502:
            is_alone = response.status == 502 and self.storm.server.kind != "process"
            return "but there is no process to lose" if is_alone else (
                "" if list(response.json) == ["message"] else "in another form")
        return "is not what fits"

    def _fault_of_good(self, order: Order, response: Response) -> str:
        if order.what["do"] == "stream":
            lines = [f"{order.id}:{number}\n" for number in range(order.what["items"])]
            is_own = response.body.decode() == "".join(lines) + "end"
        else:
            answer = response.json
            is_own = (answer["id"] == order.id
                      and len(answer["filler"]) == order.what.get("size", 0)
                      and answer["got"] >= len(order.what.get("text", "")))
        return "" if is_own else "of another"


class Vandal(Client):
    """One that misbehaves: it leaves, stops in the middle, or talks nonsense."""

    GARBAGE = (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"\r\n" * 50,
               b"POST /score HTTP/9.9\r\nHost: a\r\n\r\n", b"\x00" * 300,
               b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nabcde",
               b"POST /score HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")

    def _visit(self, connection: Connection) -> None:
        how = self.dice.choice((self._leave, self._stop_inside, self._nonsense, self._half_close))
        try:
            how(connection)
        except (Closed, Broken, OSError):
            pass  # what it deserves
        self.tally.count(how.__name__.strip("_"))

    def _leave(self, connection: Connection) -> None:
        order = self.orders.draw("good", "slow", "big", "upload", "stream", "hang")
        connection.send(order.bytes())
        connection.has_answer(self.dice.uniform(0.001, 0.1))
        (connection.reset if self.dice.random() < 0.5 else connection.close)()

    def _stop_inside(self, connection: Connection) -> None:
        data = self.orders.draw("good", "upload").bytes()
        connection.send(data[:self.dice.randint(1, len(data) - 1)])
        connection.has_answer(self.dice.uniform(0.001, 0.3))

    def _nonsense(self, connection: Connection) -> None:
        connection.send(self.dice.choice(self.GARBAGE))
        connection.half_close()
        data = connection.rest()
        if data and not data.startswith(b"HTTP/1.1 4") and not data.startswith(b"HTTP/1.1 5"):
            self.tally.blame(f"nonsense was answered with {data[:200]!r}")

    def _half_close(self, connection: Connection) -> None:
        """Work that waits may be dropped; what is answered is answered right."""
        order = self.orders.draw("good", "slow", "big", "stream")
        connection.send(order.bytes())
        connection.half_close()
        response = connection.response()
        fault = "" if response.status == 499 else self.fault(order, response)
        if fault:
            self.tally.blame(f"{order.id} half-closed: {response.status} {fault}")


# Afterwards


@dataclass
class Footprint:
    """What a host has of everything."""

    memory_kb: int
    descriptors: int
    threads: int

    @staticmethod
    def of(server: Host) -> "Footprint":
        """Measure it."""
        return Footprint(server.memory_kb(), len(server.descriptors()), server.threads())


def scored_wrongly(storm: Storm) -> list[str]:
    """The ids that run() was called with more than once, or never and yet answered."""
    scored = Counter(storm.server.scored())
    twice = [name for name, times in scored.items() if times > 1]
    return twice + sorted(storm.tally.answered - set(scored))


def handed_over(server: Host, ago_s: float) -> bool:
    """Whether a host has given way to the next one since, or right before."""
    since = datetime.now(timezone.utc) - timedelta(seconds=ago_s + 1.0)
    return any("a new host takes the next clients" in line.text
               and line.time >= f"{since:%Y-%m-%d %H:%M:%S}" for line in server.lines("stderr"))


def is_at_rest(server: Host, workers: int) -> bool:
    """Whether no run() of the host is late, and each worker that was lost has a successor.

    Not in a host that is worn: what is seen of it next may be seen of the one after it.
    """
    pid = server.pid
    said = [line.text for line in server.lines("stderr") if line.pid == pid]
    if any(text.startswith("host-worn ") for text in said):
        return False
    late, back, lost = (sum(text.startswith(word) for text in said)
                        for word in ("run-timeout ", "run-returned ", "worker-lost "))
    ready = sum(line.pid == pid and READY in line.text for line in server.lines())
    return late == back + lost and ready == workers + lost


def thread_names(pid: int) -> list[str]:
    """What the threads of a process are called."""
    return [Path(f"/proc/{pid}/task/{task}/comm").read_text().strip()
            for task in os.listdir(f"/proc/{pid}/task")]


def zombies(pid: int, children: Callable[[int], list[int]]) -> list[int]:
    """Children that have ended and that nobody asked for."""
    return [child for child in children(pid) if state(child) == "Z"]


def unexplained(storm: Storm) -> list[str]:
    """Hosts and workers that ended, without a line that says how.

    A worker's line is its host's to write, which may have been killed with it.
    """
    said = storm.server.stderr
    host_of = {line.text.rpartition(" ")[2]: line.pid for line in storm.server.lines("stderr")
               if line.text.startswith("Booting worker with pid: ")}
    missing = []
    for pid, name in storm.killed:
        ends = (f"Worker (pid:{pid}) was sent {name}!", f"WORKER TIMEOUT (pid:{pid})",
                f"Worker (pid:{pid}) exited with code", f"Worker (pid:{pid}) was sent SIG",
                f"the host (pid:{pid}) was killed by", f"the host (pid:{pid}) exited with code",
                f"the host (pid:{host_of.get(str(pid))}) was killed by")
        if not any(end in said for end in ends):
            missing.append(f"{pid} {name}")
    return missing


def seed_of(text: Union[str, None]) -> int:
    """The seed that was asked for, or a new one."""
    return int(text) if text else random.SystemRandom().randrange(1 << 30)
