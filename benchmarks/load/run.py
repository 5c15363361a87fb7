"""Measures scorehost beside its peers and two floors, in one run.

    python3 benchmarks/load/run.py --seconds 2 --repeats 5 --out /tmp/bench

See benchmarks/README.md for the method. Writes results.json, results.md and
results.svg into the folder named by --out (build/bench), and prints the
tables.
"""

import argparse
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rig import servers as catalogue
from rig.loads import HERE, LOADS
from rig.picture import draw
from rig.plan import Bench, Options
from rig.procs import adopt_orphans
from rig.report import as_markdown, as_text
from rig.results import Results, load_results
from rig.servers import Server
from rig.venvs import cache_folder, python_version, say

REPOSITORY = HERE.parent.parent


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seconds", type=int, default=2, help="length of one run of wrk (2)")
    add("--repeats", type=int, default=5, help="repetitions; medians are shown (5)")
    add("--connections", default="1,16,64,250", help="as in 1,64")
    add("--loads", default=",".join(load.name for load in LOADS), help="as in noop,json")
    add("--servers", default="", help="names, or beginnings of names; all by default")
    add("--layout", choices=["both", "split", "same"], default="both")
    add("--server-cpu", type=int, default=0)
    add("--client-cpu", type=int, default=1)
    add("--scorehost", default=os.environ.get("SCOREHOST_COMMAND"), metavar="COMMAND")
    add("--also", action="append", default=[], metavar="LABEL=COMMAND", help="another build")
    add("--python", default=sys.executable, help="which Python the peers get")
    add("--interpreters", action="store_true", help="that kind too; CPython >= 3.12.4")
    add("--no-startup", action="store_true")
    add("--no-bursts", action="store_true")
    add("--no-idle", action="store_true")
    add("--out", type=Path, default=REPOSITORY / "build" / "bench")
    add("--redraw", type=Path, metavar="RESULTS_JSON", help="measure nothing")
    add("--list", action="store_true", help="the servers' names")
    return parser.parse_args(argv)


def scorehost_command(named: str | None) -> str | None:
    """What was named, else the command of the checkout's own environment."""
    if named:
        return named
    built = REPOSITORY / ".venv" / "bin" / "azmlinfsrv"
    return str(built) if built.exists() else None


def choose(args: argparse.Namespace) -> list[Server]:
    """The servers asked for; environments are made for those alone."""
    cache = cache_folder()
    names = [name for name in args.servers.split(",") if name]

    def wanted(server: Server) -> bool:
        return not names or any(server.name.startswith(name) for name in names)

    found: list[Server] = []
    command = scorehost_command(args.scorehost)
    if command is not None:
        found += catalogue.scorehost(command, "scorehost", args.interpreters)
    else:
        say("no scorehost to measure: name its command with --scorehost")
    for other in args.also:
        label, _, other_command = other.partition("=")
        found += catalogue.scorehost(other_command, label, args.interpreters)
    makers: list[tuple[list[str], Callable[[], list[Server]]]] = [
        (["floor-epoll", "floor-mhd"], lambda: catalogue.floors(cache)),
        (["microsoft"], lambda: catalogue.microsoft(cache, args.python)),
        (catalogue.PEER_NAMES, lambda: catalogue.peers(cache, args.python)),
    ]
    for made, make in makers:
        if not names or any(one.startswith(name) for one in made for name in names):
            found += make()
    return [server for server in found if wanted(server)]


def about(args: argparse.Namespace) -> dict[str, str]:
    """What the figures depend on."""
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    commit = subprocess.run(
        ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "machine": f"{os.cpu_count()} x {model[0] if model else platform.machine()}, "
        f"Linux {platform.release()}, {platform.freedesktop_os_release()['PRETTY_NAME']}",
        "python": f"{python_version(args.python)} for the peers",
        "commit": commit or "none",
        "settings": f"{args.repeats} repetitions of {args.seconds} s, medians",
        "load_before": f"{os.getloadavg()[0]:.2f} (others' work, before this began)",
    }


def measure(args: argparse.Namespace, out: Path) -> Results:
    """Runs everything that was asked for."""
    loads = [load for load in LOADS if load.name in args.loads.split(",")]
    connections = [int(number) for number in args.connections.split(",")]
    servers = choose(args)
    logs = out / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    results = Results(
        about=about(args),
        titles={server.name: server.title for server in servers},
        kinds={server.name: server.kind for server in servers},
        loads={load.name: load.title for load in loads},
        focus={load.name: load.focus(connections) for load in loads},
    )
    options = Options(
        seconds=args.seconds,
        repeats=args.repeats,
        connections=connections,
        layouts=["split", "same"] if args.layout == "both" else [args.layout],
        server_cpu=args.server_cpu,
        client_cpu=args.client_cpu,
        startup=not args.no_startup,
        bursts=not args.no_bursts,
        idle=not args.no_idle,
        logs=logs,
        results=out / "results.json",
    )
    adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Bench(options, servers, loads, results).run()
    return results


def main(argv: list[str]) -> int:
    """Returns the exit code."""
    args = parse(argv)
    if args.list:
        print("\n".join(server.name for server in choose(args)))
        return 0
    out: Path = args.out.resolve()
    if args.redraw is not None:
        results = load_results(args.redraw)
    elif shutil.which("wrk") is None:
        say("wrk is missing: apt-get install wrk libmicrohttpd-dev")
        return 1
    else:
        results = measure(args, out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.md").write_text(as_markdown(results))
    (out / "results.svg").write_text(draw(results))
    print(as_text(results))
    say(f"results.json, results.md and results.svg are in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
