"""Arrays of PyTorch, CuPy and JAX: what handing one over costs, and a model fed in three ways.

Each framework is measured in a process of its own, which prints figures.
"""

import contextlib
import ctypes
import json
import random
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite import build
from suite.road import Memory, Road
from suite.timing import absent, measure, say

ROWS, INPUTS, OUTPUTS = 256, 128, 10
ROW_BYTES = 4 * INPUTS
SIZES = (1, 4, 16, 64, 256)
LEGACY = 1  # how DLPack numbers the stream that work goes to where nobody names one
NOT_INSTALLED = "scorehost is not installed here (no scorehost._core)"

SCRIPT = """
import scorehost
IMPORT
def init():
    pass
@scorehost.batch(max_batch_size=256)
@scorehost.tensor(
    inputs={"x": ("FP32", [-1, 128])}, outputs={"y": ("FP32", [-1, -1])}, device="cuda"
)
def run(x):
    return x
"""


@dataclass(frozen=True)
class Options:
    """What all parts are told."""

    folder: Path  # for what is compiled
    rounds: int
    enough_s: float  # of one way in one round
    is_rehearsal: bool  # without a GPU: the figures mean nothing


def core() -> Any:
    """scorehost._core, or None where it is not installed."""
    try:
        from scorehost import _core
    except ImportError:
        return None
    return _core


def attempt(what: str, step: Callable[..., None], *arguments: Any) -> None:
    """Does a step; what it raises is why its figures are absent."""
    try:
        step(*arguments)
    except Exception as exc:  # of the framework's, whatever it is
        absent(what, f"{type(exc).__name__}: {exc}")


def report(figure: str, found: dict[str, list[float]], **what: Any) -> None:
    """A figure for each way."""
    for way, us in found.items():
        say(figure, way=way, us=us, **what)


# What it takes to make an array of the framework's over memory that is there.


def ramp(rows: int = ROWS) -> bytes:
    """Different numbers in each row."""
    return struct.pack(f"<{rows * INPUTS}f", *(i % 1000 for i in range(rows * INPUTS)))


def sent() -> Any:
    """A GPU and a DeviceTensor; RuntimeError without."""
    found = core()
    if found is None:
        raise RuntimeError(NOT_INSTALLED)
    gpu = found.open_gpu(tuple(build.runtimes()), 0)
    return gpu, gpu.send(ramp(), "FP32", (ROWS, INPUTS))


def handoffs(options: Options, framework: str, ways: dict[str, Callable[[], Any]],
             read: Callable[[Any], bytes], sync: Callable[[], Any]) -> None:
    """Measures ways to have an array, each of which must have the right numbers."""
    for name in list(ways):
        try:
            found = read(ways[name]())
        except Exception as exc:  # of the framework's, whatever it is
            absent(f"{framework}: {name}", exc)
            del ways[name]
            continue
        if found != ramp()[: len(found)] or not found:
            absent(f"{framework}: {name}", "it has wrong numbers")
            del ways[name]
    report("handoff", measure(ways, sync, options.rounds, options.enough_s),
           framework=framework)


# What Python does for each batch on the product's road.


@contextlib.contextmanager
def loaded(framework: str) -> Iterator[Any]:
    """A script as a worker has it."""
    from scorehost import script
    from scorehost.settings import Settings

    with tempfile.TemporaryDirectory() as folder:
        source = SCRIPT.replace("IMPORT", f"import {framework}" if framework else "")
        Path(folder, "score.py").write_text(source)
        settings = Settings()
        settings.app_root, settings.entry_script = folder, "score.py"
        scoring = script.load(settings)
        scoring.open_device()
        yield scoring


def python_cost(options: Options, framework: str, sync: Callable[[], Any]) -> None:
    """What pybridge calls for a batch of 64 rows, once each: the stream, a slice, run(), the
    outputs, the stream. run() returns its input, so that no model is measured.
    """
    if core() is None:
        raise RuntimeError(NOT_INSTALLED)
    with loaded(framework) as scoring:
        if scoring.gpu is None:
            raise RuntimeError("there is no GPU that this framework can use")
        base = scoring.array(scoring.gpu.send(ramp(), "FP32", (ROWS, INPUTS)))
        cut = slice(0, 64)

        def batch() -> Any:
            scoring.stream()
            x = base[cut]
            getattr(base, "requires_grad", None)
            outputs = scoring.outputs(scoring.call({"x": x}), LEGACY)
            scoring.stream()
            return outputs

        ways: dict[str, Callable[[], Any]] = {
            "all of a batch": batch,
            "the stream, of which twice": scoring.stream,
            "a slice": lambda: base[cut],
            "call() of a run() that does nothing": lambda: scoring.call({"x": base}),
            "outputs()": lambda: scoring.outputs(base, LEGACY),
        }
        report("python cost", measure(ways, sync, options.rounds, options.enough_s),
               framework=framework or "DeviceTensor")


