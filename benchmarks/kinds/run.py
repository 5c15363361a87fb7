"""The kinds of worker beside each other: what a worker costs, and what two give.

    python3 benchmarks/kinds/run.py --scorehost .venv/bin/azmlinfsrv --out build/bench

Prints tables in Markdown and writes every single figure to kinds.json. Needs
wrk and a C compiler; CPython 3.12.4 or later for interpreters.
"""

import argparse
import json
import os
import re
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "load"))

from rig.clients import run_wrk, wait_ready  # noqa: E402
from rig.loads import LOADS, ROW, Load  # noqa: E402
from rig.procs import Tree, adopt_orphans  # noqa: E402

KINDS = ("process", "interpreter", "thread")
READY = b"ready for serving traffic"
MB = 1e6

Figures = dict[str, list[float]]


def load_of(script: Path) -> Load:
    """A script with the usual row as its request."""
    return Load(script.stem, script.stem, script, ROW, None, (1,), floors=False)


NOOP = next(load for load in LOADS if load.name == "noop")
BUSY = load_of(HERE / "scripts" / "busy.py")
IMPORTS = load_of(HERE / "scripts" / "imports.py")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Host:
    """One scorehost that runs, and where."""

    def __init__(self, folder: Path, command: str, load: Load, cpus: set[int], *flags: str):
        self.port = free_port()
        self.log = folder / f"log-{self.port}"
        words = [os.path.abspath(word) if "/" in word else word for word in shlex.split(command)]
        argv = [*words, "--entry_script", str(load.script), "--host", "127.0.0.1"]
        argv += ["--port", str(self.port), "--access_log", "off", *flags]
        self.tree = Tree(argv, dict(os.environ), cpus, self.log, folder)

    def ready_lines(self) -> int:
        """How many workers have said that they are ready."""
        return self.log.read_bytes().count(READY)

    def wait_for_workers(self, count: int) -> None:
        """Waits until that many have been ready."""
        deadline = time.monotonic() + 60
        while self.ready_lines() < count:
            if time.monotonic() > deadline or not self.tree.alive():
                raise RuntimeError(f"no {count} workers; see {self.log}")
            time.sleep(0.0005)


@contextmanager
def host(
    folder: Path, command: str, load: Load, cpus: set[int], kind: str, workers: int, *flags: str
) -> Iterator[Host]:
    """A host with workers of one kind, ready; ended afterwards."""
    running = Host(
        folder, command, load, cpus, "--worker_kind", kind, "--worker_count", str(workers), *flags
    )
    try:
        wait_ready(running.tree, running.port)
        running.wait_for_workers(workers)
        running.tree.settle()
        yield running
    finally:
        running.tree.stop()


def body_file(folder: Path) -> Path:
    """Where wrk reads the request's body."""
    path = folder / "body"
    path.write_bytes(ROW)
    return path


class Bench:
    """What is measured, and the figures so far."""

    def __init__(self, command: str, repeats: int, seconds: float, folder: Path) -> None:
        self.command = command
        self.repeats = repeats
        self.seconds = seconds
        self.folder = folder
        self.figures: Figures = {}

    def note(self, name: str, value: float) -> None:
        """One more figure under a name."""
        self.figures.setdefault(name, []).append(value)

    def scaling(self) -> None:
        """Two workers on two CPUs against one: requests a second of a busy script."""
        body = body_file(self.folder)
        both = {0, 1}
        for kind in KINDS:
            with host(self.folder, self.command, BUSY, both, kind, 1) as one:
                with host(self.folder, self.command, BUSY, both, kind, 2) as two:
                    for _ in range(self.repeats):
                        for name, running in (("one", one), ("two", two)):
                            seen = run_wrk(running.port, BUSY, 8, self.seconds, 0, body)
                            self.note(f"scaling {kind} {name}", seen.requests / seen.seconds)

    def worker_memory(self) -> None:
        """What each of four more workers adds to the tree's private memory."""
        for kind in KINDS:
            for _ in range(self.repeats):
                used = []
                for workers in (1, 5):
                    with host(self.folder, self.command, IMPORTS, {0, 1}, kind, workers) as running:
                        used.append(running.tree.memory().tree_pss)
                self.note(f"memory {kind}", (used[1] - used[0]) / 4)

    def worker_start(self) -> None:
        """From the signal that asks for one more worker to its being ready."""
        for kind in KINDS:
            with host(self.folder, self.command, NOOP, {0, 1}, kind, 2) as running:
                for _ in range(self.repeats):
                    before = running.ready_lines()
                    begun = time.monotonic()
                    os.kill(running.tree.root, signal.SIGTTIN)
                    running.wait_for_workers(before + 1)
                    self.note(f"start {kind}", (time.monotonic() - begun) * 1e3)

    def idle(self, seconds: float = 5.0) -> None:
        """CPU of a host with four workers and no client, in ms a second."""
        for kind in KINDS:
            with host(self.folder, self.command, IMPORTS, {0, 1}, kind, 4) as running:
                before = running.tree.cpu_seconds()
                time.sleep(seconds)
                used = running.tree.cpu_seconds() - before
                self.note(f"idle {kind}", used * 1e3 / seconds)

    def requests(self) -> None:
        """CPU a request with 64 connections and the latency of one, all kinds interleaved."""
        body = body_file(self.folder)
        address = f"ipc://{self.folder}/remote"
        with host(self.folder, self.command, NOOP, {0}, "process", 1) as process:
            with host(self.folder, self.command, NOOP, {0}, "interpreter", 1) as interpreter:
                with remote(self, address) as far:
                    running = {"process": process, "interpreter": interpreter, "zeromq": far}
                    for _ in range(self.repeats):
                        for name, one in running.items():
                            self.ask(name, one, body)

    def ask(self, name: str, running: Host, body: Path) -> None:
        """One visit of a server with many connections, and with one."""
        before = running.tree.cpu_seconds()
        seen = run_wrk(running.port, NOOP, 64, self.seconds, 1, body)
        used = running.tree.cpu_seconds() - before
        self.note(f"cpu {name}", used * 1e6 / seen.requests)
        self.note(f"p50 {name}", run_wrk(running.port, NOOP, 1, self.seconds, 0, body).p50_us)

    def round_trip(self) -> None:
        """The lane to a worker process and back, beside a bare Unix socket."""
        program = build_round_trip(self.folder)
        for _ in range(self.repeats):
            told = subprocess.run(
                ["taskset", "-c", "0", str(program)], capture_output=True, text=True, check=True
            )
            for name, value in re.findall(r"(\w+) ([\d.]+)", told.stdout):
                self.note(f"round trip {name}", float(value))


