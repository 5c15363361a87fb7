"""Arrays in the memory of a GPU: there, back, in time, and what happens without one.

The GPU is tests/cudart/fake_cudart.c: a library with CUDA's functions that
does what a GPU does, later and in an order drawn by lot, so that whoever reads
too early gets wrong numbers. What it cannot show is measured by benchmarks/gpu.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cudart as fake
import pytest

from .conftest import Make
from .host import Host
from .remote import Farm, farms
from .wire import request, until

pytestmark = pytest.mark.kinds("process", why="a GPU is used by worker processes")

JSON = ("Content-Type", "application/json")
COUNTS = (
    "blocks registrations streams events uploads downloads waits host_calls bytes pageable heard "
    "runs"
)


@pytest.fixture(scope="session")
def cudart(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library, compiled."""
    return fake.build(tmp_path_factory.mktemp("cudart"))


@pytest.fixture
def farm(host: Make, tmp_path: Path) -> Iterator[Farm]:
    """Somewhere for a host and its remote workers."""
    yield from farms(host, tmp_path)


@pytest.fixture
def server(host: Make, cudart: str) -> Host:
    return host("device.py", env={"SCOREHOST_CUDART": cudart})


def score(x: list[list[float]], names: list[str] | None = None) -> bytes:
    body = {"x": x, "names": names or [str(i) for i in range(len(x))]}
    return request(body=json.dumps(body).encode(), headers=[JSON])


def rows(*first: float) -> list[list[float]]:
    return [[number, number + 0.5, 3.0, 4.0] for number in first]


def wanted(x: list[list[float]], kind: str = "DeviceTensor") -> dict[str, Any]:
    return {
        "y": [[2 * item + 1 for item in row] for row in x],
        "told": [f"{kind} {i}" for i in range(len(x))],
    }


def answer(server: Host, x: list[list[float]]) -> Any:
    response = server.raw(score(x))
    assert response.status == 200, response
    return response.json


def test_there_and_back(server: Host) -> None:
    for count in (1, 3, 8, 2):
        x = rows(*range(count))
        assert answer(server, x) == wanted(x)


def test_more_rows_than_one_batch(server: Host) -> None:
    x = rows(*range(30))
    assert answer(server, x) == wanted(x)


def test_in_binary(server: Host) -> None:
    import numpy as np
    import tritonclient.http as http

    client = http.InferenceServerClient(f"127.0.0.1:{server.port}")
    x = np.arange(20, dtype="float32").reshape(5, 4)
    given = [http.InferInput("x", [5, 4], "FP32"), http.InferInput("names", [5], "BYTES")]
    given[0].set_data_from_numpy(x)
    given[1].set_data_from_numpy(np.array([b"a"] * 5, dtype=object))
    found = client.infer("device", given)
    assert np.array_equal(found.as_numpy("y"), 2 * x + 1)
    assert found.as_numpy("told").tolist() == [b"DeviceTensor a"] * 5


@pytest.mark.parametrize("delay_us", [0, 300])
def test_many_clients_each_get_their_own_rows(host: Make, cudart: str, delay_us: int) -> None:
    server = host(
        "device.py",
        env={"SCOREHOST_CUDART": cudart, "FAKE_CUDART_DELAY_US": str(delay_us)},
    )

    def client(number: int) -> None:
        chance = random.Random(number)
        with server.connect() as connection:
            for _ in range(12):
                x = rows(*(chance.randint(0, 9999) for _ in range(chance.choice([1, 1, 2, 5, 9]))))
                response = connection.send(score(x)).response()
                assert response.status == 200, response
                assert response.json == wanted(x)

    with ThreadPoolExecutor(12) as pool:
        for done in [pool.submit(client, number) for number in range(12)]:
            done.result()


