"""Gives back what it gets, with copies made on the GPU; for check.py, which says what to do.

ECHO_FRAMEWORK is torch, cupy or none, ECHO_DATATYPES those of the inputs. The first text says:
echo; keep (what was given is kept, with its bits of now); verify (what was kept has them still);
break (the GPU fails from now on).
"""

import importlib
import os

import numpy

import scorehost
from scorehost import _core, frameworks

FRAMEWORK = os.environ["ECHO_FRAMEWORK"]
DATATYPES = os.environ["ECHO_DATATYPES"].split(",")
framework = importlib.import_module(FRAMEWORK) if FRAMEWORK != "none" else None
kept = []


def init():
    global gpu
    gpu = _core.open_gpu(frameworks.runtimes(), 0)


def where(x):
    if FRAMEWORK == "torch":
        return f"torch on {x.device}"
    if FRAMEWORK == "cupy":
        return f"cupy on {x.device.id}"
    return type(x).__name__


def copied(x):
    if FRAMEWORK == "torch":
        return x.clone()
    return x.copy() if FRAMEWORK == "cupy" else x


def bits(x):
    if FRAMEWORK == "torch":
        return x.contiguous().view(framework.uint8).cpu().numpy().tobytes()
    return framework.asnumpy(x).tobytes() if FRAMEWORK == "cupy" else gpu.fetch(x.__dlpack__())


def break_gpu():
    if FRAMEWORK == "torch":  # an index that no element has
        framework.zeros(4, device="cuda")[framework.tensor([1 << 20], device="cuda")].add_(1)
    else:
        import ctypes

        ctypes.CDLL(os.environ["SCOREHOST_CUDART"]).fakeLaunchPoison(None)


def answer(say, arrays):
    told = where(arrays[DATATYPES[0]])
    if say[0] == b"keep":
        kept.extend((x, bits(x)) for x in arrays.values())
    elif say[0] == b"verify":
        told = f"{sum(bits(x) == then for x, then in kept)} of {len(kept)}"
    elif say[0] == b"break":
        break_gpu()
    again = {f"{name}-again": copied(x) for name, x in arrays.items()}
    return {"told": numpy.array([told.encode()] * len(say), object), **again}


# run() has an argument for each input, and which those are is said outside.
pairs = ", ".join(f"{name!r}: {name}" for name in DATATYPES)
exec(f"def run(say, {', '.join(DATATYPES)}):\n    return answer(say, {{{pairs}}})")
run = scorehost.tensor(
    inputs={"say": ("BYTES", [-1]), **{name: (name, [-1, -1]) for name in DATATYPES}},
    outputs={"told": ("BYTES", [-1]), **{f"{name}-again": (name, [-1, -1]) for name in DATATYPES}},
    device="cuda",
)(run)
run = scorehost.batch(max_batch_size=64)(run)