@contextmanager
def remote(bench: Bench, address: str) -> Iterator[Host]:
    """A host whose only worker came over ZeroMQ."""
    flags = ["--worker_count", "0", "--remote_listen", address, "--worker_kind", "process"]
    running = Host(bench.folder, bench.command, NOOP, {0}, *flags)
    words = [*shlex.split(bench.command)]
    words[-1] = str(Path(words[-1]).with_name("scorehost"))
    worker = subprocess.Popen(
        ["taskset", "-c", "0", *words, "worker", "--connect", address]
        + ["--entry_script", str(NOOP.script)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        cwd=bench.folder,
    )
    try:
        wait_ready(running.tree, running.port)
        yield running
    finally:
        worker.terminate()
        worker.wait()
        running.tree.stop()


def build_round_trip(folder: Path) -> Path:
    """Compiles benchmarks/micro/round_trip.c with what it needs of csrc/."""
    csrc = ROOT / "csrc"
    sources = [ROOT / "benchmarks" / "micro" / "round_trip.c"]
    for module in ("base", "link"):
        sources += sorted(path for path in (csrc / module).glob("*.c") if "zmq" not in path.name)
    program = folder / "round_trip"
    subprocess.run(
        ["cc", "-std=gnu17", "-O2", f"-I{csrc}", "-o", str(program), *map(str, sources)]
        + ["-lpthread"],
        check=True,
    )
    return program


def row(figures: Figures, title: str, name: str, unit: str) -> str:
    """One line of the table: median, least and most."""
    values = figures.get(name)
    if not values:
        return f"| {title} | not measured | |"
    middle = statistics.median(values)
    return f"| {title} | {middle:.2f} {unit} | {min(values):.2f} to {max(values):.2f} |"


def ratio(figures: Figures, title: str, over: str, under: str) -> str:
    """One line: the median of the ratios within each repetition."""
    pairs = list(zip(figures.get(over, []), figures.get(under, [])))
    if not pairs:
        return f"| {title} | not measured | |"
    ratios = [a / b for a, b in pairs]
    middle = statistics.median(ratios)
    return f"| {title} | {middle:.2f}x | {min(ratios):.2f} to {max(ratios):.2f} |"


def report(figures: Figures) -> str:
    """The table in Markdown."""
    lines = ["| what | median | least to most |", "|---|---:|---:|"]
    for kind in KINDS:
        lines.append(
            ratio(
                figures,
                f"{kind}: 2 workers over 1, busy script",
                f"scaling {kind} two",
                f"scaling {kind} one",
            )
        )
    for kind in KINDS:
        lines.append(row(figures, f"{kind}: memory of one more worker", f"memory {kind}", "MB"))
        lines.append(row(figures, f"{kind}: one more worker ready", f"start {kind}", "ms"))
        lines.append(row(figures, f"{kind}: idle CPU, 4 workers", f"idle {kind}", "ms/s"))
    for name in ("process", "interpreter", "zeromq"):
        lines.append(row(figures, f"{name}: CPU of a no-op request", f"cpu {name}", "us"))
        lines.append(row(figures, f"{name}: p50, one connection, one CPU", f"p50 {name}", "us"))
    lines.append(ratio(figures, "zeromq over process, CPU", "cpu zeromq", "cpu process"))
    lines.append(ratio(figures, "zeromq over process, p50", "p50 zeromq", "p50 process"))
    lines.append(row(figures, "lane round trip, 64 bytes", "round trip lane", "us"))
    lines.append(row(figures, "Unix socket round trip, 64 bytes", "round trip socket", "us"))
    lines.append(ratio(figures, "lane over socket", "round trip lane", "round trip socket"))
    return "\n".join(lines)


def main(argv: list[str]) -> int:
    """Measures what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scorehost", default=str(ROOT / ".venv/bin/azmlinfsrv"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench")
    parser.add_argument("--only", default="")
    args = parser.parse_args(argv)
    adopt_orphans()
    args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="kinds-") as folder:
        bench = Bench(args.scorehost, args.repeats, args.seconds, Path(folder))
        parts: dict[str, Callable[[], None]] = {
            "scaling": bench.scaling,
            "memory": bench.worker_memory,
            "start": bench.worker_start,
            "idle": bench.idle,
            "requests": bench.requests,
            "round_trip": bench.round_trip,
        }
        for name, part in parts.items():
            if not args.only or name in args.only.split(","):
                print(f"==> {name}", file=sys.stderr)
                part()
                (args.out / "kinds.json").write_text(json.dumps(bench.figures, indent=1))
    print(report(bench.figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
