"""The requests: infer requests with binary tensors, and JSON."""

import json
import random
import struct
from pathlib import Path
from typing import Any

from rig.loads import Load

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
COLUMNS = 16
WIDE_ROWS, WIDE_COLUMNS = 1024, 1024
WIDE_BYTES = WIDE_ROWS * WIDE_COLUMNS * 4
SCHEMA_ROWS, SCHEMA_COLUMNS = 32, 128
SCHEMA_BODIES = 16  # so many that no branch predictor learns them by heart

ROW = [index * 0.5 for index in range(COLUMNS)]


def _load(name: str, script: str, body: bytes, expected: Any, **more: Any) -> Load:
    return Load(name, name, SCRIPTS / f"{script}.py", body, expected, (1,), floors=False, **more)


def _infer(name: str, script: str, shape: list[int], data: bytes, outputs: list[Any]) -> Load:
    """An infer request whose one tensor stands behind its JSON."""
    tensor = {"name": "x", "datatype": "FP32", "shape": shape}
    given = {**tensor, "parameters": {"binary_data_size": len(data)}}
    text = json.dumps({"inputs": [given]}).encode()
    return _load(
        name,
        script,
        text + data,
        {"model_name": script, "model_version": "1", "outputs": outputs},
        path=f"/v2/models/{script}/infer",
        fields=(
            "Content-Type: application/octet-stream",
            f"Inference-Header-Content-Length: {len(text)}",
        ),
    )


def wide() -> Load:
    """4 MiB of which run() looks at the last element."""
    data = struct.pack(f"<{WIDE_COLUMNS}f", *range(WIDE_COLUMNS)) * WIDE_ROWS
    last = {"name": "last", "datatype": "FP32", "shape": [1], "data": [WIDE_COLUMNS - 1]}
    return _infer("wide", "wide", [WIDE_ROWS, WIDE_COLUMNS], data, [last])


def row_in_binary(script: str) -> Load:
    """One row of 16 numbers."""
    data = struct.pack(f"<{COLUMNS}f", *ROW)
    total = {"name": "y", "datatype": "FP32", "shape": [1], "data": [sum(ROW)]}
    return _infer(f"{script}-binary", script, [1, COLUMNS], data, [total])


def row_in_json(script: str) -> Load:
    """The same as an argument of run()."""
    return _load(f"{script}-json", script, json.dumps({"x": [ROW]}).encode(), None)


def schema() -> list[Load]:
    """32 rows of 128 numbers each, as json.dumps() writes doubles."""
    chance = random.Random(1)
    found = []
    for number in range(SCHEMA_BODIES):
        rows = [[chance.gauss(0, 1) for _ in range(SCHEMA_COLUMNS)] for _ in range(SCHEMA_ROWS)]
        found.append(_load("schema", "schema", json.dumps({"data": rows}).encode(), None))
    return found
