"""The order in which everything runs.

All servers of a load run at the same time, idle but for the one that is
asked, so that each repetition visits them one after the other within
seconds; the visit begins with another server each time. Start-up and memory
are measured with one server on the machine at a time.
"""

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.clients import (
    Crowd,
    ServerFailed,
    burst,
    check_answer,
    post,
    run_wrk,
    wait_ready,
)
from rig.loads import LOADS, Load
from rig.procs import Tree
from rig.results import Ready, Results, Run, Start
from rig.servers import Server
from rig.venvs import say

PORTS = range(22000, 23000)
IDLE = 900
BUSY_BESIDE_IDLE = 16
BURSTS = (128, 256)
SAME_CPU_CONNECTIONS = (1, 64)
MEMORY_REQUESTS = 200
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    seconds: float
    repeats: int
    connections: list[int]
    layouts: list[str]
    server_cpu: int
    client_cpu: int
    startup: bool
    bursts: bool
    idle: bool
    logs: Path
    results: Path


@dataclass(frozen=True)
class Running:
    """A server that is up, and where."""

    server: Server
    tree: Tree
    port: int


def free_port(start: int = 0) -> int:
    """The next port of ours that nobody listens on."""
    for port in PORTS[start:]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
            return port
    raise ServerFailed("no port is free between 22000 and 22999")


def launch(server: Server, load: Load, port: int, cpus: set[int], logs: Path) -> Running:
    """Starts a server, in a folder of its own and without our PYTHONPATH."""
    env = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        **ONE_THREAD,
        **server.env,
        "BENCH_SCRIPT": str(load.script),
    }
    folder = logs / "cwd" / server.name
    folder.mkdir(parents=True, exist_ok=True)
    log = logs / f"{server.name}-{load.name}.log"
    return Running(server, Tree(server.argv(load, port), env, cpus, log, folder), port)


