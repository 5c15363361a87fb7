"""The Open Inference Protocol, as bytes: documents, infer requests, and all that is refused."""

from __future__ import annotations

import json
import signal
import struct
from typing import Any

import pytest

from .conftest import Make
from .host import Host
from .wire import Response, chunked, until

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

MODEL = "/v2/models/v2_rows"
INFER = MODEL + "/infer"
JSON = "application/json"
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def rows(module_host: Make) -> Host:
    """The model that the refusals are tried on."""
    return module_host("v2_rows.py")


def tensors(x: Any = ((1, 2, 3, 4),), n: Any = ((0,),), **more: Any) -> dict[str, Any]:
    """A sound request, and what is to be added to it."""
    return {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [len(x), 4], "data": x},
            {"name": "n", "datatype": "INT8", "shape": [len(n), 1], "data": n},
        ],
        **more,
    }


def changed(**how: Any) -> dict[str, Any]:
    """A request whose first input has something else; None: it is left out."""
    made = tensors()
    given = {**made["inputs"][0], **how}
    made["inputs"][0] = {key: value for key, value in given.items() if value is not None}
    return made


def infer(host: Host, what: Any, *headers: tuple[str, str], target: str = INFER) -> Response:
    """Ask; what is no text yet is made JSON."""
    body = what if isinstance(what, bytes) else json.dumps(what).encode()
    return host.ask("POST", target, body, headers)


def error(response: Response) -> str:
    """The sentence of a refusal, whose form is checked."""
    assert response.get("content-type") == JSON, response.headers
    found = json.loads(response.body)
    assert list(found) == ["error"], response.body
    assert isinstance(found["error"], str) and found["error"], response.body
    assert "Traceback" not in found["error"] and "File \"" not in found["error"]
    assert response.get("x-request-id"), "refusals have ids, too"
    return str(found["error"])


def sums(response: Response) -> Any:
    """The output `sum` of an answer."""
    assert response.status == 200, response.body
    outputs = {output["name"]: output for output in response.json["outputs"]}
    return outputs["sum"]["data"]


# Documents


def test_the_server(rows: Host) -> None:
    response = rows.ask("GET", "/v2")
    assert (response.status, response.json["name"]) == (200, "scorehost")
    assert "binary_tensor_data" in response.json["extensions"]
    assert rows.ask("GET", "/v2/health/live").json == {"live": True}
    assert rows.ask("GET", "/v2/health/ready").json == {"ready": True}


def test_the_model(rows: Host) -> None:
    for target in (MODEL, MODEL + "/versions/1"):
        told = rows.ask("GET", target).json
        assert (told["name"], told["versions"]) == ("v2_rows", ["1"])
        assert told["inputs"] == [
            {"name": "x", "datatype": "FP32", "shape": [-1, 4]},
            {"name": "n", "datatype": "INT8", "shape": [-1, 1]},
        ]
        assert rows.ask("GET", target + "/ready").status == 200
    config = rows.ask("GET", MODEL + "/config").json
    assert (config["name"], config["max_batch_size"]) == ("v2_rows", 8)
    assert config["input"][0] == {"name": "x", "data_type": "TYPE_FP32", "dims": [4]}
    assert [output["name"] for output in config["output"]] == ["sum", "sorts"]
    assert rows.ask("GET", MODEL + "/openapi.json").json["openapi"].startswith("3.")


def test_a_name_and_a_version_of_ones_own(host: Make) -> None:
    server = host("v2_rows.py", "--model_name", "a model")
    assert server.ask("GET", "/v2/models/a%20model/ready").status == 200
    assert sums(infer(server, tensors(), target="/v2/models/a%20model/infer")) == [10.0]
    assert "a model" in error(server.ask("GET", MODEL))


def test_a_script_without_tensors(module_host: Make) -> None:
    server = module_host("echo.py")
    assert server.ask("GET", "/v2").status == 200
    assert server.ask("GET", "/v2/health/ready").status == 200
    assert server.ask("GET", "/v2/models/stats").json == {"model_stats": []}
    for response in (server.ask("GET", "/v2/models/echo"), infer(server, {})):
        assert response.status == 404
        assert "@scorehost.tensor" in error(response)


