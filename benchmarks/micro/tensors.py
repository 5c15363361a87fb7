#!/usr/bin/env python3
"""JSON to float32 and back, beside what Python does with the same bytes, on one CPU.

    python3 benchmarks/micro/tensors.py [--rounds 7] [--rows 1000] [--columns 1000]

csrc/tensor/ is compiled as it ships (-O2). A round makes new data, so that no branch predictor
has seen them, and measures every way once, one after the other; the ratios are made within a
round, and their medians printed with the spread. It needs numpy; orjson and ujson are measured
where they are installed. Arrays must be the same whichever way they were made, and float64 text
as long as json.dumps() makes it.
"""

import argparse
import ctypes
import importlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["-std=c17", "-D_POSIX_C_SOURCE=200809L", "-O2", "-DNDEBUG", "-fPIC", "-shared",
         "-fstack-protector-strong", "-fvisibility=default"]
FP32, FP64 = 11, 12  # enum sco_dtype


class Result(ctypes.Structure):
    """struct glue_result of tests/unit/tensor/glue.c."""

    _fields_ = [
        ("count", ctypes.c_uint64),
        ("rank", ctypes.c_uint64),
        ("dims", ctypes.c_uint64 * 32),
        ("used", ctypes.c_uint64),
        ("error", ctypes.c_char * 256),
    ]


def load(folder: Path) -> ctypes.CDLL:
    """Compiles csrc/tensor/ with what it needs."""
    sources = sorted((ROOT / "csrc" / "tensor").glob("*.c"))
    sources += [ROOT / "csrc" / "base" / name for name in ("text.c", "status.c")]
    sources.append(ROOT / "tests" / "unit" / "tensor" / "glue.c")
    library = folder / "tensor.so"
    subprocess.run(["cc", *FLAGS, "-I", ROOT / "csrc", "-o", library, *sources], check=True)
    lib = ctypes.CDLL(str(library))
    lib.glue_print.restype = ctypes.c_size_t
    return lib


class Bench:
    """One shape, and the memory that a server would use again and again."""

    def __init__(self, lib: ctypes.CDLL, rows: int, columns: int) -> None:
        self.lib = lib
        self.shape = (rows, columns)
        self.out = np.zeros(self.shape, dtype="float32")
        self.text = ctypes.create_string_buffer(rows * columns * 30)
        self.modules = {}
        for name in ("orjson", "ujson"):
            try:
                self.modules[name] = importlib.import_module(name)
            except ImportError:
                print(f"{name} is not installed and is left out")

    def decode(self, body: bytes) -> np.ndarray:
        """Reads a body into memory that is there."""
        result = Result()
        status = self.lib.glue_read(
            FP32, body, ctypes.c_size_t(len(body)), ctypes.c_size_t(0),
            self.out.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(self.out.nbytes),
            ctypes.byref(result),
        )
        assert status == 0, result.error
        return self.out

    def encode(self, array: np.ndarray) -> int:
        """Prints an array into memory that is there, and returns how long it is."""
        dims = (ctypes.c_uint64 * 32)(*array.shape)
        dtype = FP32 if array.dtype == np.float32 else FP64
        return int(self.lib.glue_print(
            dtype, 2, dims, array.ctypes.data_as(ctypes.c_void_p), 1, self.text,
            ctypes.c_size_t(0),
        ))

    def decoders(self) -> dict[str, Callable[[bytes], Any]]:
        """Every way from a body to a float32 array."""
        ways: dict[str, Callable[[bytes], Any]] = {
            "scorehost": self.decode,
            "json.loads": lambda body: np.array(json.loads(body), dtype="float32"),
        }
        for name, module in self.modules.items():
            ways[name] = lambda body, loads=module.loads: np.array(loads(body), dtype="float32")
        return ways

    def encoders(self) -> dict[str, Callable[[np.ndarray], Any]]:
        """Every way from an array to its text."""
        ways: dict[str, Callable[[np.ndarray], Any]] = {
            "scorehost": self.encode,
            "json.dumps": lambda array: json.dumps(array.tolist()),
        }
        if "orjson" in self.modules:
            orjson = self.modules["orjson"]
            ways["orjson"] = lambda array: orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
        return ways


def took(way: Callable[[Any], Any], argument: Any) -> tuple[float, Any]:
    """CPU seconds of one call, and its result."""
    begun = time.process_time()
    result = way(argument)
    return time.process_time() - begun, result


def measure(ways: dict[str, Callable[[Any], Any]], make: Callable[[int], Any], rounds: int,
            check: Callable[[Any, Any], None]) -> dict[str, list[float]]:
    """Seconds of every way, round by round; the first way is warmed up once."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    first = next(iter(ways))
    took(ways[first], make(10**6))
    for number in range(rounds):
        data = make(number)
        mine = None
        for name, way in ways.items():
            seconds, result = took(way, data)
            times[name].append(seconds)
            mine = result if name == first else mine
            check(mine, result)
    return times


def report(what: str, count: int, times: dict[str, list[float]]) -> None:
    """A line for each way."""
    mine = times["scorehost"]
    print(f"\n{what}")
    for name, theirs in times.items():
        ratios = [b / a for a, b in zip(mine, theirs, strict=True)]
        print(f"  {name:12} {statistics.median(theirs) * 1e3:9.1f} ms "
              f"{count / statistics.median(theirs) / 1e6:7.1f} M/s   "
              f"{statistics.median(ratios):6.2f}x ({min(ratios):.2f} to {max(ratios):.2f})")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--columns", type=int, default=1000)
    parser.add_argument("--cpu", type=int, default=0)
    parser.add_argument("--json", type=Path, help="where each round's seconds go")
    args = parser.parse_args()
    os.sched_setaffinity(0, {args.cpu})
    count = args.rows * args.columns

    def fresh(seed: int) -> np.ndarray:
        return np.random.default_rng(seed).random((args.rows, args.columns))

    def same_array(mine: Any, theirs: Any) -> None:
        assert np.array_equal(mine, theirs)

    def same_text(mine: Any, theirs: Any) -> None:
        assert not isinstance(theirs, str) or len(theirs) == mine

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(load(Path(folder)), args.rows, args.columns)
        found: dict[str, dict[str, list[float]]] = {}
        for what, make in (
            ("float64 text (16 or 17 digits) to float32",
             lambda seed: json.dumps(fresh(seed).tolist()).encode()),
            ("text of two decimals to float32",
             lambda seed: json.dumps(np.round(fresh(seed) * 100, 2).tolist()).encode()),
        ):
            found[what] = measure(bench.decoders(), make, args.rounds, same_array)
            report(what, count, found[what])
        for what, kind in (("float32 to text, shortest", "float32"),
                           ("float64 to text, shortest", "float64")):
            found[what] = measure(
                bench.encoders(), lambda seed, kind=kind: fresh(seed).astype(kind), args.rounds,
                same_text if kind == "float64" else lambda *_: None)
            report(what, count, found[what])
    if args.json is not None:
        args.json.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