# A model that is fed in three ways.


class Feeding:
    """A model, and where its batches come from."""

    def __init__(self, options: Options, torch: Any, device: str) -> None:
        import models

        self.torch, self.device = torch, device
        self.model = models.build("mlp", device)
        self.road = Road(build.road(options.folder), build.runtimes(), ROWS, ROW_BYTES)
        if device == "cuda":
            memory = Memory(self.road.there, (ROWS, INPUTS))
            self.base = torch.as_tensor(memory, device=device)
        else:  # a rehearsal: the memory here stands for that of the GPU
            here = (ctypes.c_char * (ROWS * ROW_BYTES)).from_address(self.road.here)
            self.base = torch.frombuffer(here, dtype=torch.float32).view(ROWS, INPUTS)
        self.held = torch.zeros(ROWS, INPUTS, device=device)
        rows = random.Random(1)
        self.rows = [[rows.uniform(-1, 1) for _ in range(INPUTS)] for _ in range(ROWS)]
        self.binary = [struct.pack(f"<{INPUTS}f", *row) for row in self.rows]
        self.text = [json.dumps({"data": [row]}).encode() for row in self.rows]

    def sync(self) -> None:
        """Waits for all that the GPU has to do."""
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def stream(self) -> int:
        """The stream that the model works in."""
        if self.device != "cuda":
            return 0
        return int(self.torch.cuda.current_stream().cuda_stream)

    def graph(self, step: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
        """A step that was recorded, and the tensor that it fills each time."""
        torch = self.torch
        if self.device != "cuda":
            return step, None
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        recorded = torch.cuda.CUDAGraph()
        with torch.cuda.graph(recorded):
            out = step()
        return recorded.replay, out

    def computing(self, x: Any, is_graph: bool) -> Callable[[], Any]:
        """The model over a tensor that stays where it is: its output on each call."""
        if not is_graph:
            return lambda: self.model(x)
        replay, out = self.graph(lambda: self.model(x))

        def again() -> Any:
            made = replay()
            return made if out is None else out

        return again

    def fetched(self, y: Any, count: int) -> Any:
        """An output by the product's way back."""
        size = count * OUTPUTS * 4
        if self.device != "cuda":
            self.road.come(self.road.there, size, 0)
            return y
        back = self.road.come(y.data_ptr(), size, self.stream())
        return self.torch.frombuffer(back, dtype=self.torch.float32).view(count, OUTPUTS)

    def ways(self, count: int, is_graph: bool) -> dict[str, Callable[[], Any]]:
        """From the bodies of so many requests to the outputs in main memory."""
        torch, device = self.torch, self.device
        held, here = self.held[:count], self.base[:count]
        text, binary = self.text[:count], self.binary[:count]
        one = self.computing(self.held[:1], is_graph)
        all_held = self.computing(held, is_graph)
        all_here = self.computing(here, is_graph)

        def alone() -> Any:
            found = []
            for body in text:
                self.held[:1].copy_(torch.tensor(json.loads(body)["data"]))
                found.append(one().cpu())
            return torch.cat(found)

        def together() -> Any:
            held.copy_(torch.tensor([json.loads(body)["data"][0] for body in text]))
            return all_held().cpu()

        def pinned() -> Any:
            x = torch.frombuffer(bytearray().join(binary), dtype=torch.float32)
            x = x.pin_memory() if device == "cuda" else x
            held.copy_(x.view(count, INPUTS), non_blocking=True)
            return all_held().cpu()

        def road() -> Any:
            self.road.go(binary, self.stream())
            return self.fetched(all_here(), count)

        def ready() -> Any:
            y = all_held()
            self.sync()
            return y.cpu() if device == "cuda" else y

        return {
            "JSON, each request alone": alone,
            "JSON, one batch": together,
            "binary, pin_memory() and copied": pinned,
            "binary, scorehost's road": road,
            "a ready batch, and .cpu()": ready,
        }

    def check(self, ways: dict[str, Callable[[], Any]], count: int) -> None:
        """Every way must have the same outputs, but for what rounding does."""
        torch = self.torch
        x = torch.tensor(self.rows[:count], device=self.device)
        wanted = self.model(x).cpu().double()
        self.held.copy_(torch.tensor(self.rows))
        for name, way in ways.items():
            found = way().double()
            error = float((found - wanted).norm() / wanted.norm())
            if not error < 1e-4:
                raise RuntimeError(f"{name}, {count} rows: off by {error}")


def feeding(options: Options, torch: Any, device: str) -> None:
    """Measures the ways for several sizes of batch, without and with a CUDA graph."""
    fed = Feeding(options, torch, device)
    with torch.inference_mode():
        for count in SIZES:
            for is_graph in (False, True):
                ways = fed.ways(count, is_graph)
                fed.check(ways, count)
                report("feeding", measure(ways, fed.sync, options.rounds, options.enough_s),
                       rows=count, model="graph" if is_graph else "eager")
    fed.road.close()


# The parts.

COST = "Python's cost per batch"
HANDOFF = "a DeviceTensor handed over"


def handoffs_torch(options: Options, torch: Any, sync: Callable[[], Any]) -> None:
    """PyTorch's tensors over a DeviceTensor."""
    gpu, tensor = sent()
    kept, cut = torch.from_dlpack(tensor), slice(0, 64)
    handoffs(options, "PyTorch", {
        "from_dlpack(DeviceTensor)": lambda: torch.from_dlpack(tensor),
        "as_tensor(), by __cuda_array_interface__":
            lambda: torch.as_tensor(tensor, device="cuda"),
        "a slice of a kept tensor": lambda: kept[cut],
    }, lambda x: x.cpu().numpy().tobytes(), sync)


def part_torch(options: Options) -> None:
    """PyTorch."""
    if options.is_rehearsal:
        attempt(COST, python_cost, options, "", lambda: None)  # before torch is there to be found
    import torch

    has_gpu = torch.cuda.is_available()
    say("about", torch=torch.__version__, gpu=torch.cuda.get_device_name(0) if has_gpu else None)
    if not has_gpu and not options.is_rehearsal:
        raise SystemExit("torch.cuda.is_available() is False")
    device = "cuda" if has_gpu else "cpu"
    torch.zeros(1, device=device)

    def sync() -> None:
        if has_gpu:
            torch.cuda.synchronize()

    attempt(f"PyTorch: {HANDOFF}", handoffs_torch, options, torch, sync)
    attempt(f"PyTorch: {COST}", python_cost, options, "torch", sync)
    attempt("a model fed in three ways", feeding, options, torch, device)


def handoffs_cupy(options: Options, cupy: Any, sync: Callable[[], Any]) -> None:
    """CuPy's arrays over a DeviceTensor."""
    gpu, tensor = sent()
    kept, cut = cupy.from_dlpack(tensor), slice(0, 64)
    handoffs(options, "CuPy", {
        "from_dlpack(DeviceTensor)": lambda: cupy.from_dlpack(tensor),
        "asarray(), by __cuda_array_interface__": lambda: cupy.asarray(tensor),
        "a slice of a kept array": lambda: kept[cut],
    }, lambda x: cupy.asnumpy(x).tobytes(), sync)


def part_cupy(options: Options) -> None:
    """CuPy."""
    import cupy

    say("about", cupy=cupy.__version__)
    cupy.zeros(1)
    sync = cupy.cuda.get_current_stream().synchronize
    attempt(f"CuPy: {HANDOFF}", handoffs_cupy, options, cupy, sync)
    attempt(f"CuPy: {COST}", python_cost, options, "cupy", sync)


def handoffs_jax(options: Options, jax: Any) -> None:
    """JAX's arrays over a DeviceTensor."""
    import numpy

    gpu, tensor = sent()
    handoffs(options, "JAX", {
        "jax.dlpack.from_dlpack(DeviceTensor)": lambda: jax.dlpack.from_dlpack(tensor),
    }, lambda x: numpy.asarray(x).tobytes(), lambda: None)


def part_jax(options: Options) -> None:
    """JAX."""
    import jax
    import jax.dlpack

    say("about", jax=jax.__version__)
    jax.numpy.zeros(1).block_until_ready()
    attempt(f"JAX: {HANDOFF}", handoffs_jax, options, jax)
    attempt(f"DeviceTensors: {COST}", python_cost, options, "", lambda: None)


PARTS = {"torch": part_torch, "cupy": part_cupy, "jax": part_jax}


def main(name: str, options: Options) -> None:
    """One of them."""
    sys.path.insert(0, str(build.HERE / "scripts"))
    try:
        PARTS[name](options)
    except ImportError as exc:
        absent(name, exc)
