"""Infer requests whose bodies are packed: gzip and deflate, and what is refused of them."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from .conftest import Make
from .host import Host
from .test_v2 import INFER, LENGTH, binary, error, infer, sums, tensors
from .wire import Response, chunked, request

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

GZIP = ("Content-Encoding", "gzip")
DEFLATE = ("Content-Encoding", "deflate")
LIMIT = 32 * 1024 * 1024
SOUND = json.dumps(tensors()).encode()


@pytest.fixture(scope="module")
def rows(module_host: Make) -> Host:
    return module_host("v2_rows.py")


@pytest.mark.parametrize("name", ["gzip", "GZIP", "x-gzip", "deflate"])
def test_it_is_unpacked(rows: Host, name: str) -> None:
    pack = zlib.compress if name == "deflate" else gzip.compress
    assert sums(infer(rows, pack(SOUND), ("Content-Encoding", name))) == [10.0]


def test_the_length_of_the_json_is_that_before_packing(rows: Host) -> None:
    body = binary()
    head = (LENGTH, str(len(body) - 16))
    response = infer(rows, gzip.compress(body), head, GZIP)
    assert response.status == 200, response.body
    assert struct.unpack("<f", response.body[int(response.get(LENGTH) or 0):]) == (10.0,)
    assert infer(rows, zlib.compress(body), (LENGTH, str(len(body) + 1)), DEFLATE).status == 400


def test_packed_and_in_chunks(rows: Host) -> None:
    body = gzip.compress(SOUND)
    pieces = [body[i:i + 3] for i in range(0, len(body), 3)]
    response = rows.ask(
        "POST", INFER, chunked(*pieces), [GZIP, ("Transfer-Encoding", "chunked")]
    )
    assert sums(response) == [10.0]


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, gzip", "gzip, identity", "*"])
def test_others_are_refused_and_told_what_is_understood(rows: Host, name: str) -> None:
    response = infer(rows, gzip.compress(SOUND), ("Content-Encoding", name))
    assert response.status == 415
    assert response.get("accept-encoding") == "gzip, deflate"
    told = error(response)
    assert f"'{name}'" in told and "gzip, deflate" in told


def test_two_fields_are_two_codings(rows: Host) -> None:
    assert infer(rows, gzip.compress(SOUND), GZIP, GZIP).status == 415


@pytest.mark.parametrize(
    ("field", "body"),
    [
        (GZIP, b""), (GZIP, SOUND), (GZIP, zlib.compress(SOUND)), (GZIP, b"\x1f\x8b"),
        (GZIP, gzip.compress(SOUND)[:-1]), (GZIP, gzip.compress(SOUND)[:30]),
        (GZIP, gzip.compress(SOUND) + b"\0"), (DEFLATE, b""), (DEFLATE, gzip.compress(SOUND)),
        (DEFLATE, zlib.compress(SOUND)[:-1]), (DEFLATE, zlib.compress(SOUND) + b"\0"),
    ],
    ids=range(11),  # what gzip makes has the time in it
)
def test_what_is_broken_is_refused(rows: Host, field: tuple[str, str], body: bytes) -> None:
    response = infer(rows, body, field)
    assert response.status == 400
    error(response)
    assert sums(infer(rows, gzip.compress(SOUND), GZIP)) == [10.0]


def test_what_is_in_it_is_checked_as_ever(rows: Host) -> None:
    response = infer(rows, gzip.compress(b'{"inputs": []}'), GZIP)
    assert response.status == 400 and '"x"' in error(response)


def bomb(size: int) -> bytes:
    """A body that packs so many blanks."""
    stream = zlib.compressobj(1, wbits=31)
    blank = b" " * 1_000_000
    made = [stream.compress(blank) for _ in range(size // len(blank))]
    return b"".join((*made, stream.flush()))


def test_a_bomb_is_refused_and_takes_no_memory(host: Make) -> None:
    server = host("v2_rows.py")
    small = gzip.compress(b" " * LIMIT)
    assert infer(server, small, GZIP).status == 400, "that is allowed, and no request"
    before = sum(map(server.memory_kb, server.scorers()))
    large = bomb(300_000_000)
    assert len(large) < 2_000_000
    for _ in range(3):
        response = infer(server, large, GZIP)
        assert response.status == 413
        assert str(LIMIT) in error(response)
    after = sum(map(server.memory_kb, server.scorers()))
    assert after < before + 3 * LIMIT // 1024, (before, after)
    assert sums(infer(server, gzip.compress(SOUND), GZIP)) == [10.0]


def test_the_hosts_own_limit_is_one_for_what_is_unpacked_too(host: Make) -> None:
    server = host("v2_rows.py", "--max_body_bytes", "1000")
    assert sums(infer(server, gzip.compress(SOUND + b" " * (1000 - len(SOUND))), GZIP)) == [10.0]
    response = infer(server, gzip.compress(SOUND + b" " * 1000), GZIP)
    assert response.status == 413 and "1000" in error(response)


def test_large_bodies_of_many_clients(rows: Host) -> None:
    def ask(number: int) -> Response:
        count = 4000
        x = np.full((count, 4), number, "float32")
        n = np.zeros((count, 1), "int8")
        head = json.dumps({
            "inputs": [
                {"name": "x", "datatype": "FP32", "shape": [count, 4],
                 "parameters": {"binary_data_size": x.nbytes}},
                {"name": "n", "datatype": "INT8", "shape": [count, 1],
                 "parameters": {"binary_data_size": n.nbytes}},
            ],
            "outputs": [{"name": "sum", "parameters": {"binary_data": True}}],
        }).encode()
        body = gzip.compress(head + x.tobytes() + n.tobytes(), 1)
        response = infer(rows, body, GZIP, (LENGTH, str(len(head))))
        assert response.status == 200, response.body
        found = np.frombuffer(response.body[int(response.get(LENGTH) or 0):], "float32")
        assert found.tolist() == [4.0 * number] * count
        return response

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))


@pytest.mark.parametrize("packed", ["gzip", "deflate"])
@pytest.mark.parametrize("binary_data", [True, False], ids=["binary", "json"])
def test_tritonclient_packs(rows: Host, packed: str, binary_data: bool) -> None:
    client: Any = triton.InferenceServerClient(f"127.0.0.1:{rows.port}")
    x = triton.InferInput("x", [2, 4], "FP32")
    x.set_data_from_numpy(np.arange(8, dtype="float32").reshape(2, 4), binary_data=binary_data)
    n = triton.InferInput("n", [2, 1], "INT8")
    n.set_data_from_numpy(np.array([[1], [2]], "int8"), binary_data=binary_data)
    result = client.infer(
        "v2_rows", [x, n], request_compression_algorithm=packed,
        response_compression_algorithm=packed,
    )
    assert result.as_numpy("sum").tolist() == [[7.0], [24.0]]
    client.close()


def test_a_client_that_leaves_in_the_middle_of_it(rows: Host) -> None:
    body = gzip.compress(os.urandom(1_000_000))
    whole = request("POST", INFER, body, [GZIP])
    for cut in (len(whole) // 2, len(whole) - 1):
        with rows.connect() as connection:
            connection.send(whole[:cut]).reset()
    assert sums(infer(rows, gzip.compress(SOUND), GZIP)) == [10.0]


def test_score_takes_bodies_as_they_are(rows: Host) -> None:
    response = rows.post(gzip.compress(b'{"x": [[1, 2, 3, 4]], "n": [[0]]}'), GZIP)
    assert response.status == 400 and response.message
