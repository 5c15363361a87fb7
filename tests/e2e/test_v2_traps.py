"""The traps that other servers of the protocol fell into, one by one.

Whatever is sent, the answer is a 4xx in the protocol's form or the right
result, no memory is lost to it, and who comes next is served as ever.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from .conftest import Make
from .host import Host
from .test_v2 import INFER, JSON, LENGTH, MODEL, binary, changed, error, infer, sums, tensors
from .wire import Response, request

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

TYPES = "/v2/models/echo_tensors/infer"
DECLARED = {"f": ["FP64", [-1]], "i": ["INT32", [-1]], "b": ["BYTES", [-1]]}


@pytest.fixture(scope="module")
def rows(module_host: Make) -> Host:
    return module_host("v2_rows.py", life_s=600.0)


@pytest.fixture(scope="module")
def types(module_host: Make) -> Host:
    return module_host("echo_tensors.py", env={"TENSORS": json.dumps(DECLARED)}, life_s=600.0)


def typed(types: Host, more: str = "", **data: str) -> Response:
    """Ask for an echo of data given as JSON text, with further keys behind."""
    texts = {"f": "[]", "i": "[]", "b": "[]", **data}
    inputs = ",".join(
        f'{{"name":"{name}","datatype":"{DECLARED[name][0]}","data":{text},'
        f'"shape":[{0 if text == "[]" else text.count(",") + 1}]}}'
        for name, text in texts.items()
    )
    return infer(types, f'{{"inputs":[{inputs}]{more}}}'.encode(), target=TYPES)


def echo(response: Response, name: str) -> Any:
    assert response.status == 200, response.body
    return {item["name"]: item["data"] for item in response.json["outputs"]}[name]


def refused(response: Response, status: int = 400) -> str:
    assert response.status == status, (response.status, response.body)
    return error(response)


# How it is sent


@pytest.mark.parametrize("size", [1, 2])
def test_very_many_chunks(rows: Host, size: int) -> None:
    asked = tensors(parameters={"filler": "x" * 70_000 * size})
    body = json.dumps(asked).encode()
    pieces = b"".join(
        b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size])
        for i in range(0, len(body), size)
    )
    data = request("POST", INFER, pieces + b"0\r\n\r\n", [("Transfer-Encoding", "chunked")])
    assert sums(rows.raw(data)) == [10.0]


def test_a_length_of_json_that_comes_twice(rows: Host) -> None:
    body = binary()
    length = str(len(body) - 16)
    assert infer(rows, body, (LENGTH, length)).status == 200
    assert LENGTH in refused(infer(rows, body, (LENGTH, length), (LENGTH, "0")))
    assert LENGTH in refused(infer(rows, body, (LENGTH, length), (LENGTH, length)))


@pytest.mark.parametrize(
    "value", ["1.0", "+1", "0x10", "1 0", "1,1", "-0", "\u00b9", "1e2", "9" * 400]
)
def test_a_length_of_json_that_is_no_number(rows: Host, value: str) -> None:
    assert LENGTH in refused(infer(rows, binary(), (LENGTH, value)))


@pytest.mark.parametrize(
    "kind", ["application/x-npy", "application/octet-stream", "APPLICATION/OCTET-STREAM; a=b"]
)
def test_json_under_the_name_of_something_else(rows: Host, kind: str) -> None:
    refused(infer(rows, tensors(), ("Content-Type", kind)))


@pytest.mark.parametrize(
    "kind", ["text/html", "multipart/form-data; boundary=x", "nonsense", "application/x-npyx", ""]
)
def test_other_names_do_no_harm(rows: Host, kind: str) -> None:
    assert sums(infer(rows, tensors(), ("Content-Type", kind))) == [10.0]


# What JSON can do


@pytest.mark.parametrize("depth", [60, 70, 10_000, 1_000_000])
@pytest.mark.parametrize("where", ["data", "parameters", "unknown", "id", "outputs"])
def test_nesting(rows: Host, where: str, depth: int) -> None:
    nest = b"[" * depth + b"]" * depth
    sound = json.dumps(tensors()["inputs"]).encode()
    if where == "data":
        body = json.dumps(changed(data="HERE")).encode().replace(b'"HERE"', nest)
    elif where == "parameters":
        body = b'{"parameters":{"p":%s},"inputs":%s}' % (nest, sound)
    else:
        body = b'{"%s":%s,"inputs":%s}' % (where.encode(), nest, sound)
    response = infer(rows, body)
    if where in ("parameters", "unknown") and depth < 62:
        assert sums(response) == [10.0]
    else:
        assert response.status in (400, 413)
        error(response)


@pytest.mark.parametrize("nest", [b'{"a":', b'[{"a":['])
def test_nesting_that_does_not_end(rows: Host, nest: bytes) -> None:
    assert infer(rows, b'{"unknown":' + nest * 100_000).status in (400, 413)


SHAPES = [
    [1 << 20, 4], [1 << 31, 4], [1 << 62, 4], [(1 << 63) - 1, 4], [1 << 63, 4], [1 << 64, 4],
    [1 << 32, 1 << 32], [0, 4], [0, 1 << 62], [1 << 62, 0], [-1, 4], [-(1 << 63), 4], [1, -4],
    [-1, -4], [1, 4, 1], [4], [], [1.0, 4], [1e400, 4], ["1", 4], [True, 4], [None, 4], [[1], 4],
    [10**400, 4], [1] * 33, [1] * 100_000,
]


@pytest.mark.parametrize("data", [[], [1], [1, 2, 3, 4]], ids=["none", "one", "four"])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: str(shape)[:24])
def test_shapes_that_the_data_are_not(rows: Host, shape: list[Any], data: list[int]) -> None:
    response = infer(rows, changed(shape=shape, data=data))
    assert response.status in (400, 413)
    error(response)
    head = changed(shape=shape, data=None, parameters={"binary_data_size": 4 * len(data)})
    body = json.dumps(head).encode()
    response = infer(rows, body + struct.pack(f"<{len(data)}f", *data), (LENGTH, str(len(body))))
    assert response.status in (400, 413)
    error(response)


def test_a_small_body_takes_little_memory(host: Make) -> None:
    server = host("v2_rows.py")
    (scorer,) = server.scorers()
    before = server.memory_kb(scorer)
    for shape in ([1 << 19, 4], [1 << 20, 4], [1000, 4]):
        assert infer(server, changed(shape=shape, data=[1])).status in (400, 413)
    assert infer(server, tensors(outputs=[
        {"name": "sorts", "parameters": {"classification": 1 << 40}}])).status == 413
    assert server.memory_kb(scorer) < before + 4096


def test_memory_for_what_was_large_is_given_back(host: Make) -> None:
    """Each held call has memory of its own, so very many come."""
    server = host("v2_rows.py")
    (scorer,) = server.scorers()
    asked = tensors(parameters={"filler": "x" * 1_000_000}, id="i" * 100_000)
    body = json.dumps(asked).encode()
    with server.connect() as connection:
        for count in range(300):
            response = connection.send(request("POST", INFER, body)).response()
            assert response.status == 200
            if count == 10:
                before = server.memory_kb(scorer)
    assert server.memory_kb(scorer) < before + 30_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e400", float("inf")), ("-1e400", float("-inf")), ("1e-400", 0.0), ("-0.0", -0.0),
        ("1e99999999999999999999", float("inf")), ("1e-99999999999999999999", 0.0),
        ("0e99999999999999999999", 0.0), ("1" + "0" * 300 + ".0", 1e300),
        ("0." + "0" * 300 + "1e301", 1.0),
        ("18446744073709551616", 2.0**64), ("Infinity", float("inf")), ("5e-324", 5e-324),
    ],
)
def test_numbers_at_the_edges(types: Host, text: str, value: float) -> None:
    (found,) = echo(typed(types, f=f"[{text}]"), "f")
    assert struct.pack("<d", found) == struct.pack("<d", value)


@pytest.mark.parametrize(
    "text",
    ["1e2", "1.0", "1e400", "2147483648", "-2147483649", "9" * 5000, "NaN", "Infinity", "true",
     "01", "+1", "0x1", "1_0", "--1", "1e", ".5", "''", "null", "undefined", "\"1\"", "[1]", "{}"],
)
def test_what_is_no_integer(types: Host, text: str) -> None:
    response = typed(types, i=f"[{text}]")
    assert response.status in (400, 413)
    error(response)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\u0000"', "\0"), (r'"a\u0000b\u0000"', "a\0b\0"), (r'"\ud83d\ude00"', "\U0001f600"),
        (r'"\/\b\f\n\r\t\"\\"', "/\b\f\n\r\t\"\\"),
        ('"\u00e9\u20ac\U0001f600"', "\u00e9\u20ac\U0001f600"),
        (r'"\uffff\ufffd"', "\uffff\ufffd"), ('""', ""), ('"\x7f"', "\x7f"),
    ],
)
def test_strings(types: Host, text: str, value: str) -> None:
    assert echo(typed(types, b=f"[{text}]"), "b") == [value]


@pytest.mark.parametrize(
    "text",
    [r'"\ud800"', r'"\udc00x"', r'"\ud800\ud800"', r'"\u12"', r'"\x41"', '"\n"', '"\0"', "1",
     '"a" "b"', "'a'", '"open'],
)
def test_what_is_no_string(types: Host, text: str) -> None:
    refused(typed(types, b=f"[{text}]"))


def test_bytes_that_are_no_utf8(types: Host) -> None:
    refused(infer(types, json.dumps({"inputs": []}).encode() + b"\xff", target=TYPES))
    body = b'{"inputs":[{"name":"b","datatype":"BYTES","shape":[1],"data":["\xff"]}]}'
    refused(infer(types, body, target=TYPES))


def test_a_nul_among_binary_strings(types: Host) -> None:
    texts = [b"\0", b"", b"a\0b", bytes(1000)]
    data = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    head = json.dumps({
        "inputs": [
            {"name": "f", "datatype": "FP64", "shape": [0], "data": []},
            {"name": "i", "datatype": "INT32", "shape": [0], "data": []},
            {"name": "b", "datatype": "BYTES", "shape": [4],
             "parameters": {"binary_data_size": len(data)}},
        ],
        "outputs": [{"name": "b", "parameters": {"binary_data": True}}],
    }).encode()
    response = infer(types, head + data, (LENGTH, str(len(head))), target=TYPES)
    assert response.status == 200, response.body
    assert response.body[int(response.get(LENGTH) or 0):] == data


@pytest.mark.parametrize("name", ["x\0", "\0x", "", "x ", "X", "\u00e9", "x" * 300, "x" * 100_000])
def test_names_that_are_like_one(rows: Host, name: str) -> None:
    refused(infer(rows, changed(name=name)))
    refused(infer(rows, tensors(outputs=[{"name": name}])))


@pytest.mark.parametrize("target", ["/v2/models/v2_rows%00/infer", "/v2/models/%00/infer",
                                    "/v2/models/v2_rows/versions/1%00/infer"])
def test_a_nul_in_a_path(rows: Host, target: str) -> None:
    refused(infer(rows, tensors(), target=target), 404)


# Keys that come twice


def test_of_two_equal_keys_the_last_counts_as_in_python(rows: Host) -> None:
    x, n = (json.dumps(item) for item in tensors()["inputs"])
    twice = (
        f'{{"id":"a","id":"b","parameters":{{"p":1,"p":2}},"inputs":[{n},'
        f'{{"name":"z","name":"x","datatype":"INT8","datatype":"FP32","shape":[9],"shape":[1,4],'
        f'"data":[9],"data":[1,2,3,4]}}]}}'
    )
    response = infer(rows, twice.encode())
    assert sums(response) == [10.0]
    assert response.json["id"] == "b"
    refused(infer(rows, f'{{"inputs":[{x}],"inputs":[{x},{n}]}}'.encode()))


def test_data_and_a_binary_size(rows: Host) -> None:
    body = json.dumps(changed(parameters={"binary_data_size": 16})).encode()
    assert "both" in refused(infer(rows, body + bytes(16), (LENGTH, str(len(body)))))


# What else comes with a request


def test_ids_and_parameters_of_each_come_back_though_they_share_a_batch(rows: Host) -> None:
    asked = [
        tensors([[i, 0, 0, 1]], id=f"id-{i}", parameters={"number": i, "list": [i, {"a": None}]},
                outputs=[{"name": "sum"}] if i % 2 else [{"name": "sorts"}, {"name": "sum"}])
        for i in range(24)
    ]
    waiting = [
        rows.later(request("POST", INFER, json.dumps(one).encode(), [("Content-Type", JSON)]))
        for one in asked
    ]
    for i, later in enumerate(waiting):
        told = later.result().json
        assert (told["id"], told["parameters"]) == (f"id-{i}", asked[i]["parameters"])
        names = [output["name"] for output in told["outputs"]]
        assert names == [output["name"] for output in asked[i]["outputs"]]
        assert told["outputs"][-1]["data"] == [i + 1.0]


@pytest.mark.parametrize(
    "text",
    ['"' + "i" * 10_000 + '"', r'"\u0000"', '"\u00e9"', '""', r'"\"\\"', r'"\ud83d\ude00"'],
)
def test_ids_come_back_as_they_are(rows: Host, text: str) -> None:
    body = json.dumps(tensors()).encode()[:-1] + b',"id":' + text.encode() + b"}"
    response = infer(rows, body)
    assert response.status == 200 and response.json["id"] == json.loads(text)


@pytest.mark.parametrize("text", ["7", "true", "[]", "{}", '"open', "-"])
def test_ids_that_are_none(rows: Host, text: str) -> None:
    refused(infer(rows, json.dumps(tensors()).encode()[:-1] + b',"id":' + text.encode() + b"}"))


@pytest.mark.parametrize("parameters", [
    {"timeout": 1_000_000}, {"priority": 3}, {"sequence_id": 42, "sequence_start": True},
    {"sequence_id": "a", "sequence_end": True}, {"headers": {"a": "b"}}, {"content_type": "np"},
    {"binary_data_output": False}, {}, None,
])
def test_parameters_of_other_servers_do_no_harm(rows: Host, parameters: Any) -> None:
    assert sums(infer(rows, tensors(parameters=parameters))) == [10.0]


@pytest.mark.parametrize("where", ["inputs", "outputs"])
def test_shared_memory_is_refused_clearly(rows: Host, where: str) -> None:
    region = {"shared_memory_region": "r", "shared_memory_byte_size": 16}
    asked = (
        changed(data=None, parameters=region) if where == "inputs"
        else tensors(outputs=[{"name": "sum", "parameters": region}])
    )
    assert "shared memory" in refused(infer(rows, asked))


@pytest.mark.parametrize("target", [
    "/v2/repository/index", "/v2/repository/models/v2_rows/load", "/v2/logging",
    "/v2/trace/setting", "/v2/systemsharedmemory/status", MODEL + "/generate",
    MODEL + "/trace/setting",
])
def test_extensions_that_are_not_there_are_told_so(rows: Host, target: str) -> None:
    refused(rows.ask("POST", target, b"{}"), 404)
    refused(rows.ask("GET", target), 404)


# Large tensors


def test_a_million_numbers_as_json_and_back(host: Make) -> None:
    server = host("echo_tensors.py", env={"TENSORS": json.dumps({"x": ["FP32", [-1, 1000]]})})
    data = np.random.default_rng(8).standard_normal(1_000_000).round(4).tolist()
    body = json.dumps(
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1000, 1000], "data": data}]},
        separators=(",", ":"),
    ).encode()
    response = infer(server, body, target=TYPES)
    assert response.status == 200, response.body[:200]
    found = np.array(response.json["outputs"][0]["data"], "float32")
    assert np.array_equal(found, np.array(data, "float32"))


def test_as_many_elements_as_a_body_can_have(host: Make) -> None:
    """A batch of pictures: what bounds it is the body, not a count of its own."""
    server = host("echo_tensors.py", env={"TENSORS": json.dumps({"x": ["UINT8", [-1, -1]]})})
    x = np.random.default_rng(7).integers(0, 256, (30, 1_000_000), "uint8")
    head = json.dumps({
        "inputs": [{"name": "x", "datatype": "UINT8", "shape": list(x.shape),
                    "parameters": {"binary_data_size": x.nbytes}}],
        "outputs": [{"name": "x", "parameters": {"binary_data": True}}],
    }).encode()
    response = infer(server, head + x.tobytes(), (LENGTH, str(len(head))), target=TYPES)
    assert response.status == 200, response.body[:200]
    assert response.body[int(response.get(LENGTH) or 0):] == x.tobytes()
    body = b'{"x": [[' + b"1," * 14_999_999 + b"1]]}"
    response = server.post(body, ("Content-Type", JSON))
    assert response.status == 200, response.body[:200]
    assert response.body.count(b"1") == 15_000_000


def test_a_large_answer_in_either_form(host: Make) -> None:
    server = host("echo_tensors.py", env={"TENSORS": json.dumps({"x": ["FP64", [-1]]})})
    x = np.random.default_rng(9).standard_normal(1_000_000)
    head = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [x.size],
                        "parameters": {"binary_data_size": x.nbytes}}]}
    for wish in (True, False):
        head["outputs"] = [{"name": "x", "parameters": {"binary_data": wish}}]
        text = json.dumps(head).encode()
        response = infer(server, text + x.tobytes(), (LENGTH, str(len(text))), target=TYPES)
        assert response.status == 200, response.body[:200]
        if wish:
            data = response.body[int(response.get(LENGTH) or 0):]
        else:
            data = np.array(response.json["outputs"][0]["data"]).tobytes()
        assert data == x.tobytes()