def test_it_is_not_ready_before_init_is_done(host: Make) -> None:
    gate = "def init():\n    import os, time\n    while not os.path.exists('open'):\n" \
           "        time.sleep(0.01)\n\n\ndef run(data):\n    return data\n"
    server = host("", "--entry_script", "gate.py", files={"gate.py": gate}, wait=False)
    server.wait_listening()
    assert server.ask("GET", "/v2/health/live").status == 200
    response = server.ask("GET", "/v2/health/ready")
    assert (response.status, response.json) == (503, {"ready": False})
    response = infer(server, tensors())
    assert response.status == 503 and response.get("retry-after")
    assert "init()" in error(response)
    (server.app / "open").touch()
    until("ready", lambda: server.ask("GET", "/v2/health/ready").status == 200)


# Answers


def test_an_answer(rows: Host) -> None:
    response = infer(rows, tensors(id="a-1"), ("X-Request-Id", "R"))
    told = response.json
    assert (told["model_name"], told["model_version"], told["id"]) == ("v2_rows", "1", "a-1")
    assert told["outputs"][0] == {
        "name": "sum", "datatype": "FP32", "shape": [1, 1], "data": [10.0]}
    assert response.get("x-request-id") == "R"
    assert response.get("x-ms-server-version") == "azmlinfsrv/1.5.1"
    assert response.get("x-ms-run-function-failed") is None
    assert response.get("x-ms-run-fn-exec-ms") is None


@pytest.mark.parametrize("data", [[[1, 2, 3, 4], [5, 6, 7, 8]], [1, 2, 3, 4, 5, 6, 7, 8]])
def test_data_may_be_flat_or_nested(rows: Host, data: Any) -> None:
    asked = tensors([0, 0], [[0], [1]])
    asked["inputs"][0]["data"] = data
    assert sums(infer(rows, asked)) == [10.0, 27.0]


@pytest.mark.parametrize("kind", [None, JSON, "text/plain", "application/json; charset=utf-8"])
def test_a_request_is_json_whatever_it_is_called(rows: Host, kind: str | None) -> None:
    headers = [("Content-Type", kind)] if kind else []
    assert sums(infer(rows, tensors(), *headers)) == [10.0]


def test_a_body_in_chunks(rows: Host) -> None:
    body = json.dumps(tensors()).encode()
    pieces = [body[i:i + 7] for i in range(0, len(body), 7)]
    response = rows.ask("POST", INFER, chunked(*pieces), [("Transfer-Encoding", "chunked")])
    assert sums(response) == [10.0]


def test_outputs_that_are_asked_for(rows: Host) -> None:
    told = infer(rows, tensors(outputs=[{"name": "sorts"}])).json
    assert [output["name"] for output in told["outputs"]] == ["sorts"]


def test_classes(rows: Host) -> None:
    wish = {"name": "sorts", "parameters": {"classification": 2}}
    output = infer(rows, tensors(outputs=[wish])).json["outputs"][0]
    assert output["datatype"] == "BYTES" and output["shape"] == [1, 2]
    first, second = (text.split(":") for text in output["data"])
    assert (float(first[0]), first[1:]) == (4.0, ["2", "c"])
    assert (float(second[0]), second[1:]) == (3.0, ["1", "b"])


def binary(size: int | None = 16, data: bytes = struct.pack("<4f", 1, 2, 3, 4)) -> bytes:
    """A request with binary data for x, and its head's length in front."""
    made = changed(data=None, parameters={"binary_data_size": size})
    made["outputs"] = [{"name": "sum", "parameters": {"binary_data": True}}]
    return json.dumps(made).encode() + data


def test_binary_both_ways(rows: Host) -> None:
    body = binary()
    head = (LENGTH, str(len(body) - 16))
    response = infer(rows, body, head, ("Content-Type", "application/octet-stream"))
    assert response.status == 200, response.body
    assert response.get("content-type") == "application/octet-stream"
    json_bytes = int(response.get(LENGTH) or 0)
    told = json.loads(response.body[:json_bytes])
    assert told["outputs"][0]["parameters"] == {"binary_data_size": 4}
    assert struct.unpack("<f", response.body[json_bytes:]) == (10.0,)


# Refusals


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_infer_is_for_post(rows: Host, method: str) -> None:
    response = rows.ask(method, INFER)
    assert response.status == 405
    assert "POST" in (response.get("allow") or "")
    if method != "HEAD":
        error(response)


