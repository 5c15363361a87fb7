"""Models of other people's libraries, batched, under many clients: what they answer alone.

Bit for bit where the library promises that (trees); where it multiplies
matrices, whose sums are of another order for another number of rows, to a few
of the last digits.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from .conftest import Make
from .host import Host
from .wire import until

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

CLIENTS = 8
TURNS = 20


def ask(client: Any, model: str, x: Any, binary: bool = True) -> dict[str, Any]:
    """The outputs for some rows."""
    given = triton.InferInput("x", list(x.shape), "FP64" if x.dtype == "float64" else "FP32")
    given.set_data_from_numpy(x, binary_data=binary)
    result = client.infer(model, [given])
    names = [output["name"] for output in result.get_response()["outputs"]]
    return {name: result.as_numpy(name) for name in names}


def at_once(server: Host, model: str, rows: Any) -> list[tuple[Any, dict[str, Any]]]:
    """What many clients ask at the same time, each for rows of its own, and get."""

    def work(number: int) -> list[tuple[Any, dict[str, Any]]]:
        chance = np.random.default_rng(number)
        client = triton.InferenceServerClient(
            f"127.0.0.1:{server.port}", network_timeout=120.0, connection_timeout=120.0
        )
        found = []
        for turn in range(TURNS):
            count = int(chance.choice([1, 1, 1, 2, 7, 40]))
            places = chance.integers(0, len(rows), count)
            found.append((places, ask(client, model, rows[places], binary=turn % 3 != 0)))
        client.close()
        return found

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [one for some in pool.map(work, range(CLIENTS)) for one in some]


def alone(server: Host, model: str, rows: Any) -> dict[str, Any]:
    """What each row gets that is asked for by itself, with nobody beside it."""
    client = triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=120.0)
    found = [ask(client, model, rows[i:i + 1]) for i in range(len(rows))]
    client.close()
    return {name: np.concatenate([item[name] for item in found]) for name in found[0]}


def batches_of(server: Host, model: str) -> list[int]:
    """How many rows the calls of run() had."""
    (told,) = server.ask("GET", f"/v2/models/{model}/stats").json["model_stats"]
    return [batch["batch_size"] for batch in told["batch_stats"]]


@pytest.mark.kinds("process", why="the test names its kind: scikit-learn in worker processes")
def test_scikit_learn_in_two_processes(host: Make) -> None:
    server = host("sklearn_batched.py", "--worker_count", "2", wait=False, life_s=600.0)
    server.wait_ready(2)
    rows = np.random.default_rng(3).uniform(0.1, 8.0, (60, 4))
    wanted = alone(server, "sklearn_batched", rows)
    workers = set()

    def have_both_worked() -> bool:
        for places, found in at_once(server, "sklearn_batched", rows):
            assert np.array_equal(found["label"], wanted["label"][places])
            assert found["forest"].tobytes() == wanted["forest"][places].tobytes(), "bit for bit"
            np.testing.assert_allclose(found["line"], wanted["line"][places], rtol=1e-12)
            workers.update(found["where"].tolist())
        return len(workers) == 2

    until("both have worked", have_both_worked)
    assert max(batches_of(server, "sklearn_batched")) > 1


@pytest.mark.kinds("thread", why="the test names its kind: one session for all threads")
@pytest.mark.parametrize("workers", [2, 3])
def test_onnxruntime_in_threads_that_share_a_session(host: Make, workers: int) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel for this Python")
    server = host("onnx_batched.py", "--worker_count", str(workers), "--share_module", life_s=600.0)
    check_onnx(server, workers)


@pytest.mark.kinds("process", why="the test names its kind: a session in each process")
def test_onnxruntime_in_a_process(host: Make) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime has no wheel for this Python")
    check_onnx(host("onnx_batched.py", life_s=600.0), 1)


def check_onnx(server: Host, workers: int) -> None:
    rows = np.random.default_rng(4).standard_normal((60, 16)).astype("float32")
    wanted = alone(server, "onnx_batched", rows)
    threads, sessions = set(), set()

    def have_all_worked() -> bool:
        for places, found in at_once(server, "onnx_batched", rows):
            np.testing.assert_allclose(found["y"], wanted["y"][places], rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(found["y"].sum(axis=1), 1.0, rtol=1e-5)
            sessions.update(found["where"][:, 0].tolist())
            threads.update(found["where"][:, 1].tolist())
        return len(threads) == workers

    until("all have worked", have_all_worked)
    assert len(sessions) == 1, "one session for all"
    assert max(batches_of(server, "onnx_batched")) > 1
