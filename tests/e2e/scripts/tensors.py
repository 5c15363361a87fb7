"""A script with tensors, and the strange things that it can be asked to return."""

import numpy as np
import scorehost


def init():
    pass


@scorehost.tensor(
    inputs={"x": ("FP32", [-1, 3]), "what": ("BYTES", [1])},
    outputs={"sum": ("FP32", [-1, 1]), "text": ("BYTES", [-1])},
)
def run(x, what):
    order = what[0]
    if order == b"raise":
        raise ValueError("as ordered")
    sums = x.sum(axis=1, keepdims=True)
    if order == b"double":
        sums = sums.astype(np.float64)
    text = np.array([b"%.0f" % row for row in np.trunc(sums[:, 0])], dtype=object)
    if order == b"missing":
        return {"sum": sums}
    if order == b"turned":
        sums = np.asfortranarray(np.repeat(sums, 2, axis=1))[:, :1]
    return {"sum": sums, "text": text}