@pytest.mark.parametrize("target", ["/v2", "/v2/health/ready", MODEL, MODEL + "/stats"])
def test_nothing_else_is(rows: Host, target: str) -> None:
    response = rows.ask("POST", target, b"{}")
    assert response.status == 405
    assert "GET" in (response.get("allow") or "")
    error(response)


@pytest.mark.parametrize("target", [
    "/v2/nothing", "/v2/models", "/v2/models/other", "/v2/models/other/ready",
    MODEL + "/versions/2", MODEL + "/versions", MODEL + "/nothing", "/v2/models/%zz",
])
def test_what_is_not_there(rows: Host, target: str) -> None:
    response = rows.ask("GET", target)
    assert response.status == 404
    error(response)


@pytest.mark.parametrize("target", ["/v2/models/other/infer", MODEL + "/versions/2/infer"])
def test_models_that_are_not_there(rows: Host, target: str) -> None:
    response = infer(rows, tensors(), target=target)
    assert response.status == 404
    error(response)


DEEP = b'{"inputs":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
TWICE = tensors()
TWICE["inputs"].append(TWICE["inputs"][0])
MISSING = {"inputs": tensors()["inputs"][:1]}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (b"", ""), (b"nonsense", ""), (b"[]", ""), (b"{}", ""), (b"\xff\xfe", ""),
        (b'{"inputs": []} and more', ""), (DEEP, ""),
        (b'{"inputs": ' + json.dumps(tensors()["inputs"]).encode(), ""),
        ({"inputs": []}, '"x"'), ({"inputs": 1}, ""), (MISSING, '"n"'), (TWICE, "twice"),
        (changed(name="z"), '"z"'), (changed(name=None), ""), (changed(name=1), ""),
        (changed(datatype="FP64"), "FP32"), (changed(datatype="FLOAT"), "FP32"),
        (changed(datatype=None), "datatype"), (changed(shape=None), "shape"),
        (changed(data=None), "data"), (changed(data=[1, 2, 3]), '"x"'),
        (changed(data=[1, 2, 3, 4, 5]), '"x"'), (changed(data=[[1, 2], [3, 4]]), '"x"'),
        (changed(data=[[1, 2, 3], [4]]), '"x"'), (changed(data=[1, 2, 3, "4"]), '"x"'),
        (changed(data=[1, 2, 3, None]), '"x"'), (changed(data=4), "array"),
        (changed(shape=[1, 3], data=[1, 2, 3]), '"x"'), (changed(shape=[4]), '"x"'),
        (changed(shape=[1, 1, 4]), '"x"'), (changed(shape=[-1, 4]), "negative"),
        (changed(shape=[1, -4]), "negative"), (changed(shape=[2**62, 4]), '"x"'),
        (changed(shape=[2**64, 4]), ""), (changed(shape=[1.5, 4]), ""),
        (changed(shape="14"), ""), (changed(shape=[1] * 100), ""),
        (changed(shape=[2, 4], data=[1] * 8), "rows"),
        (tensors(n=[[128]]), '"n"'), (tensors(n=[[-129]]), '"n"'), (tensors(n=[[1.5]]), '"n"'),
        (tensors(n=[[2**70]]), '"n"'), (tensors(n=[[True]]), '"n"'),
        (tensors(outputs=[{"name": "z"}]), '"z"'), (tensors(outputs=[{}]), "output"),
        (tensors(outputs=[{"name": "sum"}, {"name": "sum"}]), "twice"),
        (changed(data=None, parameters={"binary_data_size": 16}), LENGTH),
    ],
)
def test_requests_that_are_refused(rows: Host, asked: Any, said: str) -> None:
    response = infer(rows, asked)
    assert 400 <= response.status < 500, (response.status, response.body)
    assert said in error(response)
    assert sums(infer(rows, tensors())) == [10.0]


@pytest.mark.parametrize(
    ("size", "data", "head"),
    [
        (16, b"\0" * 15, 0), (16, b"\0" * 17, 0), (15, b"\0" * 15, 0), (17, b"\0" * 17, 0),
        (-1, b"\0" * 16, 0), (2**63, b"\0" * 16, 0), (2**64, b"\0" * 16, 0), (None, b"", 0),
        (16, b"\0" * 16, 1000), (16, b"\0" * 16, -1000), (16, b"\0" * 16, "x"),
        (16, b"\0" * 16, "-1"), (16, b"\0" * 16, "99999999999999999999"),
    ],
)
def test_binary_sizes_that_do_not_add_up(
    rows: Host, size: int | None, data: bytes, head: int | str
) -> None:
    body = binary(size, data)
    length = head if isinstance(head, str) else str(max(len(body) - len(data) + head, 1))
    response = infer(rows, body, (LENGTH, length))
    assert 400 <= response.status < 500, (response.status, response.body)
    error(response)


