"""Rows that are batched; the first number of a row says what is to go wrong with its batch."""

import json
import os
import time

import numpy as np

import scorehost

HERE = os.path.dirname(os.path.abspath(__file__))
POISON, FEW, MANY, WRITES, OBJECT, NOTHING, DIES, SLOW, TEXT, HUGE = range(-1, -11, -1)


def init():
    pass


@scorehost.batch(**json.loads(os.environ.get("BATCH", "{}")))
@scorehost.tensor(
    inputs={"x": ("FP64", [-1, -1]), "tag": ("BYTES", [-1])},
    outputs={"y": ("FP64", [-1, 2]), "tag": ("BYTES", [-1]), "calls": ("INT64", [-1])},
)
def run(x, tag):
    asked = set(x[:, 0])
    with open(os.path.join(HERE, "runs"), "a", encoding="ascii") as file:
        file.write(f"{len(x)}\n")
    if POISON in asked:
        raise ValueError(f"poison among {len(x)}")
    if DIES in asked:
        os._exit(9)
    if WRITES in asked:
        x[0] = 0
    if SLOW in asked:
        time.sleep(0.02)
    if os.path.exists(os.path.join(HERE, "shut")):
        open(os.path.join(HERE, "waits"), "w", encoding="ascii").close()
        while os.path.exists(os.path.join(HERE, "shut")):
            time.sleep(0.002)
    y = np.stack([x.sum(axis=1), x[:, 0]], axis=1)
    made = {"y": y, "tag": tag, "calls": np.full(len(x), len(x))}
    if FEW in asked:
        made["y"] = y[:-1]
    if MANY in asked:
        made["y"] = np.concatenate([y, y])
    if OBJECT in asked:
        made["y"] = np.array([[object(), object()]] * len(x))
    if NOTHING in asked:
        return None
    if TEXT in asked:
        made["y"] = [["a", "b"]] * len(x)
    if HUGE in asked:
        made["y"] = y[:, :1]
    return made
