"""A model of all datatypes, each of which goes back as it came."""

import scorehost

TYPES = ["BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
         "FP16", "BF16", "FP32", "FP64", "BYTES"]


def init():
    pass


@scorehost.tensor(
    inputs={name.lower(): (name, [-1, -1]) for name in TYPES},
    outputs={name.lower() + "_too": (name, [-1, -1]) for name in TYPES},
)
def run(bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64,
        fp16, bf16, fp32, fp64, bytes):
    return {name + "_too": value for name, value in locals().items()}
