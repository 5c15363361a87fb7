"""A model of PyTorch's on a GPU, with its batches there (BENCH_ARRAYS=cuda) or moved by itself."""

import os

import models
import torch

import scorehost

NAME = os.environ["BENCH_MODEL"]
ARRAYS = os.environ["BENCH_ARRAYS"]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def init():
    global model
    model = models.build(NAME, DEVICE)


@scorehost.batch(max_batch_size=int(os.environ["BENCH_MOST"]))
@scorehost.tensor(
    inputs={"x": ("FP32", [-1, models.INPUTS])},
    outputs={"y": ("FP32", [-1, models.OUTPUTS])},
    device=ARRAYS,
    framework="torch",
)
def run(x):
    with torch.inference_mode():
        if ARRAYS == "cuda":
            return model(x)
        return model(x.to(DEVICE)).cpu()
