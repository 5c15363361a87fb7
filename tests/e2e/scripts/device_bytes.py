"""Nothing goes to the GPU and flags come from it: 2 in place of true where a text is "bad"."""

import numpy as np

import scorehost
from scorehost import _core, frameworks


def init():
    pass


@scorehost.batch(max_batch_size=8)
@scorehost.tensor(
    inputs={"texts": ("BYTES", [-1])}, outputs={"flags": ("BOOL", [-1])}, device="cuda"
)
def run(texts):
    global gpu
    gpu = _core.open_gpu(frameworks.runtimes(), 0)
    flags = np.array([2 if text == b"bad" else 1 for text in texts], "uint8")
    return gpu.send(flags, "BOOL", flags.shape)
