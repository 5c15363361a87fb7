"""tritonclient, as PyPI has it, asks a model for every datatype, in JSON and in binary."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from .conftest import Make
from .host import Host

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

MODEL = "v2_types"
SHAPE = (2, 3)

#: What each datatype has at its edges.
VALUES: dict[str, list[Any]] = {
    "BOOL": [True, False, True, True, False, False],
    "UINT8": [0, 1, 2, 127, 254, 255],
    "UINT16": [0, 1, 2, 32768, 65534, 65535],
    "UINT32": [0, 1, 2, 2**31, 2**32 - 2, 2**32 - 1],
    "UINT64": [0, 1, 2, 2**53 + 1, 2**63, 2**64 - 1],
    "INT8": [-128, -127, -1, 0, 126, 127],
    "INT16": [-(2**15), -1, 0, 1, 2**15 - 2, 2**15 - 1],
    "INT32": [-(2**31), -1, 0, 1, 2**31 - 2, 2**31 - 1],
    "INT64": [-(2**63), -(2**53) - 1, 0, 1, 2**53 + 1, 2**63 - 1],
    "FP16": [0.0, -1.5, 65504.0, 6e-08, 0.1, -0.0],
    "BF16": [0.0, -1.5, 3e38, 1e-38, 0.1, 7.0],
    "FP32": [0.0, -1.5, 3.4028235e38, 1e-45, 0.1, 1 / 3],
    "FP64": [0.0, -1.5, 1.7976931348623157e308, 5e-324, 0.1, 1 / 3],
    "BYTES": [b"", b"text", "\u00e4\u20ac\U0001f600".encode(), b"\"\\/\n", b"a" * 300, b"0"],
}

ONLY_BINARY = ("BF16",)


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("v2_types.py")


@pytest.fixture(scope="module")
def client(server: Host) -> Iterator[Any]:
    made = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield made
    made.close()


def values(datatype: str) -> Any:
    """An array of a datatype."""
    dtype = triton_to_np_dtype(datatype)
    return np.array(VALUES[datatype], dtype=dtype).reshape(SHAPE)


def inputs(binary: bool) -> list[Any]:
    """All inputs; those that have no form in JSON are binary all the same."""
    made = []
    for datatype in VALUES:
        tensor = triton.InferInput(datatype.lower(), list(SHAPE), datatype)
        as_bytes = binary or datatype in ONLY_BINARY
        tensor.set_data_from_numpy(values(datatype), binary_data=as_bytes)
        made.append(tensor)
    return made


@pytest.mark.parametrize("binary_out", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("binary_in", [True, False], ids=["from-binary", "from-json"])
@pytest.mark.parametrize("datatype", VALUES)
def test_every_datatype_goes_both_ways(
    client: Any, datatype: str, binary_in: bool, binary_out: bool
) -> None:
    name = datatype.lower() + "_too"
    as_bytes = binary_out or datatype in ONLY_BINARY
    wish = triton.InferRequestedOutput(name, binary_data=as_bytes)
    result = client.infer(MODEL, inputs(binary_in), outputs=[wish], request_id="r-1")
    assert result.get_response()["id"] == "r-1"
    told = result.get_output(name)
    assert (told["datatype"], told["shape"]) == (datatype, list(SHAPE))
    found = result.as_numpy(name)
    wanted = values(datatype)
    if datatype == "BYTES":
        texts = [text if isinstance(text, bytes) else text.encode() for text in found.flat]
        assert texts == list(wanted.flat)
    else:
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()


def test_all_outputs_at_once(client: Any) -> None:
    result = client.infer(MODEL, inputs(binary=True))
    told = [output["name"] for output in result.get_response()["outputs"]]
    assert told == [datatype.lower() + "_too" for datatype in VALUES]


def test_what_it_asks_about_the_server_and_the_model(client: Any) -> None:
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready(MODEL) and client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "scorehost"
    told = client.get_model_metadata(MODEL)
    assert [item["datatype"] for item in told["inputs"]] == list(VALUES)
    assert client.get_model_config(MODEL)["max_batch_size"] == 0
    (stats,) = client.get_inference_statistics(MODEL)["model_stats"]
    assert stats["name"] == MODEL


def test_what_it_is_told_of_a_mistake(client: Any) -> None:
    given = inputs(binary=True)[1:]
    with pytest.raises(InferenceServerException, match="bool") as caught:
        client.infer(MODEL, given)
    assert caught.value.status() == "400"