def test_one_copy_there_and_one_back(host: Make, cudart: str) -> None:
    """For each input, and for all outputs; memory is registered when it grows."""
    server = host("device_counts.py", copies=("device.py",), env={"SCOREHOST_CUDART": cudart})

    def ask(count: int, width: int) -> dict[str, int]:
        body = {"a": [[float(i)] * width for i in range(count)], "b": list(range(count))}
        response = server.raw(request(body=json.dumps(body).encode(), headers=[JSON]))
        found = response.json
        assert found["a"] == body["a"] and found["b"] == body["b"]
        return dict(zip(COUNTS.split(), found["counts"][0]))

    ask(64, 100)
    for _ in range(3):
        ask(64, 100)  # each slot has been used
    before = ask(64, 100)
    for i in range(30):
        ask(1 + i * 2, 100 - i)
    after = ask(64, 100)
    assert after["uploads"] - before["uploads"] == 2 * 31
    assert after["downloads"] - before["downloads"] == 31
    assert after["pageable"] == 0
    for name in ("blocks", "registrations", "streams", "events", "bytes"):
        assert after[name] == before[name], name


def test_a_full_batch_goes_while_another_is_computed(host: Make, cudart: str) -> None:
    """And a small one does not: it would be larger a moment later."""
    server = host(
        "device_counts.py",
        copies=("device.py",),
        env={"SCOREHOST_CUDART": cudart, "FAKE_CUDART_DELAY_US": "20000"},
    )

    def under_way(count: int) -> int:
        """How many runs had not landed when run() was called for so many rows, itself included."""
        body = {"a": [[1.0]] * count, "b": [0] * count}
        response = server.raw(request(body=json.dumps(body).encode(), headers=[JSON]))
        found = dict(zip(COUNTS.split(), response.json["counts"][0]))
        return found["runs"] - found["heard"]

    for count, most in ((64, {1, 2}), (5, {1})):
        with ThreadPoolExecutor(6) as pool:
            found = list(pool.map(under_way, [count] * 12))
        assert set(found) == most, (count, found)


def test_a_bad_row_fails_alone(server: Host) -> None:
    """And what run() wrote to its input before it raised is not seen by the next try."""
    x = rows(5.0, 6.0, -1.0, 7.0)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: server.raw(score([row])), x * 4))
    for row, response in zip(x * 4, found):
        if row[0] == -1.0:
            assert response.status == 500
        else:
            assert (response.status, response.json) == (200, wanted([row]))


def test_a_bad_output_fails_alone(host: Make, cudart: str) -> None:
    """Seen when it is here; nothing had gone to the GPU before."""
    server = host("device_bytes.py", env={"SCOREHOST_CUDART": cudart})

    def ask(text: str) -> tuple[int, Any]:
        body = json.dumps({"texts": [text]}).encode()
        response = server.raw(request(body=body, headers=[JSON]))
        return response.status, response.json

    first = server.scorers()
    with ThreadPoolExecutor(6) as pool:
        for text, (status, found) in zip(["good", "bad"] * 12, pool.map(ask, ["good", "bad"] * 12)):
            assert status == (200 if text == "good" else 500), found
            assert text == "bad" or found == [True]
    assert server.scorers() == first


def test_what_run_wrote_to_its_input_has_no_end(host: Make, cudart: str) -> None:
    """With a gradient PyTorch would remember it in the tensor that all batches are cut from."""
    server = host(
        "device_torch.py", copies=("device.py", "torch_stand_in"), env={"SCOREHOST_CUDART": cudart}
    )
    for count in (1, 3, 8, 3, 1, 8, 8, 2):
        body = json.dumps({"x": rows(*range(count))}).encode()
        response = server.raw(request(body=body, headers=[JSON]))
        assert response.json == [[item + 1 for item in row] for row in rows(*range(count))]


def test_outputs_in_memory_that_run_uses_again(host: Make, cudart: str) -> None:
    """As a CUDA graph does: the next batch must not come before the last one's outputs left."""
    server = host(
        "device_static.py", copies=("device.py",),
        env={"SCOREHOST_CUDART": cudart, "FAKE_CUDART_DELAY_US": "300"},
    )

    def client(number: int) -> None:
        with server.connect() as connection:
            for i in range(12):
                x = rows(*(1000.0 * number + i for _ in range(8)))
                body = json.dumps({"x": x}).encode()
                response = connection.send(request(body=body, headers=[JSON])).response()
                assert response.json["y"] == [[2 * item + 1 for item in row] for row in x]
                assert response.json["n"] == [[int(x[0][0])]] * 8

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(client, number) for number in range(6)]:
            done.result()


