#!/usr/bin/env python3
"""Whether batches get to a GPU and back bit for bit: the product, a real GPU, real frameworks.

    python3 benchmarks/gpu/check.py

Needs an installed scorehost and NumPy, and PyTorch or CuPy or both. Random bits of every datatype
go through azmlinfsrv and come back from copies that the framework made on the GPU; what a script
keeps of its inputs is kept while batches grow; a GPU that a bad kernel has broken is used again by
another worker. Prints a line for each check; the exit code is 1 if one failed, and 2 where there is
nothing to check.

--rehearse does it without a GPU, over tests/cudart.
"""

import argparse
import contextlib
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from suite import build  # noqa: E402
from suite.server import Failed, Server, Tensor  # noqa: E402

WIDTHS = {"BOOL": 1, "UINT8": 1, "UINT16": 2, "UINT32": 4, "UINT64": 8, "INT8": 1, "INT16": 2,
          "INT32": 4, "INT64": 8, "FP16": 2, "FP32": 4, "FP64": 8, "BF16": 2}
CLIENTS, REQUESTS = 12, 40
SHOWN = {"torch": "torch on cuda:0", "cupy": "cupy on 0", "none": "DeviceTensor"}

#: What a framework has no elements for.
LACKS = {"torch": (), "cupy": ("BF16",), "none": ()}


class Check:
    """What has been found so far."""

    def __init__(self) -> None:
        self.failed = 0

    def do(self, what: str, step: Callable[[], str]) -> None:
        """One check, and a line about it."""
        begun = time.monotonic()
        try:
            told = step()
        except (Failed, AssertionError, OSError) as exc:
            self.failed += 1
            print(f"FAILED  {what}: {exc}", flush=True)
            return
        print(f"ok      {what}: {told} ({time.monotonic() - begun:.1f} s)", flush=True)


def text(word: bytes) -> bytes:
    """An element of BYTES in binary."""
    return struct.pack("<I", len(word)) + word


def random_bits(chance: random.Random, datatype: str, count: int) -> bytes:
    """Any bits at all, but for BOOL."""
    if datatype == "BOOL":
        return bytes(chance.choices((0, 1), k=count))
    return chance.randbytes(count * WIDTHS[datatype])


class Talk:
    """Requests to a server of scripts/echo.py."""

    def __init__(self, server: Server, framework: str) -> None:
        self.server, self.framework = server, framework
        self.datatypes = datatypes_of(framework)

    def ask(self, say: bytes, chance: random.Random, rows: int, width: int) -> str:
        """Sends random bits; they must come back as they are. What run() told is returned."""
        inputs: list[Tensor] = [("say", "BYTES", [rows], text(say) * rows)]
        for datatype in self.datatypes:
            inputs.append((datatype, datatype, [rows, width],
                           random_bits(chance, datatype, rows * width)))
        found = self.server.infer(inputs, ["told", *(f"{name}-again" for name in self.datatypes)])
        for name, _, shape, sent in inputs[1:]:
            assert found[f"{name}-again"] == sent, f"{name} of shape {shape} has other bits"
        told = found["told"]
        return told[4 : 4 + struct.unpack_from("<I", told)[0]].decode()

    def crowd(self) -> str:
        """Many clients at once, with rows of several shapes."""
        before = self.server.counts()

        def client(number: int) -> None:
            chance = random.Random(number)
            for _ in range(REQUESTS):
                told = self.ask(b"echo", chance, chance.choice((1, 1, 2, 3, 5, 9, 70)),
                                chance.choice((1, 3, 64)))
                assert told == SHOWN[self.framework], f"its arrays are {told}"

        with ThreadPoolExecutor(CLIENTS) as pool:
            for done in [pool.submit(client, number) for number in range(CLIENTS)]:
                done.result()
        rows, calls = (after - then for after, then in zip(self.server.counts(), before))
        assert self.server.has_gpu(), "the server said that there is no GPU"
        return f"{CLIENTS * REQUESTS} requests, {rows} rows in {calls} calls of run()"

    def keep(self) -> str:
        """What was kept of small batches is there while larger ones take their memory's place."""
        chance = random.Random(99)
        for rows, width in ((2, 1 << 12), (2, 1 << 14), (2, 1 << 16)):  # each takes new memory
            self.ask(b"keep", chance, rows, width)
        for _ in range(4):
            self.ask(b"echo", chance, 3, 1 << 16)
        told = self.ask(b"verify", chance, 1, 4)
        right, kept = int(told.split()[0]), int(told.split()[-1])
        assert right == kept == 3 * len(self.datatypes), f"{told} arrays have the bits of then"
        return f"{told} arrays have the bits of then, in rows of up to 3 MiB"

    def break_gpu(self) -> str:
        """An error of a kernel is a 500, and the next worker serves."""
        chance = random.Random(5)
        try:
            self.ask(b"break", chance, 1, 4)
        except Failed as exc:
            assert str(exc).startswith("500"), exc
        else:
            raise AssertionError("a bad kernel went unnoticed")
        deadline, begun = time.monotonic() + 100, time.monotonic()
        while True:
            try:
                told = self.ask(b"echo", chance, 3, 5)
                break
            except (Failed, OSError):
                assert time.monotonic() < deadline, "no other worker serves"
                time.sleep(0.05)
        assert told == SHOWN[self.framework], f"its arrays are {told}"
        return f"500, and the next worker served after {time.monotonic() - begun:.1f} s"


