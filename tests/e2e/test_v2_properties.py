"""Whatever tensors are sent, and however: run() sees what NumPy reads, and gives back the same.

Hypothesis makes the arrays, the text that they are written as, and the way
that the bytes take: in one piece or many, in chunks, packed. More of it with
PROPERTY_EXAMPLES=2000.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from .conftest import Make
from .host import Host
from .wire import Connection, Response, chunked, request

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

LENGTH = "Inference-Header-Content-Length"
PATH = "/v2/models/echo_tensors/infer"

#: What NumPy calls them; BF16 is its bits.
DTYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64",
    "INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64",
    "FP16": "float16", "BF16": "uint16", "FP32": "float32", "FP64": "float64", "BYTES": "object",
}
RANKS = (0, 1, 2, 4)
Servers = Callable[[str], Host]

bounded = settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "25")), deadline=None, database=None,
    derandomize="CI" in os.environ, suppress_health_check=list(HealthCheck),
)


# The servers


@pytest.fixture(scope="module", params=RANKS, ids=lambda rank: f"rank-{rank}")
def server(module_host: Make, request: pytest.FixtureRequest) -> Host:
    """One that takes a tensor of each datatype, all of one rank."""
    shape = [-1] * request.param
    declared = {name.lower(): [name, shape] for name in DTYPES}
    return module_host("echo_tensors.py", env={"TENSORS": json.dumps(declared)}, life_s=1800.0)


@pytest.fixture(scope="module")
def servers(module_host: Make) -> Servers:
    """Those that take one tensor of a datatype, with rows of three."""

    @functools.cache
    def server(datatype: str) -> Host:
        declared = json.dumps({"x": [datatype, [-1, 3]]})
        return module_host("echo_tensors.py", env={"TENSORS": declared}, life_s=1800.0)

    return server


@pytest.fixture
def wire(server: Host) -> Iterator[Connection]:
    with server.connect() as connection:
        yield connection


# What is sent


@st.composite
def tensors(draw: st.DrawFn, datatype: str, rank: int) -> Any:
    """An array of a datatype; elements of BYTES are bytes, or text where JSON is to hold them."""
    shape = draw(arrays.array_shapes(min_dims=rank, max_dims=rank, min_side=0, max_side=5)
                 if rank else st.just(()))
    if datatype != "BYTES":
        return draw(arrays.arrays(DTYPES[datatype], shape))
    return draw(arrays.arrays("object", shape, elements=st.binary(max_size=12)))


@st.composite
def texts(draw: st.DrawFn, array: Any) -> Any:
    """An array of BYTES whose elements JSON can hold."""
    characters = st.characters(exclude_categories=["Cs"])
    made = draw(arrays.arrays("object", array.shape, elements=st.text(characters, max_size=8)))
    return each(str.encode, made)


def each(function: Callable[[Any], Any], array: Any) -> Any:
    """An array of what a function makes of each element."""
    made = np.empty(array.shape, "object")
    for place in np.ndindex(array.shape):
        made[place] = function(array[place])
    return made


def written(array: Any) -> Any:
    """The elements as JSON has them, in lists in each other."""
    return each(bytes.decode, array).tolist() if array.dtype == object else array.tolist()


def packed_bytes(array: Any) -> bytes:
    """The elements as they lie in binary data."""
    if array.dtype != object:
        return bytes(array.tobytes())
    return b"".join(struct.pack("<I", len(item)) + item for item in array.ravel().tolist())


@dataclass
class Asked:
    """An infer request in the making."""

    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    binary: bytes

    def bodies(self, indent: int | None) -> tuple[bytes, int]:
        """The body, and how much of it is JSON."""
        head = json.dumps({"inputs": self.inputs, "outputs": self.outputs}, indent=indent).encode()
        return head + self.binary, len(head)


@st.composite
def asked(draw: st.DrawFn, given_arrays: dict[str, Any]) -> Asked:
    """Some inputs in JSON, nested or flat, and some in binary; outputs likewise."""
    made = Asked([], [], b"")
    for name in draw(st.permutations(list(given_arrays))):
        array = given_arrays[name]
        head = {"name": name.lower(), "datatype": name, "shape": list(array.shape)}
        form = draw(st.sampled_from(["binary", "flat", "nested"]))
        if name == "BF16" or form == "binary":
            data = packed_bytes(array)
            head["parameters"] = {"binary_data_size": len(data)}
            made.binary += data
        else:
            if name == "BYTES":
                array = given_arrays[name] = draw(texts(array))
            lists = written(array)
            head["data"] = lists if form == "nested" and array.ndim else written(array.ravel())
        made.inputs.append(head)
    for name in draw(st.permutations(list(given_arrays))):
        as_json = name not in ("BF16", "BYTES") and draw(st.booleans())
        made.outputs.append(
            {"name": name.lower(), "parameters": {"binary_data": not as_json}}
        )
    return made


@st.composite
def ways(draw: st.DrawFn, body: bytes) -> tuple[list[tuple[str, str]], bytes, list[int]]:
    """Fields, the body as it goes over the wire, and where that is cut into packets."""
    fields = []
    coding = draw(st.sampled_from(["", "", "gzip", "deflate"]))
    if coding:
        fields.append(("Content-Encoding", coding))
        body = gzip.compress(body, 1) if coding == "gzip" else zlib.compress(body, 1)
    cuts = st.lists(st.integers(0, len(body)), max_size=4)
    if draw(st.booleans()):
        fields.append(("Transfer-Encoding", "chunked"))
        places = sorted({0, *draw(cuts), len(body)})
        pieces = [body[a:b] for a, b in zip(places, places[1:])]
        body = chunked(*pieces)
    return fields, body, sorted(set(draw(cuts)))


def send(wire: Connection, target: str, fields: list[tuple[str, str]], body: bytes,
         cuts: list[int]) -> Response:
    """Ask with a request that is cut into packets at these places of its body."""
    whole = request("POST", target, body, fields)
    begin = len(whole) - len(body)
    places = [0, *(begin + cut for cut in cuts), len(whole)]
    for first, last in zip(places, places[1:]):
        if last > first:
            wire.send(whole[first:last])
    return wire.response()


# What comes back


def outputs_of(response: Response) -> dict[str, Any]:
    """The outputs as arrays; those of BYTES are flat lists of bytes."""
    length = response.get(LENGTH)
    json_bytes = int(length) if length else len(response.body)
    told = json.loads(response.body[:json_bytes])
    binary = response.body[json_bytes:]
    found: dict[str, Any] = {}
    for output in told["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        dtype = DTYPES[output["datatype"]]
        if size is None:
            found[output["name"]] = np.array(output["data"], dtype).reshape(output["shape"])
            continue
        data, binary = binary[:size], binary[size:]
        if output["datatype"] == "BYTES":
            found[output["name"]] = strings(data)
        else:
            found[output["name"]] = np.frombuffer(data, dtype).reshape(output["shape"])
    assert not binary
    return found


def strings(data: bytes) -> list[bytes]:
    """The elements of BYTES in binary data."""
    found = []
    while data:
        (count,) = struct.unpack_from("<I", data)
        found.append(data[4:4 + count])
        data = data[4 + count:]
    return found


def check_same(name: str, found: Any, wanted: Any, exact: bool) -> None:
    """The same elements; what is no number may be another NaN where JSON was between."""
    if name == "BYTES":
        assert found == wanted.ravel().tolist(), name
        return
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype), name
    if exact or found.dtype.kind != "f":
        assert found.tobytes() == wanted.tobytes(), name
        return
    numbers = ~np.isnan(wanted)
    assert np.array_equal(np.isnan(found), ~numbers), name
    assert found[numbers].tobytes() == wanted[numbers].tobytes(), name


# Properties


@bounded
@given(data=st.data())
def test_all_datatypes_in_any_form_by_any_way(
    wire: Connection, server: Host, data: st.DataObject
) -> None:
    rank = len(json.loads(server.env["TENSORS"])["bool"][1])
    sent = {name: data.draw(tensors(name, rank), label=name) for name in DTYPES}
    made = data.draw(asked(sent))
    body, json_bytes = made.bodies(data.draw(st.sampled_from([None, 1])))
    fields, over_wire, cuts = data.draw(ways(body))
    response = send(wire, PATH, [*fields, (LENGTH, str(json_bytes))], over_wire, cuts)
    assert response.status == 200, response.body
    found = outputs_of(response)
    forms = {item["name"]: "data" not in item for item in made.inputs}
    wishes = {item["name"]: item["parameters"]["binary_data"] for item in made.outputs}
    assert list(found) == [item["name"] for item in made.outputs]
    for name in DTYPES:
        key = name.lower()
        check_same(name, found[key], sent[name], exact=forms[key] and wishes[key])


@bounded
@given(data=st.data())
def test_arguments_on_score(wire: Connection, server: Host, data: st.DataObject) -> None:
    rank = len(json.loads(server.env["TENSORS"])["bool"][1])
    sent = {name: data.draw(tensors(name, rank), label=name) for name in DTYPES if name != "BF16"}
    if any(0 in array.shape[:-1] for array in sent.values()):
        return  # lists cannot say how long those would be that are not there
    sent["BYTES"] = data.draw(texts(sent["BYTES"]))
    lists = {name.lower(): written(array) for name, array in sent.items()}
    lists["bf16"] = written(np.zeros(sent["BOOL"].shape, "float32"))
    body = json.dumps(lists, indent=data.draw(st.sampled_from([None, 1]))).encode()
    fields = [("Content-Type", "application/json")]
    response = send(wire, "/score", fields, body, data.draw(st.lists(
        st.integers(0, len(body)), max_size=4).map(sorted)))
    assert response.status == 200, response.body
    for name, array in sent.items():
        found = response.json[name.lower()]
        if name == "BYTES":
            assert found == lists["bytes"]
        else:
            check_same(name, np.array(found, array.dtype).reshape(array.shape), array, False)
            assert np.shape(found) == array.shape


NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?\Z")
WHOLE = st.from_regex(r"\A-?(0|[1-9][0-9]{0,20})\Z")
FLOATS = ("FP16", "BF16", "FP32", "FP64")
INTEGERS = tuple(name for name in DTYPES if "INT" in name)


@pytest.mark.parametrize("datatype", FLOATS)
@bounded
@given(tokens=st.lists(NUMBERS, min_size=3, max_size=60))
def test_numbers_however_they_are_written(
    servers: Servers, datatype: str, tokens: list[str]
) -> None:
    dtype: Any = DTYPES[datatype]
    if datatype == "BF16":
        dtype = pytest.importorskip("ml_dtypes", reason="NumPy has no bfloat16").bfloat16
    del tokens[len(tokens) - len(tokens) % 3:]
    rows = ",".join(f"[{','.join(tokens[i:i + 3])}]" for i in range(0, len(tokens), 3))
    with servers(datatype).connect() as line:
        response = send(line, "/score", [], b'{"x": [%s]}' % rows.encode(), [])
    assert response.status == 200, response.body
    with np.errstate(over="ignore"):
        wanted = np.array([float(token) for token in tokens]).astype(dtype)
        found = np.array(response.json).ravel().astype(dtype)
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("datatype", INTEGERS)
@bounded
@given(tokens=st.lists(WHOLE, min_size=3, max_size=3))
def test_integers_that_fit_and_those_that_do_not(
    servers: Servers, datatype: str, tokens: list[str]
) -> None:
    body = b'{"x": [[%s]]}' % ",".join(tokens).encode()
    with servers(datatype).connect() as line:
        response = send(line, "/score", [], body, [])
    edges = np.iinfo(DTYPES[datatype])
    values = [int(token) for token in tokens]
    if all(edges.min <= value <= edges.max for value in values):
        assert (response.status, response.json) == (200, [values])
    else:
        assert response.status == 400 and datatype in response.message


@pytest.mark.parametrize("datatype", DTYPES)
@bounded
@given(data=st.data())
def test_one_tensor_as_a_file_or_raw(servers: Servers, datatype: str, data: st.DataObject) -> None:
    rows = data.draw(st.integers(0, 6))
    dtype = DTYPES[datatype]
    array = data.draw(arrays.arrays(dtype, (rows, 3), elements=(
        st.binary(max_size=3) if dtype == "object" else None)))
    if data.draw(st.booleans()):
        file = io.BytesIO()
        np.save(file, array if dtype != "object" else array.astype("S3"))
        body, fields = file.getvalue(), [("Content-Type", "application/x-npy")]
        is_there = datatype not in ("BF16", "BYTES")
    else:
        body, fields = packed_bytes(array), [("Content-Type", "application/octet-stream")]
        if data.draw(st.booleans()):
            fields += [("Tensor-Shape", f"{rows}, 3"), ("Tensor-Datatype", datatype)]
        is_there = datatype != "BYTES"
    target = data.draw(st.sampled_from(["/score", PATH])) if datatype != "BF16" else "/score"
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=4).map(sorted))
    with servers(datatype).connect() as line:
        response = send(line, target, fields, body, cuts)
    if not is_there:
        assert response.status == 400, response.body
        return
    assert response.status == 200, response.body
    if datatype != "BF16":
        listed = response.json if target == "/score" else response.json["outputs"][0]["data"]
        check_same(datatype, np.array(listed, dtype).reshape(rows, 3), array, exact=False)


#: What may stand in place of an element, and of the whole.
ELEMENTS = (
    st.integers(-300, 300) | st.integers() | st.floats() | st.booleans() | st.none()
    | st.text(max_size=3) | st.sampled_from([10**400, 2**64, -0.0, 1.0, {}, [], [1]])
)
ODD = (
    st.lists(st.lists(ELEMENTS, min_size=3, max_size=3), max_size=3)
    | st.lists(st.lists(st.integers(-2, 200), min_size=2, max_size=3), max_size=3)
    | st.recursive(ELEMENTS, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
)


@pytest.mark.parametrize("datatype", DTYPES)
@bounded
@given(value=ODD)
def test_a_post_is_read_as_a_get_is(servers: Servers, datatype: str, value: Any) -> None:
    """The one is read by C, the other by json and NumPy: they agree on every value."""
    text = json.dumps(value)
    with servers(datatype).connect() as line:
        by_c = send(line, "/score", [], b'{"x": %s}' % text.encode(), [])
        by_python = line.send(request("GET", f"/score?x={quote(text)}")).response("GET")
    assert by_c.status == by_python.status, (by_c.body, by_python.body)
    if by_c.status == 200:
        if datatype == "BF16":  # C writes fewer digits than NumPy, which has no such type
            assert np.allclose(by_c.json, by_python.json, rtol=2**-8, equal_nan=True)
        else:
            assert by_c.body == by_python.body
    else:
        assert by_c.status == 400 and by_c.message and by_python.message
