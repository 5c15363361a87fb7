"""The same model behind azmlinfsrv: its batches on the GPU, and moved there by the script.

Many clients ask again as soon as they have their answer. Beside both stands the model alone,
looped over batches that are ready (looping.py). All of them are up at once, and each is asked in
turn.
"""

import contextlib
import importlib.util
import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import build, looping
from suite.frameworks import Options
from suite.server import Failed, Server, infer_body, infer_head
from suite.timing import absent, say

INPUTS = 128
SCRIPT = build.HERE / "scripts" / "mlp.py"
ARRAYS = ("cuda", "cpu")
WAYS = {"cuda": 'device="cuda"', "cpu": 'device="cpu", moved by run()'}


@dataclass(frozen=True)
class Load:
    """Requests of so many rows, from so many clients, to a model."""

    name: str
    model: str
    rows: int
    clients: int


MOST = {"mlp": 128, "deep": 256}
LOADS = (
    Load("MLP, 1 row a request", "mlp", 1, 384),
    Load("MLP, 32 rows a request", "mlp", 32, 24),
    Load("13 layers of 4096, 4 rows a request", "deep", 4, 256),
)


def tensor_of(rows: bytes) -> tuple[str, str, list[int], bytes]:
    """The input of a request."""
    return "x", "FP32", [len(rows) // (4 * INPUTS), INPUTS], rows


def request_file(folder: Path, rows: int) -> Path:
    """A request as the clients send it."""
    numbers = struct.pack(f"<{rows * INPUTS}f", *(i % 13 / 13 for i in range(rows * INPUTS)))
    body, head_bytes = infer_body([tensor_of(numbers)], ["y"])
    lines = [f"POST /v2/models/{SCRIPT.stem}/infer HTTP/1.1", "Host: 127.0.0.1",
             *infer_head(head_bytes), f"Content-Length: {len(body)}"]
    path = folder / f"{rows}.request"
    path.write_bytes("\r\n".join([*lines, "", ""]).encode() + body)
    return path


class Loop:
    """looping.py, in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, str(build.HERE / "run.py"), "inner", "looping"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.device = str(self.answer()["device"])

    def answer(self) -> Any:
        """The next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Failed("the model in a loop ended")
        return json.loads(line)

    def ask(self, *words: object) -> Any:
        """Has it do something, and waits for it."""
        assert self.process.stdin is not None
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def stop(self) -> None:
        """Has it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def check(server: Server, wanted: list[float]) -> None:
    """Its outputs must be those of the model in a loop."""
    outputs = server.infer([tensor_of(looping.check_rows(INPUTS))], ["y"])
    found = struct.unpack(f"<{len(wanted)}f", outputs["y"])
    norm = sum(value * value for value in wanted) ** 0.5
    error = sum((a - b) ** 2 for a, b in zip(found, wanted)) ** 0.5 / norm
    if not error < 1e-3:
        raise Failed(f"its outputs are off by {error}")


@contextlib.contextmanager
def busy_log(folder: Path) -> Iterator[Path | None]:
    """How much of the time the GPU was at work, every 0.2 s, where nvidia-smi tells."""
    smi, path = shutil.which("nvidia-smi"), folder / "busy.csv"
    if smi is None:
        yield None
        return
    with open(path, "wb") as out:
        process = subprocess.Popen(
            [smi, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "200"],
            stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        try:
            yield path
        finally:
            process.terminate()
            process.wait()


def busy_since(path: Path | None, offset: int) -> list[float]:
    """What it told since then, without the first and the last of it."""
    if path is None:
        return []
    words = path.read_text(errors="replace")[offset:].split()
    return [float(word) for word in words if word.isdigit()][1:-1]


def size_of(path: Path | None) -> int:
    """How much it has told so far."""
    return 0 if path is None else path.stat().st_size


@dataclass
class Bench:
    """All that is up."""

    options: Options
    folder: Path
    traffic: Path
    loop: Loop
    servers: dict[tuple[str, str], Server]  # by model and arrays
    busy: Path | None

    def seconds(self) -> float:
        """How long clients ask."""
        return 0.3 if self.options.is_rehearsal else 1.2

    def crowd(self, server: Server, load: Load, request: Path, seed: int) -> dict[str, Any]:
        """Has clients ask for a while: what they saw, and what the server says of its batches."""
        clients = min(load.clients, 16) if self.options.is_rehearsal else load.clients
        rows, calls = server.counts()
        offset = size_of(self.busy)
        done = subprocess.run(
            [str(self.traffic), str(server.port), str(request), f"clients={clients}",
             f"seconds={self.seconds()}", f"warm={self.seconds() / 3}", f"seed={seed}"],
            capture_output=True, text=True, timeout=120)
        if done.returncode != 0 or not done.stdout.startswith("{"):
            raise Failed(f"the clients failed: {done.stderr[-300:]}")
        seen = json.loads(done.stdout)
        if seen["errors"] or not seen["requests"]:
            raise Failed(f"{seen['errors']} answers were errors, {seen['requests']} came in time")
        shares = busy_since(self.busy, offset)
        rows_after, calls_after = server.counts()
        return {
            "rows_per_s": seen["requests"] * load.rows / seen["seconds"],
            "p50_us": seen["p50_us"], "p99_us": seen["p99_us"],
            "batch": (rows_after - rows) / max(calls_after - calls, 1),
            "busy": sum(shares) / len(shares) if shares else None,
        }

    def measure(self, load: Load) -> None:
        """One load: the model alone and both servers, round by round."""
        request = request_file(self.folder, load.rows)
        names = ["ready", *ARRAYS]
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for round_number in range(self.options.rounds):
            for i in range(len(names)):
                name = names[(i + round_number) % len(names)]
                if name == "ready":
                    found[name].append(
                        self.loop.ask(load.model, MOST[load.model], self.seconds() / 3))
                else:
                    server = self.servers[load.model, name]
                    found[name].append(self.crowd(server, load, request, round_number + 1))
        for name in names:
            keys = found[name][0]
            say("end to end", load=load.name, way=WAYS.get(name, "ready batches, in a loop"),
                most=MOST[load.model],
                **{key: [seen[key] for seen in found[name]] for key in keys
                   if found[name][0][key] is not None})


@contextlib.contextmanager
def everything(options: Options, folder: Path) -> Iterator[Bench]:
    """Starts all servers at once, and ends them."""
    with contextlib.ExitStack() as stack:
        servers: dict[tuple[str, str], Server] = {}
        for model in MOST:
            for arrays in ARRAYS:
                server = servers[model, arrays] = Server(
                    SCRIPT, folder / f"server-{model}-{arrays}.log",
                    {"BENCH_MODEL": model, "BENCH_ARRAYS": arrays, "BENCH_MOST": str(MOST[model])},
                )
                stack.callback(server.stop)
        loop = Loop()
        stack.callback(loop.stop)
        if loop.device != "cuda" and not options.is_rehearsal:
            raise Failed("torch.cuda.is_available() is False")
        busy = stack.enter_context(busy_log(folder))
        for server in servers.values():
            server.wait_ready()
        for (model, arrays), server in servers.items():
            check(server, loop.ask("check", model)["outputs"])
            if not server.has_gpu() and not options.is_rehearsal:
                raise Failed(f"there is no GPU for the server: see {server.log}")
        yield Bench(options, folder, build.clients(options.folder), loop, servers, busy)


def main(options: Options) -> None:
    """All loads."""
    for needed in ("torch", "scorehost._core"):
        try:
            found = importlib.util.find_spec(needed)
        except ImportError:
            found = None
        if found is None:
            absent("a model behind azmlinfsrv", f"{needed} is not installed here")
            return
    folder = options.folder / "endtoend"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with everything(options, folder) as bench:
            for load in LOADS:
                try:
                    bench.measure(load)
                except Failed as exc:
                    absent(load.name, exc)
    except (Failed, build.CannotBuild) as exc:
        absent("a model behind azmlinfsrv", exc)
