"""Gives back the tensors that it is given; which those are, TENSORS says in JSON."""

import json
import os

import scorehost

TENSORS = json.loads(os.environ["TENSORS"])  # name: [datatype, shape]


def init():
    pass


exec(f"def run({', '.join(TENSORS)}):\n    return dict(locals())\n")
run = scorehost.tensor(inputs=TENSORS, outputs=TENSORS)(run)  # noqa: F821
