"""What else tritonclient can ask for: classes, ids, parameters, many at once, asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.http import aio
from tritonclient.utils import InferenceServerException

from .conftest import Make
from .host import Host

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

MODEL = "v2_rows"


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("v2_rows.py", "--worker_count", "2", wait=False, life_s=600.0).wait_ready(2)


@pytest.fixture(scope="module")
def client(server: Host) -> Iterator[Any]:
    made = triton.InferenceServerClient(
        f"127.0.0.1:{server.port}", concurrency=8, network_timeout=60.0, connection_timeout=60.0
    )
    yield made
    made.close()


def inputs(count: int = 1, first: float = 1.0, binary: bool = True, of: Any = triton) -> list[Any]:
    """Rows of (first, 1, 1, 1), to which 0 is added."""
    rows = np.ones((count, 4), "float32")
    rows[:, 0] = first
    x = of.InferInput("x", [count, 4], "FP32")
    x.set_data_from_numpy(rows, binary_data=binary)
    n = of.InferInput("n", [count, 1], "INT8")
    n.set_data_from_numpy(np.zeros((count, 1), "int8"), binary_data=binary)
    return [x, n]


def wish(name: str, **how: Any) -> Any:
    return triton.InferRequestedOutput(name, **how)


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_classes(client: Any, binary: bool) -> None:
    wishes = [wish("sorts", class_count=2, binary_data=binary), wish("sum")]
    result = client.infer(MODEL, inputs(3), outputs=wishes)
    told = result.get_output("sorts")
    assert (told["datatype"], told["shape"]) == ("BYTES", [3, 2])
    found = [item if isinstance(item, str) else item.decode() for item in
             result.as_numpy("sorts").ravel()]
    assert [text.split(":")[1:] for text in found] == [["0", "a"], ["1", "b"]] * 3
    assert {float(text.split(":")[0]) for text in found} == {1.0}
    assert result.as_numpy("sum").tolist() == [[4.0]] * 3


def test_more_classes_than_there_are(client: Any) -> None:
    result = client.infer(MODEL, inputs(), outputs=[wish("sorts", class_count=50)])
    assert result.as_numpy("sorts").shape == (1, 3)


def test_outputs_in_the_order_that_is_asked_for(client: Any) -> None:
    for names in (["sum"], ["sorts"], ["sorts", "sum"], ["sum", "sorts"]):
        result = client.infer(MODEL, inputs(), outputs=[wish(name) for name in names])
        assert [item["name"] for item in result.get_response()["outputs"]] == names
    assert client.infer(MODEL, inputs(), outputs=[wish("sum")]).as_numpy("sorts") is None


@pytest.mark.parametrize(
    "more",
    [
        {"request_id": "i-\u00e9"}, {"priority": 7}, {"timeout": 5_000_000}, {"sequence_id": 12},
        {"sequence_id": "a", "sequence_start": True, "sequence_end": True},
        {"parameters": {"text": "a", "number": 1, "yes": True, "part": 0.5}},
        {"headers": {"X-Request-Id": "from-a-header"}}, {"query_params": {"a": 1, "b": "c"}},
        {"model_version": "1"}, {"model_version": ""},
        {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"},
        {"request_compression_algorithm": "deflate", "response_compression_algorithm": "deflate"},
    ],
    ids=lambda more: "-".join(more),
)
def test_all_that_a_request_may_have(client: Any, more: dict[str, Any]) -> None:
    result = client.infer(MODEL, inputs(2), **more)
    assert result.as_numpy("sum").tolist() == [[4.0], [4.0]]
    assert result.get_response().get("id", "") == more.get("request_id", "")
    for name, value in more.get("parameters", {}).items():
        assert result.get_response()["parameters"][name] == value


def test_many_at_once(client: Any) -> None:
    packed = [None, "gzip", "deflate"]
    waiting = [
        client.async_infer(
            MODEL, inputs(1 + i % 5, float(i), binary=i % 2 == 0), request_id=str(i),
            request_compression_algorithm=packed[i % 3],
        )
        for i in range(80)
    ]
    for i, later in enumerate(waiting):
        result = later.get_result()
        assert result.get_response()["id"] == str(i)
        assert result.as_numpy("sum").tolist() == [[i + 3.0]] * (1 + i % 5)


def test_asyncio(server: Host) -> None:
    async def ask() -> None:
        async with aio.InferenceServerClient(f"127.0.0.1:{server.port}") as client:
            assert await client.is_server_live() and await client.is_model_ready(MODEL)
            results = await asyncio.gather(*(
                client.infer(MODEL, inputs(1 + i % 3, float(i), of=aio), request_id=str(i))
                for i in range(40)
            ))
            for i, result in enumerate(results):
                assert result.get_response()["id"] == str(i)
                assert result.as_numpy("sum").tolist() == [[i + 3.0]] * (1 + i % 3)
            told = await client.get_inference_statistics(MODEL)
            assert told["model_stats"][0]["inference_count"] >= 40

    asyncio.run(ask())


def test_bodies_that_are_made_and_read_apart(server: Host) -> None:
    body, length = triton.InferenceServerClient.generate_request_body(inputs(2))
    fields = [("Inference-Header-Content-Length", str(length))] if length else []
    response = server.ask("POST", f"/v2/models/{MODEL}/infer", body, fields)
    assert response.status == 200
    json_bytes = response.get("inference-header-content-length")
    result = triton.InferenceServerClient.parse_response_body(
        response.body, header_length=int(json_bytes) if json_bytes else None
    )
    assert result.as_numpy("sum").tolist() == [[4.0], [4.0]]


def test_statistics_grow_by_what_is_asked(client: Any) -> None:
    def counts() -> tuple[int, int]:
        (told,) = client.get_inference_statistics(MODEL, "1")["model_stats"]
        return told["inference_count"], told["inference_stats"]["fail"]["count"]

    before = counts()
    client.infer(MODEL, inputs(3))
    with pytest.raises(InferenceServerException):
        client.infer(MODEL, inputs(1, -1.0))
    assert counts() == (before[0] + 3, before[1] + 1)


def test_the_configuration(client: Any) -> None:
    told = client.get_model_config(MODEL, "1")
    assert (told["name"], told["max_batch_size"], told["dynamic_batching"]) == (MODEL, 8, {})
    assert [(item["name"], item["data_type"], item["dims"]) for item in told["input"]] == [
        ("x", "TYPE_FP32", [4]), ("n", "TYPE_INT8", [1])]


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (lambda client: client.infer("other", inputs()), "404"),
        (lambda client: client.infer(MODEL, inputs(), model_version="2"), "404"),
        (lambda client: client.infer(MODEL, inputs()[:1]), "400"),
        (lambda client: client.infer(MODEL, inputs(), outputs=[wish("z")]), "400"),
        (lambda client: client.infer(MODEL, inputs(1, -1.0)), "500"),
        (lambda client: client.get_model_metadata("other"), "404"),
        (lambda client: client.get_model_repository_index(), "404"),
        (lambda client: client.load_model(MODEL), "404"),
        (lambda client: client.unload_model(MODEL), "404"),
        (lambda client: client.get_trace_settings(), "404"),
        (lambda client: client.get_log_settings(), "404"),
        (lambda client: client.get_system_shared_memory_status(), "404"),
        (lambda client: client.register_system_shared_memory("r", "/r", 16), "404"),
    ],
)
def test_refusals_come_as_its_own_exception(client: Any, ask: Any, status: str) -> None:
    with pytest.raises(InferenceServerException) as caught:
        ask(client)
    assert caught.value.status() == status and caught.value.message()


def test_shared_memory(client: Any) -> None:
    x, n = inputs()
    x.set_shared_memory("region", 16)
    with pytest.raises(InferenceServerException, match="shared memory"):
        client.infer(MODEL, [x, n])
    out = wish("sum")
    out.set_shared_memory("region", 16)
    with pytest.raises(InferenceServerException, match="shared memory"):
        client.infer(MODEL, inputs(), outputs=[out])
