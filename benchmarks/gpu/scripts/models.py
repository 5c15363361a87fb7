"""The models that are measured, the same in every process."""

import os

import torch

#: Inputs, the width of the hidden layers, how many of these, outputs.
MODELS = {"mlp": (128, 1024, 2, 10), "deep": (128, 4096, 12, 10)}
SMALL = {"mlp": (128, 64, 2, 10), "deep": (128, 96, 3, 10)}
INPUTS = 128
OUTPUTS = 10


def build(name, device):
    """A model with random weights, which are the same for everybody on such a device."""
    inputs, width, hidden, outputs = (SMALL if "BENCH_SMALL" in os.environ else MODELS)[name]
    torch.manual_seed(20)
    layers = []
    for i in range(hidden):
        layers += [
            torch.nn.Linear(inputs if i == 0 else width, width, device=device), torch.nn.ReLU()
        ]
    layers.append(torch.nn.Linear(width, outputs, device=device))
    return torch.nn.Sequential(*layers).eval()