def test_a_body_that_is_too_large(rows: Host) -> None:
    too_large = 32 * 1024 * 1024 + 1
    response = rows.ask("POST", INFER, None, [("Content-Length", str(too_large)),
                                              ("Expect", "100-continue")])
    assert response.status == 413
    error(response)


def test_ids_and_times_that_are_none(rows: Host) -> None:
    response = infer(rows, tensors(), ("x-request-timeout-ms", "soon"))
    assert response.status == 400 and "x-request-timeout-ms" in error(response)
    response = infer(rows, tensors(), ("x-ms-request-id", "i" * 101))
    assert response.status == 431 and "100 characters" in error(response)


# What goes wrong


def test_a_script_that_raises(rows: Host) -> None:
    response = infer(rows, tensors([[-1, 0, 0, 0]]))
    assert response.status == 500
    error(response)
    assert sums(infer(rows, tensors())) == [10.0]


@pytest.mark.kinds("process", why="a worker of another kind ends with its host")
def test_a_script_that_ends_its_worker(host: Make) -> None:
    server = host("v2_rows.py")
    response = infer(server, tensors([[-2, 0, 0, 0]]))
    assert response.status == 502
    assert "exited with code 7" in error(response)
    until("a new one", lambda: infer(server, tensors()).status == 200)


def test_a_script_that_takes_too_long(host: Make) -> None:
    server = host("v2_rows.py", env={"SCORING_TIMEOUT_MS": "400"})
    response = infer(server, tensors([[-3, 0, 0, 0]]))
    assert response.status == 500
    assert "400 ms" in error(response)


def test_a_caller_that_does_not_wait(host: Make) -> None:
    server = host("v2_rows.py")
    response = infer(server, tensors([[-3, 0, 0, 0]]), ("x-request-timeout-ms", "200"))
    assert response.status == 504
    assert "200 ms" in error(response)


# What is left


def test_statistics(host: Make) -> None:
    server = host("v2_rows.py")
    for count in (1, 3):
        infer(server, tensors([[0, 0, 0, 1]] * count, [[0]] * count))
    infer(server, tensors([[-1, 0, 0, 0]]))
    for target in (MODEL + "/stats", "/v2/models/stats"):
        (told,) = server.ask("GET", target).json["model_stats"]
        assert (told["name"], told["version"]) == ("v2_rows", "1")
        assert (told["inference_count"], told["execution_count"]) == (4, 2)
        assert told["last_inference"] > 0
        stats = told["inference_stats"]
        assert (stats["success"]["count"], stats["fail"]["count"]) == (2, 1)
        assert 0 < stats["compute_infer"]["ns"] < stats["success"]["ns"]
        assert [batch["batch_size"] for batch in told["batch_stats"]] == [1, 3]


def test_its_lines(host: Make) -> None:
    server = host("v2_rows.py")
    assert infer(server, tensors()).status == 200
    for target in ("/v2/health/live", "/v2/health/ready", MODEL):
        server.ask("GET", target)
    scored = [text for text in server.texts("azmlinfsrv") if text.startswith("POST ")]
    assert len(scored) == 1 and scored[0].startswith(f"POST {INFER} 200 "), scored
    asked = [text for text in server.texts("gunicorn.access") if "/v2" in text]
    assert len(asked) == 2 and f"GET {MODEL} " in asked[1], asked


@pytest.mark.kinds("process", why="a host of another kind is replaced as a whole")
def test_a_new_signature_takes_the_old_ones_place(host: Make) -> None:
    server = host("v2_rows.py")
    script = server.app / "v2_rows.py"
    script.write_text(script.read_text().replace("max_batch_size=8", "max_batch_size=4"))
    server.notify(signal.SIGHUP)
    until("the new one", lambda: server.ask("GET", MODEL + "/config").json["max_batch_size"] == 4)
