#!/usr/bin/env python3
"""Rows of many requests into one batch, beside np.stack() of the same rows, on one CPU.

    python3 benchmarks/micro/gather.py [--rounds 7] [--rows 64] [--bytes 512] [--json FILE]

csrc/ is compiled as it ships. A round measures both, one after the other, many times each; the
ratios are made within a round. np.stack() gets arrays that are there already, the worker gets
the bodies of requests whose heads it has read. It needs numpy and the headers of its Python.
"""

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=gnu17", "-O2", "-DNDEBUG", "-fPIC", "-shared",
         "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-flto=auto", "-fno-plt"]
CALLS = 2000


def load(into: Path) -> ctypes.CDLL:
    """Compiles what gathers, with what it needs."""
    csrc = ROOT / "csrc"
    sources = [ROOT / "benchmarks" / "micro" / "gather.c", csrc / "link" / "head.c"]
    names = ("rows", "job", "memory", "tensor", "device", "device_tensor", "dlpack",
             "gpu_object", "term", "errors")
    sources += [csrc / "pybridge" / f"{name}.c" for name in names]
    for folder in ("base", "cuda", "tensor", "v2"):
        sources += sorted((csrc / folder).glob("*.c"))
    library = into / "gather.so"
    include = ["-I", csrc, "-isystem", sysconfig.get_paths()["include"]]
    subprocess.run(["cc", *FLAGS, *include, "-o", library, *sources, "-lm"], check=True)
    lib = ctypes.CDLL(str(library))
    lib.gather_bytes.restype = ctypes.c_void_p
    return lib


def mean_ns(call: Callable[[], Any], calls: int) -> float:
    """CPU time of a call, of what is called so often in it."""
    begun = time.process_time_ns()
    call()
    return (time.process_time_ns() - begun) / calls


def stack(rows: list[np.ndarray]) -> None:
    """As many calls as of the other."""
    for _ in range(CALLS):
        np.stack(rows)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=512)
    parser.add_argument("--cpu", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.cpu})
    columns = args.bytes // 4
    data = np.random.default_rng(1).random((args.rows, columns)).astype("float32")
    rows = [np.frombuffer(row.tobytes(), dtype="float32") for row in data]
    found: dict[str, list[float]] = {"scorehost": [], "np.stack": []}
    with tempfile.TemporaryDirectory() as folder:
        lib = load(Path(folder))
        text = data.tobytes()
        if lib.gather_open(ctypes.c_size_t(args.rows), ctypes.c_size_t(columns), text) != 0:
            raise SystemExit("the requests cannot be made")
        lib.gather_often(10 * CALLS)
        for _ in range(args.rounds):
            found["scorehost"].append(mean_ns(lambda: lib.gather_often(10 * CALLS), 10 * CALLS))
            found["np.stack"].append(mean_ns(lambda: stack(rows), CALLS))
        assert ctypes.string_at(lib.gather_bytes(), len(text)) == text
    if args.json is not None:
        args.json.write_text(json.dumps({"gather": found}))
    ratios = [b / a for a, b in zip(found["scorehost"], found["np.stack"])]
    for name, times in found.items():
        print(f"{name:12} {statistics.median(times) / 1e3:8.2f} us")
    print(f"{statistics.median(ratios):.1f}x ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
