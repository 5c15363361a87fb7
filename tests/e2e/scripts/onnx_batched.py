"""A small network in ONNX's form, made here byte by byte, and run by onnxruntime.

A matrix of 16 by 32, ReLU, a matrix of 32 by 3, softmax. One session serves
all threads of a worker.
"""

import threading

import numpy as np
import onnxruntime

import scorehost

FLOAT = 1
VARINT, BYTES = 0, 2


def varint(number):
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


def field(number, value):
    """One field of a protocol buffer: a number, text, or bytes."""
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def weights(name, array):
    dims = b"".join(field(1, length) for length in array.shape)
    return dims + field(2, FLOAT) + field(8, name) + field(9, array.tobytes())


def node(operator, inputs, output):
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operator)


def value(name, width):
    rows = field(1, field(2, "rows"))
    shape = field(2, rows + field(1, field(1, width)))
    return field(1, name) + field(2, field(1, field(1, FLOAT) + shape))


def network():
    chance = np.random.default_rng(16)
    first, second = (chance.standard_normal(shape).astype("float32") for shape in [(16, 32), (32, 3)])
    nodes = [
        node("MatMul", ["x", "first"], "a"), node("Relu", ["a"], "b"),
        node("MatMul", ["b", "second"], "c"), node("Softmax", ["c"], "y"),
    ]
    graph = b"".join(field(1, item) for item in nodes) + field(2, "network")
    graph += field(5, weights("first", first)) + field(5, weights("second", second))
    graph += field(11, value("x", 16)) + field(12, value("y", 3))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def init():
    global session
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        network(), options, providers=["CPUExecutionProvider"]
    )


@scorehost.batch(max_batch_size=32)
@scorehost.tensor(
    inputs={"x": ("FP32", [-1, 16])},
    outputs={"y": ("FP32", [-1, 3]), "where": ("INT64", [-1, 2])},
)
def run(x):
    (y,) = session.run(["y"], {"x": x})
    here = [id(session) & 0x7FFFFFFF, threading.get_ident() & 0x7FFFFFFF]
    return {"y": y, "where": np.tile(here, (len(x), 1))}
