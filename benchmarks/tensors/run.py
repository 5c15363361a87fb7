#!/usr/bin/env python3
"""Tensors and batching: what scorehost makes of them, beside its peers and floors.

    python3 benchmarks/tensors/run.py --scorehost .venv/bin/azmlinfsrv

Prints the goals and the tables in Markdown, and writes every single figure to
tensors.json in the folder named by --out. See benchmarks/README.md.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "load")]

from rig.procs import adopt_orphans  # noqa: E402
from rig.traffic import Traffic  # noqa: E402
from rig.venvs import cache_folder, say  # noqa: E402
from suite import measure, servers  # noqa: E402
from suite.goals import cost_table, crowd_table, goal_table  # noqa: E402

CROWDED = {
    "scorehost-batched-binary": "scorehost, v2 binary",
    "scorehost-batched-json": "scorehost, JSON",
    "mosec-batched-json": "mosec, max_wait_time 1 ms",
    "litserve-batched-json": "LitServe, batch_timeout 0",
}
OTHERS = {
    "scorehost-wide c=1": "4 MiB, 1 connection: scorehost",
    "floor-wide c=1": "... bare recv loop",
    "scorehost-wide c=4": "4 MiB, 4 connections: scorehost",
    "floor-wide c=4": "... bare recv loop",
    "scorehost-schema c=8": "NumPy schema: scorehost, logs as shipped",
    "microsoft-schema c=8": "... Microsoft's 1.5.1, logs as shipped",
    "scorehost-batched-binary 10/s": "10/s at random: with @scorehost.batch",
    "scorehost-alone-binary 10/s": "... without",
    "scorehost-batched-binary 246/s": "246/s at random: with @scorehost.batch",
    "scorehost-alone-binary 246/s": "... without",
}


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--scorehost", default=str(ROOT / ".venv/bin/azmlinfsrv"), metavar="COMMAND")
    add("--repeats", type=int, default=5, help="repetitions; medians are shown (5)")
    add("--seconds", type=float, default=2.0, help="of a closed loop; others are as long or half")
    add("--only", default="", help="parts, as in large,crowds")
    add("--server-cpu", type=int, default=0)
    add("--client-cpu", type=int, default=1)
    add("--python", default=None, help="which Python the peers get; that of scorehost")
    add("--realtime", action="store_true", help="before all others, on a busy machine; as root")
    add("--out", type=Path, default=ROOT / "build" / "bench")
    return parser.parse_args(argv)


def parts(args: argparse.Namespace, bench: measure.Bench) -> dict[str, Callable[[], None]]:
    """What can be measured, in its order."""
    cache = cache_folder()
    python = args.python or servers.python_of(args.scorehost) or sys.executable
    command = args.scorehost

    def quiet() -> servers.Server:
        return servers.scorehost(command, "scorehost", "scorehost", *servers.QUIET)

    def micro(name: str) -> None:
        interpreter = servers.environment(cache, python) / "bin" / "python"
        measure.micro(bench, interpreter, name)

    return {
        "json": lambda: micro("tensors"),
        "gather": lambda: micro("gather"),
        "large": lambda: measure.large(bench, quiet(), servers.floor(cache), args.seconds / 2),
        "schema": lambda: measure.schema(
            bench,
            servers.scorehost(command, "scorehost", "scorehost"),
            servers.replaced(cache, python),
            args.seconds,
        ),
        "crowds": lambda: measure.crowds(
            bench, quiet(), servers.peers(cache, python), args.seconds
        ),
        "trickle": lambda: measure.trickle(bench, quiet(), 2 * args.seconds),
    }


def report(bench: measure.Bench) -> str:
    """The tables, in Markdown."""
    found = ["### Goals", goal_table(bench.figures)]
    found += ["### Closed loops", crowd_table(bench.figures, CROWDED)]
    found += ["### The rest", cost_table(bench.figures, OTHERS)]
    if bench.failures:
        found += ["### What failed", "\n".join(f"- {line}" for line in bench.failures)]
    return "\n\n".join(found)


def main(argv: list[str]) -> int:
    """Measures what was asked for."""
    args = parse(argv)
    if args.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = args.out.resolve() / "tensors"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bench = measure.Bench(
        Traffic(cache_folder(), folder), folder, args.repeats, args.server_cpu, args.client_cpu
    )
    begun = time.monotonic()
    for name, part in parts(args, bench).items():
        if not args.only or name in args.only.split(","):
            say(f"==> {name}")
            part()
            (args.out / "tensors.json").write_text(json.dumps(bench.figures, indent=1) + "\n")
    print(report(bench))
    say(f"{time.monotonic() - begun:.0f} s; every figure is in {args.out / 'tensors.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