def test_long_rows_take_no_memory_for_many(host: Make, cudart: str) -> None:
    """Memory that many short rows had does not become as many long ones."""
    server = host("device_counts.py", copies=("device.py",), env={"SCOREHOST_CUDART": cudart})

    def ask(count: int, width: int) -> int:
        body = {"a": [[1.0] * width] * count, "b": [0] * count}
        response = server.raw(request(body=json.dumps(body).encode(), headers=[JSON]))
        return int(dict(zip(COUNTS.split(), response.json["counts"][0]))["bytes"])

    for _ in range(4):
        ask(64, 1)
    width = 100_000
    assert max(ask(1, width) for _ in range(4)) < 3 * 3 * 4 * width


def test_too_few_rows(server: Host) -> None:
    assert server.raw(score(rows(-3.0, 1.0))).status == 500
    assert answer(server, rows(1.0)) == wanted(rows(1.0))


def test_a_gpu_that_breaks_is_a_new_worker(server: Host) -> None:
    first = server.scorers()
    assert server.raw(score(rows(-2.0))).status == 500
    until("there is another worker", lambda: server.scorers() not in ([], first))
    server.wait_ready()
    until("it serves", lambda: server.raw(score(rows(1.0))).status == 200)
    assert answer(server, rows(4.0)) == wanted(rows(4.0))
    assert any("an illegal memory access" in line.raw for line in server.lines("stdout"))


def test_also_where_the_script_heeds_sigterm(host: Make, cudart: str) -> None:
    server = host("device.py", env={"SCOREHOST_CUDART": cudart, "IGNORE_SIGTERM": "1"})
    first = server.scorers()
    assert server.raw(score(rows(-2.0))).status == 500
    until("there is another worker", lambda: server.scorers() not in ([], first))
    until("it serves", lambda: server.raw(score(rows(1.0))).status == 200)


def test_also_on_another_machine(farm: Farm, cudart: str) -> None:
    """A remote worker's answer is sent before it is replaced."""
    server = farm.start(script="device.py", env={"SCOREHOST_CUDART": cudart})
    worker = farm.join("w", script="device.py")
    assert answer(server, rows(1.0)) == wanted(rows(1.0))
    assert server.raw(score(rows(-2.0))).status == 500
    worker.wait_joined(2)
    until("it serves", lambda: server.raw(score(rows(1.0))).status == 200)
    assert worker.stop() == 0


def test_bad_input(server: Host) -> None:
    response = server.raw(score([[1.0, 2.0]]))
    assert response.status == 400 and "[1,2]" in response.message
    response = server.raw(request(body=b'{"x": [[1, 2, 3, "4"]], "names": ["a"]}', headers=[JSON]))
    assert response.status == 400
    assert answer(server, rows(1.0)) == wanted(rows(1.0))


def test_a_full_gpu(host: Make, cudart: str) -> None:
    server = host(
        "device.py", env={"SCOREHOST_CUDART": cudart, "FAKE_CUDART_MEMORY": "1000"}
    )
    response = server.raw(score(rows(1.0)))
    assert response.status == 503 and "out of memory" in response.message


def test_memory_that_cannot_be_registered(host: Make, cudart: str) -> None:
    server = host(
        "device.py", env={"SCOREHOST_CUDART": cudart, "FAKE_CUDART_NO_REGISTER": "1"}
    )
    assert answer(server, rows(1.0, 2.0)) == wanted(rows(1.0, 2.0))


@pytest.mark.parametrize(
    "env, why",
    [
        ({"SCOREHOST_CUDART": "{app}/no-such-library.so"}, "not installed"),
        ({"FAKE_CUDART_DEVICES": "0"}, "no CUDA-capable device"),
    ],
)
def test_without_a_gpu(host: Make, cudart: str, env: dict[str, str], why: str) -> None:
    server = host("device.py", env={"SCOREHOST_CUDART": cudart, **env})
    assert answer(server, rows(1.0, 2.0)) == wanted(rows(1.0, 2.0), kind="ndarray")
    told = [line for line in server.lines("stdout") if "no GPU" in line.raw]
    assert len(told) == 1 and why in told[0].text, told
    assert told[0].level == "W"


def test_get_goes_the_long_way(server: Host) -> None:
    response = server.ask("GET", "/score?x=1")
    assert response.status == 400
