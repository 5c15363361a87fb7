"""Sound requests with a little wrong in them: a 4xx in the right form or an answer, never a 5xx.

MUTATIONS=20000 tries more; a failure says which seed it was.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random

import numpy as np
import pytest

from .conftest import Make
from .host import Host
from .test_v2 import LENGTH
from .wire import request

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

COUNT = int(os.environ.get("MUTATIONS", "400"))
WORDS = [b"[", b"]", b"{", b"}", b",", b":", b'"', b"\\", b"\\u", b"null", b"-", b"1e999", b"NaN",
         b"Infinity", b"\0", b"\xff", b"\xed\xa0\x80", b"9" * 25, b"[" * 40, b" ", b"\n",
         b"18446744073709551616", b"-9223372036854775809", b"0", b"true", b"\x1f\x8b"]


ROWS = np.arange(6, dtype="float32").reshape(2, 3)


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, ROWS)
    return file.getvalue()


def infer(binary: bool) -> tuple[bytes, int]:
    """An infer request with some of all that there is, and how much of it is JSON."""
    x = {"name": "x", "datatype": "FP32", "shape": [2, 3]}
    how = {"parameters": {"binary_data_size": ROWS.nbytes}} if binary else {"data": ROWS.tolist()}
    head = json.dumps({
        "id": "a", "parameters": {"p": [1, {"q": None}]}, "inputs": [{**x, **how}],
        "outputs": [{"name": "sum", "parameters": {"classification": 2}},
                    {"name": "rows", "parameters": {"binary_data": binary}}],
    }).encode()
    return head + (ROWS.tobytes() if binary else b""), len(head)


BINARY, JSON_BYTES = infer(binary=True)
INFER = "/v2/models/tensor_batch/infer"
JSON = ("Content-Type", "application/json")
SEEDS: dict[str, tuple[str, str, bytes, list[tuple[str, str]]]] = {
    "infer": ("tensor_batch.py", INFER, infer(binary=False)[0], [JSON]),
    "binary": ("tensor_batch.py", INFER, BINARY, [(LENGTH, str(JSON_BYTES))]),
    "packed": ("tensor_batch.py", INFER, gzip.compress(BINARY), [
        (LENGTH, str(JSON_BYTES)), ("Content-Encoding", "gzip")]),
    "score": ("tensors.py", "/score", b'{"x": [[1, 2.5, -3e-2]], "what": ["a\\u00e9"]}', [JSON]),
    "npy": ("tensor_batch.py", "/score", npy(), [("Content-Type", "application/x-npy")]),
    "raw": ("tensor_batch.py", INFER, ROWS.tobytes(), [
        ("Content-Type", "application/octet-stream"), ("Tensor-Shape", "2, 3")]),
}


def mutate(chance: random.Random, data: bytes) -> bytes:
    """One to four changes: bytes that are other, missing, twice, or from elsewhere."""
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        to = min(len(data), at + chance.choice([1, 1, 2, 8, 40]))
        what = chance.randrange(6)
        if what == 0 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1:]
        elif what == 1:
            data = data[:at] + data[to:]
        elif what == 2:
            data = data[:to] + data[at:]
        elif what == 3:
            data = data[:at] + chance.choice(WORDS) + data[at:]
        elif what == 4:
            data = data[:at] + chance.choice(WORDS) + data[to:]
        else:
            data = data[:at]
    return data


@pytest.mark.parametrize("name", SEEDS)
def test_little_mistakes(host: Make, name: str) -> None:
    script, target, body, fields = SEEDS[name]
    server: Host = host(script, life_s=600.0)
    seed = random.randrange(2**32) if "CI" not in os.environ else 1
    chance = random.Random(seed)
    statuses = set()
    for turn in range(COUNT):
        asked = mutate(chance, body)
        changed = [
            (key, value if chance.random() < 0.9 else str(chance.choice([0, len(asked), 7, "x"])))
            for key, value in fields
        ]
        response = server.raw(request("POST", target, asked, changed))
        statuses.add(response.status)
        where = f"seed {seed}, turn {turn}: {asked!r} {changed}: {response.body!r}"
        assert response.status in (200, 400, 413, 415), where
        if response.status >= 400:
            told = response.json
            assert list(told) == ["error" if target.startswith("/v2") else "message"], where
    assert 400 in statuses and (200 in statuses or name == "packed")
    assert server.ask("POST", target, body, fields).status == 200
