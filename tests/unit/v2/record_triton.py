"""Writes triton_bodies.def: infer requests as tritonclient makes them.

    python record_triton.py > triton_bodies.def      (needs tritonclient[http], ml_dtypes)

Every datatype is there in binary form and, where the client has one, in JSON, each beside the
bytes that its elements are in memory. BYTES are compared in their binary form.
"""

import ml_dtypes
import numpy as np
import tritonclient.http as triton
from tritonclient.utils import serialize_byte_tensor

NUMBERS = {
    "BOOL": np.array([[True, False, True], [False, False, True]]),
    "UINT8": np.array([[0, 1, 2], [127, 128, 255]], np.uint8),
    "UINT16": np.array([[0, 1, 2], [32767, 32768, 65535]], np.uint16),
    "UINT32": np.array([[0, 1, 2], [3, 2**31, 2**32 - 1]], np.uint32),
    "UINT64": np.array([[0, 1, 2], [3, 2**63, 2**64 - 1]], np.uint64),
    "INT8": np.array([[0, 1, -1], [2, -128, 127]], np.int8),
    "INT16": np.array([[0, 1, -1], [2, -(2**15), 2**15 - 1]], np.int16),
    "INT32": np.array([[0, 1, -1], [2, -(2**31), 2**31 - 1]], np.int32),
    "INT64": np.array([[0, 1, -1], [2, -(2**63), 2**63 - 1]], np.int64),
    "FP16": np.array([[0, 0.1, -1.5], [65504, 6e-8, np.inf]], np.float16),
    "BF16": np.array([[0, 0.1, -1.5], [3e38, 1e-40, np.inf]], ml_dtypes.bfloat16),
    "FP32": np.array([[0, 0.1, -1.5], [3.4e38, 1e-45, np.nan]], np.float32),
    "FP64": np.array([[0, 0.1, -1.5], [1.7e308, 5e-324, -np.inf]], np.float64),
    "BYTES": np.array([[b"", b"a", b"two words"], [b'"\\', b"\xc3\xa9", b"x" * 20]], object),
}


def c_string(data: bytes) -> str:
    """Bytes as string literals of C, none of them long."""
    pieces = [data[at : at + 12] for at in range(0, len(data), 12)] or [b""]
    return "\n  ".join('"' + "".join(f"\\x{byte:02x}" for byte in p) + '"' for p in pieces)


def entry(datatype: str, binary: bool, wishes: list[triton.InferRequestedOutput] | None) -> None:
    """One request: its name, datatype, body, length of the JSON, elements."""
    array = NUMBERS[datatype]
    tensor = triton.InferInput("x", list(array.shape), datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    body, json_length = triton.InferenceServerClient.generate_request_body(
        [tensor], outputs=wishes, request_id="7", parameters={"tenant": "a"}
    )
    if datatype == "BYTES":
        elements = serialize_byte_tensor(array).item()
    else:
        elements = array.tobytes()
    form = "binary" if binary else "JSON"
    print(f'X("{datatype}, {form}", "{datatype}", {json_length or 0}, {len(body)},')
    print(f"  {c_string(body)},\n  {len(elements)},\n  {c_string(elements)})")


def main() -> None:
    """All of them."""
    print("/* Made by record_triton.py: what, datatype, JSON's length, body's length, body,")
    print(" * length of the elements, elements. */")
    for datatype in NUMBERS:
        entry(datatype, True, None)
        if datatype != "BF16":
            entry(datatype, False, [triton.InferRequestedOutput("y", binary_data=False)])


if __name__ == "__main__":
    main()
