#!/usr/bin/env python3
"""What a GPU makes of batches: copies, pipelines, frameworks, and a model behind azmlinfsrv.

    python3 benchmarks/gpu/run.py --out build/gpu

Needs one GPU, its driver and a C compiler; PyTorch for all but the first four parts, and an
installed scorehost for the end to end part. It takes about three minutes, prints tables in Markdown
and writes every single figure to gpu.json in the folder named by --out. A part that cannot be
measured says why, and the others go on. See benchmarks/README.md.
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from suite import build, endtoend, frameworks, looping, tables  # noqa: E402
from suite.figures import Figures, run_part  # noqa: E402
from suite.goals import goals, table  # noqa: E402

#: Seconds that each part may take. All of them take much less.
PROGRAM_PARTS = {"copies": 60.0, "batches": 40.0, "completion": 30.0, "pipeline": 30.0}
PYTHON_PARTS = {"torch": 100.0, "cupy": 60.0, "jax": 60.0, "endtoend": 200.0}
LIMITS = {**PROGRAM_PARTS, **PYTHON_PARTS}


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--out", type=Path, default=Path("build/gpu"), help="where results go (build/gpu)")
    add("--only", default="", help=f"parts, as in copies,torch; all are {', '.join(LIMITS)}")
    add("--rounds", type=int, default=7, help="medians of so many are shown (7)")
    add("--rehearse", action="store_true",
        help="without a GPU, over tests/cudart, to see that all of it runs: figures mean nothing")
    args = parser.parse_args(argv)
    unknown = set(filter(None, args.only.split(","))) - set(LIMITS)
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    return args


def machine() -> dict[str, object]:
    """Where this is."""
    found: dict[str, object] = {
        "date": time.strftime("%Y-%m-%d"), "python": platform.python_version(),
        "kernel": platform.release(), "cpus": os.cpu_count(),
    }
    query = ["nvidia-smi", "--query-gpu=name,driver_version,pcie.link.gen.current,"
             "pcie.link.width.current", "--format=csv,noheader"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=30)
        found["nvidia-smi"] = told.stdout.strip().replace("\n", "; ") or None
    except (OSError, subprocess.TimeoutExpired):
        found["nvidia-smi"] = None
    return found


def environment(args: argparse.Namespace, folder: Path) -> dict[str, str]:
    """What the parts are given."""
    env = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "PYTHONUNBUFFERED": "1"}
    if args.rehearse:
        sys.path.insert(0, str(build.ROOT / "tests"))
        import cudart

        folder.mkdir(parents=True, exist_ok=True)
        env["SCOREHOST_CUDART"] = os.environ["SCOREHOST_CUDART"] = cudart.build(folder)
        env["BENCH_SMALL"] = "1"
    return env


def measure(args: argparse.Namespace, figures: Figures) -> None:
    """Runs the parts, each as a process of its own."""
    folder = args.out.resolve() / "bin"
    env = environment(args, folder)
    size = "small" if args.rehearse else "large"
    for name, limit_s in LIMITS.items():
        if args.only and name not in args.only.split(","):
            continue
        begun = time.monotonic()
        try:
            if name in PROGRAM_PARTS:
                command = [str(build.program(folder)), name, str(args.rounds), size,
                           *build.runtimes()]
            else:
                command = [sys.executable, str(HERE / "run.py"), "inner", name, str(folder),
                           str(args.rounds), size]
            run_part(figures, name, command, env, limit_s)
        except build.CannotBuild as exc:
            figures.fail(name, str(exc))
        print(f"==> {name}: {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)


def inner(words: list[str]) -> int:
    """A part in a process of its own, which prints figures."""
    # Whoever is ended ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if words == ["looping"]:
        looping.main()
        return 0
    name, folder, rounds, size = words
    is_small = size == "small"
    options = frameworks.Options(Path(folder), int(rounds), 0.001 if is_small else 0.02, is_small)
    if name == "endtoend":
        endtoend.main(options)
    else:
        frameworks.main(name, options)
    return 0


def main(argv: list[str]) -> int:
    """Measures what was asked for; 1 when nothing could be."""
    if argv[:1] == ["inner"]:
        return inner(argv[1:])
    args = parse(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    figures = Figures()
    figures.about = machine()
    begun = time.monotonic()
    measure(args, figures)
    found = [goal for goal in goals(figures) if goal.values or not args.only]
    figures.write(args.out / "gpu.json", [goal.kept() for goal in found])
    text = tables.report(figures, table(found))
    (args.out / "gpu.md").write_text(text)
    print(text)
    print(f"{time.monotonic() - begun:.0f} s; every figure is in {args.out / 'gpu.json'}",
          file=sys.stderr)
    return 0 if figures.all else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
