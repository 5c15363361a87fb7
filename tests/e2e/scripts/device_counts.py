"""What a GPU that is not there has been asked for (tests/cudart), and two inputs of it."""

import ctypes
import os

import numpy as np
from device import Counts

import scorehost


def init():
    global cuda
    cuda = ctypes.CDLL(os.environ["SCOREHOST_CUDART"])


runs = 0


def counts():
    found = Counts()
    cuda.fakeCounts(ctypes.byref(found))
    return [getattr(found, name) for name, _ in Counts._fields_]


@scorehost.batch(max_batch_size=64)
@scorehost.tensor(
    inputs={"a": ("FP32", [-1, -1]), "b": ("INT64", [-1])},
    outputs={"a": ("FP32", [-1, -1]), "b": ("INT64", [-1]), "counts": ("INT64", [-1, -1])},
    device="cuda:0",
)
def run(a, b):
    global runs
    runs += 1
    return {"a": a, "b": b, "counts": np.array([[*counts(), runs]] * len(a))}
