"""The models over batches that are ready on the GPU: what no server can surpass.

A process of its own. A line of its input is a model, rows and seconds, and is answered by a line
of JSON with rows per second; "check" and a model by the outputs for the rows of check_rows().
"""

import json
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from suite import build

CHECK_ROWS = 3


def check_rows(inputs: int) -> bytes:
    """Rows with numbers that are neither equal nor large."""
    numbers = [((7 * i) % 31 - 15) / 16 for i in range(CHECK_ROWS * inputs)]
    return struct.pack(f"<{len(numbers)}f", *numbers)


def loop(model: Any, x: Any, sync: Callable[[], Any], seconds: float) -> float:
    """Rows per second of a model that is called again and again."""
    for _ in range(3):
        model(x)
    sync()
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        for _ in range(10):
            model(x)
        sync()
        calls += 10
    return float(calls * len(x) / (time.perf_counter() - begun))


def main() -> None:
    """Answers what comes, until nothing more does."""
    sys.path.insert(0, str(build.HERE / "scripts"))
    import models
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    sync = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    made: dict[str, Any] = {}
    print(json.dumps({"device": device}), flush=True)
    with torch.inference_mode():
        for line in sys.stdin:
            name, *rest = line.split()
            is_check = name == "check"
            key = rest[0] if is_check else name
            if key not in made:
                made[key] = models.build(key, device)
            if is_check:
                x = torch.frombuffer(bytearray(check_rows(models.INPUTS)), dtype=torch.float32)
                y = made[key](x.view(CHECK_ROWS, models.INPUTS).to(device))
                answer: Any = {"outputs": y.cpu().flatten().tolist()}
            else:
                x = torch.randn(int(rest[0]), models.INPUTS, device=device)
                answer = {"rows_per_s": loop(made[key], x, sync, float(rest[1]))}
            print(json.dumps(answer), flush=True)