def datatypes_of(framework: str) -> list[str]:
    """Those that its arrays can have."""
    return [name for name in WIDTHS if name not in LACKS[framework]]


def is_usable(framework: str) -> str | None:
    """Why a framework is left out, or None."""
    if framework == "none":
        return None
    code = f"import {framework}; " + (
        "assert torch.cuda.is_available(), 'torch.cuda.is_available() is False'"
        if framework == "torch" else "cupy.zeros(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1]


@contextlib.contextmanager
def started(frameworks: list[str], folder: Path) -> Iterator[list[Talk]]:
    """A server for each, all at once."""
    with contextlib.ExitStack() as stack:
        talks = []
        for framework in frameworks:
            server = Server(HERE / "scripts" / "echo.py", folder / f"{framework}.log", {
                "ECHO_FRAMEWORK": framework, "ECHO_DATATYPES": ",".join(datatypes_of(framework)),
            })
            stack.callback(server.stop)
            talks.append(Talk(server, framework))
        yield talks


def run(
    check: Check, frameworks: list[str], folder: Path, can_break: Callable[[str], bool]
) -> None:
    """All checks."""
    with started(frameworks, folder) as talks:
        for talk in talks:
            name = {"none": "DeviceTensors"}.get(talk.framework, talk.framework)

            def ready(talk: Talk = talk) -> str:
                talk.server.wait_ready()
                return "ready"

            check.do(f"{name}, the server", ready)
            check.do(f"{name}, {len(talk.datatypes)} datatypes bit for bit", talk.crowd)
            check.do(f"{name}, arrays that are kept", talk.keep)
            if can_break(talk.framework):
                check.do(f"{name}, a GPU that breaks", talk.break_gpu)
                check.do(f"{name}, once more after that", talk.crowd)
            if check.failed:
                print("\n".join(talk.server.said().splitlines()[-12:]), flush=True)


def why_not() -> str | None:
    """Why nothing can be checked here, or None."""
    code = ("from suite import build\nfrom scorehost import _core\n"
            "_core.open_gpu(tuple(build.runtimes()), 0)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(
                              [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])})
    return None if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def main(argv: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="without a GPU")
    parser.add_argument("--logs", type=Path, help="where the servers' logs go")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check = Check()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.logs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if args.rehearse:
            sys.path.insert(0, str(build.ROOT / "tests"))
            import cudart

            os.environ["SCOREHOST_CUDART"] = cudart.build(folder)
            run(check, ["none"], folder, lambda name: True)
        else:
            why = why_not()
            if why is not None:
                print(f"nothing can be checked: {why}")
                return 2
            usable = []
            for name in ("torch", "cupy", "none"):
                why = is_usable(name)
                if why is None:
                    usable.append(name)
                else:
                    print(f"left out {name}: {why}", flush=True)
            run(check, usable, folder, lambda name: name == "torch")
    print(f"{check.failed} checks failed" if check.failed else "all is well")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
