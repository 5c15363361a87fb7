"""A script whose rows are batched; what it does hangs on their values."""

import os
import threading

import numpy as np
import scorehost

LOCK = threading.Lock()
HERE = os.path.dirname(os.path.abspath(__file__))
BAD, TOO_FEW, DIES, WAITS = -1.0, -2.0, -3.0, -4.0


def init():
    pass


@scorehost.batch(max_batch_size=16)
@scorehost.tensor(inputs={"x": ("FP64", [-1, -1])}, outputs={"y": ("FP64", [-1, 2])})
def run(x):
    with LOCK, open(os.path.join(HERE, "runs"), "a", encoding="ascii") as file:
        file.write(f"{len(x)}\n")
    if (x == DIES).any():
        os._exit(9)
    if (x == BAD).any():
        raise ValueError("a bad row")
    if (x == WAITS).any():
        fifo = os.path.join(HERE, "gate")
        open(os.path.join(HERE, "waits"), "w", encoding="ascii").close()
        with open(fifo, "rb") as gate:
            gate.read()
    y = np.stack([x.sum(axis=1), x[:, 0]], axis=1)
    return y[:-1] if (x == TOO_FEW).any() else y