@dataclass
class Bench:
    """One call of run.py."""

    options: Options
    servers: list[Server]
    loads: list[Load]
    results: Results
    _next_port: int = 0

    def run(self) -> None:
        """Everything, with what has been measured saved as it goes."""
        if self.options.startup:
            self._measure_starts()
        for load in self.loads:
            self._measure_load(load)
        self.results.about["finished"] = time.strftime("%Y-%m-%d %H:%M:%S %z")
        self._save()

    def _save(self) -> None:
        self.results.save(self.options.results)

    def _failed(self, server: Server, what: str, error: Exception) -> None:
        text = f"{server.name}, {what}: {error}"
        say(f"  FAILED {text}")
        self.results.failures.append(text)

    def _launch(self, server: Server, load: Load, cpus: set[int]) -> Running:
        port = free_port(self._next_port)
        self._next_port = (port - PORTS.start + 1) % 900
        running = launch(server, load, port, cpus, self.options.logs)
        self.results.about["cpu_accounting"] = running.tree.method
        return running

    # Start-up and memory.

    def _measure_starts(self) -> None:
        load = next(load for load in LOADS if load.name == "noop")
        say(f"start-up and memory, {self.options.repeats} times each")
        for repeat in range(-1, self.options.repeats):  # -1 warms the files
            for server in self.servers:
                try:
                    start = self._one_start(server, load, repeat)
                except (ServerFailed, OSError) as error:
                    if repeat == -1:
                        self._failed(server, "start", error)
                    continue
                if repeat >= 0:
                    self.results.starts.append(start)
        self._save()

    def _one_start(self, server: Server, load: Load, repeat: int) -> Start:
        running = self._launch(server, load, set(os.sched_getaffinity(0)))
        tree = running.tree
        try:
            seconds = wait_ready(tree, running.port) - tree.begun
            cpu_seconds = tree.cpu_seconds()
            for _ in range(MEMORY_REQUESTS):
                post(running.port, load)
            memory = tree.memory()
        finally:
            tree.stop()
        return Start(
            server.name,
            repeat,
            seconds,
            cpu_seconds,
            memory.root_pss,
            memory.tree_pss,
            memory.root_alone,
            memory.tree_alone,
            memory.processes,
        )

    # Loads.

    @contextmanager
    def _all_running(self, load: Load) -> Iterator[list[Running]]:
        with ExitStack() as stack:
            up: list[Running] = []
            for server in self.servers:
                if not server.serves(load):
                    continue
                try:
                    running = self._launch(server, load, {self.options.server_cpu})
                    stack.callback(running.tree.stop)
                    wait_ready(running.tree, running.port)
                    check_answer(running.port, load, constant=server.kind == "floor")
                except (ServerFailed, OSError, ValueError) as error:
                    self._failed(server, load.name, error)
                    continue
                up.append(running)
            yield up

    def _measure_load(self, load: Load) -> None:
        body = self.options.logs / f"{load.name}.body"
        body.write_bytes(load.body)
        wanted = [number for number in self.options.connections if number in load.connections]
        say(f"{load.title}: connections {', '.join(map(str, wanted))}")
        with self._all_running(load) as up:
            for running in up:
                self._warm(running, load, body)
            for repeat in range(self.options.repeats):
                self._one_repeat(up, load, body, wanted, repeat)
                self._save()

    def _warm(self, running: Running, load: Load, body: Path) -> None:
        try:
            run_wrk(running.port, load, 16, 1, self.options.client_cpu, body)
        except ServerFailed as error:
            self._failed(running.server, f"{load.name}, warming", error)
        running.tree.settle()

    def _one_repeat(
        self, up: list[Running], load: Load, body: Path, wanted: list[int], repeat: int
    ) -> None:
        turn = repeat % len(up) if up else 0
        order = up[turn:] + up[:turn]
        for layout in self.options.layouts:
            for connections in wanted:
                for running in order:
                    if self._worth(running, layout, connections):
                        self._one_run(running, load, connections, layout, repeat, body)
        if load.name == "noop":
            self._extras(order, load, body, repeat)

    def _worth(self, running: Running, layout: str, connections: int) -> bool:
        """Beside the split layout, the shared one is for the differences
        that two idle CPUs would hide: ours, and the floors."""
        if layout != "same" or "split" not in self.options.layouts:
            return True
        return running.server.kind != "peer" and connections in SAME_CPU_CONNECTIONS

    def _extras(self, order: list[Running], load: Load, body: Path, repeat: int) -> None:
        """What is measured with the no-op alone."""
        for running in order:
            if self.options.bursts:
                self._bursts(running, load, repeat)
            if self.options.idle and running.server.crowd:
                self._beside_idle(running, load, repeat, body)

    def _one_run(
        self,
        running: Running,
        load: Load,
        connections: int,
        layout: str,
        repeat: int,
        body: Path,
        beside: str = "",
        crowd: Crowd | None = None,
    ) -> None:
        options = self.options
        cpu = options.server_cpu if layout == "same" else options.client_cpu
        tree = running.tree
        try:
            before = tree.cpu_seconds()
            seen = run_wrk(running.port, load, connections, options.seconds, cpu, body)
            used = tree.cpu_seconds() - before
        except (ServerFailed, OSError) as error:
            self._failed(running.server, f"{load.name}, {connections} connections", error)
            return
        run = Run(
            server=running.server.name,
            load=load.name,
            connections=connections,
            layout=layout,
            beside=beside,
            repeat=repeat,
            requests=seen.requests,
            rps=seen.requests / seen.seconds,
            cpu_us=used / max(seen.requests, 1) * 1e6,
            p50_us=seen.p50_us,
            p99_us=seen.p99_us,
            errors=seen.errors,
            server_busy=used / seen.seconds,
            client_busy=seen.client_busy,
            idle_open=crowd.still_open() if crowd is not None else 0,
        )
        self.results.runs.append(run)
        self._progress(run)
        tree.settle()

    def _progress(self, run: Run) -> None:
        beside = f"({run.beside})" if run.beside else ""
        text = (
            f"  {run.repeat} {run.load:8} c={run.connections:<4}{run.layout:6}{beside:10}"
            f"{run.server:24}{run.rps:10.0f}/s {run.cpu_us:9.1f} us CPU "
            f"p50 {run.p50_us:7} p99 {run.p99_us:8} errors {run.errors}"
        )
        print(text, file=sys.stderr, flush=True)

    def _bursts(self, running: Running, load: Load, repeat: int) -> None:
        for count in BURSTS:
            try:
                seen = burst(running.tree, running.port, load, count)
            except (ServerFailed, OSError) as error:
                self._failed(running.server, f"{count} ready at once", error)
                continue
            name = running.server.name
            self.results.bursts.append(Ready(name, repeat, seen.sent, seen.answered, seen.seconds))
            if seen.answered != seen.sent:
                say(f"  {name}: {seen.answered} of {seen.sent} answered")
        running.tree.settle()

    def _beside_idle(self, running: Running, load: Load, repeat: int, body: Path) -> None:
        busy = BUSY_BESIDE_IDLE
        try:
            crowd = Crowd(running.port, load, IDLE)
        except OSError as error:
            self._failed(running.server, f"{IDLE} idle connections", error)
            return
        try:
            running.tree.settle()
            self._one_run(running, load, busy, "split", repeat, body, "idle", crowd)
        finally:
            crowd.leave()
        running.tree.settle()
        # Again without them, at once: the pair is what is compared.
        self._one_run(running, load, busy, "split", repeat, body, "none")
