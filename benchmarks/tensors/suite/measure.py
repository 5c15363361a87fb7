"""What is measured, part by part.

The servers of a part run at the same time, and each repetition visits all of
them, beginning with another one. A peer that is not asked is stopped: LitServe
looks for requests as fast as it can, asked or not.
"""

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rig.clients import ServerFailed, check_answer, wait_ready
from rig.loads import Load
from rig.plan import Running, free_port, launch
from rig.servers import Server
from rig.traffic import Pattern, Seen, Traffic
from rig.venvs import say

from suite import loads

MICRO = Path(__file__).resolve().parents[2] / "micro"
CROWDS = (8, 32, 64, 128)
PAUSE_US = (150.0, 450.0)
RATES = (10, 246)  # 2 % of what one row at a time can be, and of what batches can
WARM_S = 0.4

#: Name of a measurement: a value for each repetition.
Figures = dict[str, list[float]]


@dataclass(frozen=True)
class Way:
    """A server, and what it is asked."""

    server: Server
    loads: list[Load]
    is_checked: bool = True

    def name(self) -> str:
        """In figures."""
        return f"{self.server.name}-{self.loads[0].name}"


@dataclass
class Bench:
    """One call of run.py."""

    traffic: Traffic
    folder: Path
    repeats: int
    server_cpu: int
    client_cpu: int
    figures: Figures = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def note(self, name: str, value: float) -> None:
        """One more repetition."""
        self.figures.setdefault(name, []).append(value)

    @contextmanager
    def _up(self, ways: list[Way]) -> Iterator[list[tuple[Way, Running, list[str]]]]:
        with ExitStack() as stack:
            found = []
            for number, way in enumerate(ways):
                load = way.loads[0]
                try:
                    port = free_port(37 * number)
                    running = launch(way.server, load, port, {self.server_cpu}, self.folder)
                    stack.callback(running.tree.stop)
                    wait_ready(running.tree, port, limit_s=120)
                    check_answer(port, load, constant=not way.is_checked)
                    rest(running)
                except (ServerFailed, OSError, ValueError) as error:
                    self._failed(way, error)
                    continue
                found.append((way, running, self.traffic.files(way.loads)))
            yield found

    def _failed(self, way: Way, error: Exception) -> None:
        say(f"  FAILED {way.name()}: {error}")
        self.failures.append(f"{way.name()}: {error}")

    def _visit(
        self, running: Running, files: list[str], pattern: Pattern, seed: int
    ) -> tuple[Seen, float]:
        """What clients saw, and the server's CPU time for each answer in us."""
        running.tree.signal(signal.SIGCONT)
        before = running.tree.cpu_seconds()
        seen = self.traffic.run(running.port, files, pattern, self.client_cpu, seed)
        used = running.tree.cpu_seconds() - before
        rest(running)
        if seen.errors:
            raise ServerFailed(f"{seen.errors} answers were no good")
        return seen, used / max(seen.answered, 1) * 1e6

    def rounds(self, ways: list[Way], patterns: dict[str, Pattern], counts: bool = False) -> None:
        """All ways with all patterns, so often. `counts`: with the size of batches."""
        with self._up(ways) as up:
            for repeat in range(-1, self.repeats):  # -1 warms
                for title, pattern in patterns.items():
                    turn = repeat % max(len(up), 1)
                    for way, running, files in up[turn:] + up[:turn]:
                        try:
                            self._one(way, running, files, title, pattern, repeat, counts)
                        except (ServerFailed, OSError) as error:
                            self._failed(way, error)

    def _one(
        self,
        way: Way,
        running: Running,
        files: list[str],
        title: str,
        pattern: Pattern,
        repeat: int,
        counts: bool,
    ) -> None:
        before = batches(running, way) if counts else (0, 0)
        seen, cpu_us = self._visit(running, files, pattern, seed=repeat + 2)
        after = batches(running, way) if counts else (0, 0)
        if repeat < 0:
            return
        name = f"{way.name()} {title}"
        say(
            f"  {repeat} {name:34}{seen.per_second():9.0f}/s {cpu_us:9.1f} us CPU "
            f"p50 {seen.p50_us:7} p99 {seen.p99_us:7}"
        )
        self.note(f"{name} rps", seen.per_second())
        self.note(f"{name} cpu", cpu_us)
        self.note(f"{name} p50", seen.p50_us)
        self.note(f"{name} p99", seen.p99_us)
        if after[1] > before[1]:
            self.note(f"{name} rows", (after[0] - before[0]) / (after[1] - before[1]))


def rest(running: Running) -> None:
    """Waits until a server has done what there is, or stops it."""
    if running.server.kind == "peer":
        running.tree.signal(signal.SIGSTOP)
    else:
        running.tree.settle()


def batches(running: Running, way: Way) -> tuple[int, int]:
    """Requests of a v2 model so far, and calls of run()."""
    if way.server.kind != "ours":
        return 0, 0
    url = f"http://127.0.0.1:{running.port}/v2/models/{way.loads[0].script.stem}/stats"
    with urllib.request.urlopen(url, timeout=10) as reply:
        stats = json.load(reply)["model_stats"][0]
    return stats["inference_count"], stats["execution_count"]


def micro(bench: Bench, python: Path, name: str, *arguments: str) -> None:
    """A program of benchmarks/micro/, on one CPU; its figures are seconds."""
    told = bench.folder / f"{name}.json"
    command = [str(python), str(MICRO / f"{name}.py"), "--cpu", str(bench.server_cpu)]
    command += ["--rounds", str(bench.repeats), "--json", str(told), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    for what, ways in json.loads(told.read_text()).items():
        for way, times in ways.items():
            bench.figures[f"{what}: {way}"] = times


def large(bench: Bench, ours: Server, floor: Server, seconds: float) -> None:
    """4 MiB bodies."""
    load = [loads.wide()]
    ways = [Way(ours, load), Way(floor, load, is_checked=False)]
    crowds = {f"c={count}": Pattern(count, seconds) for count in (1, 4)}
    bench.rounds(ways, crowds)


def schema(bench: Bench, ours: Server, theirs: Server, seconds: float) -> None:
    """The script that knows nothing of us."""
    load = loads.schema()
    ways = [Way(ours, load), Way(theirs, load)]
    bench.rounds(ways, {"c=8": Pattern(8, seconds)})


def crowds(bench: Bench, ours: Server, peers: list[Server], seconds: float) -> None:
    """Closed loops, for a model that takes 2 ms and 0.05 ms for each row."""
    binary, text = loads.row_in_binary("batched"), loads.row_in_json("batched")
    ways = [Way(ours, [binary]), Way(ours, [text])]
    ways += [Way(peer, [text], is_checked=False) for peer in peers]
    least, most = PAUSE_US
    patterns = {
        f"C={count}": Pattern(count, seconds, WARM_S, least, most) for count in CROWDS
    }
    bench.rounds(ways, patterns, counts=True)


def trickle(bench: Bench, ours: Server, seconds: float) -> None:
    """Requests at random, at low load."""
    ways = [Way(ours, [loads.row_in_binary(script)]) for script in ("batched", "alone")]
    patterns = {f"{rate}/s": Pattern(64, seconds, WARM_S, rate=rate) for rate in RATES}
    bench.rounds(ways, patterns)
