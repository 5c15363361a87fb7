"""Scripts as users write them, with the real packages."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys

import numpy
import pytest
from PIL import Image

from .conftest import Make
from .host import SHARED_SCRIPTS, Host
from .wire import request

JSON = ("Content-Type", "application/json")


no_daemons = pytest.mark.kinds(
    "process", "thread", why="an interpreter has daemon threads from Python 3.14 on")
needs_numpy = pytest.mark.kinds(
    "process", "thread", why="NumPy and what is built on it load in one interpreter of a process")


@pytest.fixture(scope="module")
def iris(module_host: Make, tmp_path_factory: pytest.TempPathFactory) -> Host:
    folder = tmp_path_factory.mktemp("iris")
    train = SHARED_SCRIPTS / "sklearn_iris" / "train.py"
    subprocess.run([sys.executable, str(train), str(folder)], check=True, timeout=250,
                   capture_output=True)
    return module_host("", "--entry_script", "score.py", "--model_dir", str(folder),
                       "--worker_count", "2", copies=["sklearn_iris"])


@needs_numpy
def test_a_scikit_learn_model(iris: Host) -> None:
    response = iris.post('{"data": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]}')
    assert response.status == 200
    assert response.json["species"] == ["setosa", "virginica"]
    assert all(0.5 < value <= 1 for value in response.json["probability"])


@needs_numpy
def test_the_model_gives_the_same_answer_a_thousand_times(iris: Host) -> None:
    data = request(body=b'{"data": [[5.1, 3.5, 1.4, 0.2]]}')
    with iris.connect() as connection:
        connection.send(data * 500)
        bodies = {connection.response().body for _ in range(500)}
    assert len(bodies) == 1


@needs_numpy
def test_a_bad_row_costs_its_own_request(iris: Host) -> None:
    assert iris.post('{"data": [[1, 2]]}').status == 500
    assert iris.post('{"data": "text"}').status == 500
    assert iris.post('{"data": [[5.1, 3.5, 1.4, 0.2]]}').status == 200


@needs_numpy
def test_a_model_that_is_fitted_in_init(host: Make) -> None:
    server = host("sklearn_fitted.py")
    answer = server.post('{"data": [[5.1, 3.5, 1.4, 0.2]]}').json
    assert answer["classes"] == ["setosa"] and 0.9 < answer["sure"][0] <= 1


@needs_numpy
def test_an_image_there_and_back(host: Make) -> None:
    server = host("image_resize.py")
    image = Image.new("RGB", (64, 32), (200, 10, 10))
    sent = io.BytesIO()
    image.save(sent, "PNG")
    response = server.ask("POST", "/score?size=16", sent.getvalue(),
                          [("Content-Type", "image/png")])
    assert (response.status, response.get("content-type")) == (200, "image/png")
    thumbnail = Image.open(io.BytesIO(response.body))
    assert (thumbnail.size, thumbnail.getpixel((3, 3))) == ((16, 8), (200, 10, 10))
    response = server.post(b"no image")
    assert (response.status, response.body) == (400, b"not an image")


@needs_numpy
def test_an_image_as_base64(host: Make) -> None:
    server = host("image_base64.py")
    image = io.BytesIO()
    Image.new("RGB", (4, 3), (10, 20, 30)).save(image, "PNG")
    body = json.dumps({"image": base64.b64encode(image.getvalue()).decode()})
    assert server.post(body).json == {"width": 4, "height": 3, "mean": [10.0, 20.0, 30.0]}


@needs_numpy
def test_numpy_by_schema(host: Make) -> None:
    server = host("schema_numpy.py")
    response = server.post('{"data": [[1, 2, 3], [4, 5, 6]]}', JSON)
    assert (response.status, response.json) == (200, [6.0, 15.0])
    assert server.texts("azmlinfsrv.print")[-1] == "ndarray float64 (2, 3)"
    assert server.post('{"data": [1, 2]}', JSON).status == 500
    document = server.ask("GET", "/swagger.json?version=3").json
    data = document["components"]["schemas"]["ServiceInput"]["properties"]["data"]
    assert data["format"] == "numpy.ndarray"


@needs_numpy
def test_a_large_array_by_schema(host: Make) -> None:
    server = host("schema_numpy.py")
    rows = numpy.arange(300_000, dtype=float).reshape(-1, 3)
    response = server.post(json.dumps({"data": rows.tolist()}), JSON)
    assert response.json == rows.sum(axis=1).tolist()


@needs_numpy
def test_pandas_by_schema(host: Make) -> None:
    server = host("schema_pandas.py")
    rows = [{"age": 1, "city": "Oslo", "income": 2.5}, {"age": 3, "city": "Lima", "income": 1}]
    response = server.post(json.dumps({"data": rows, "factor": 2.0}), JSON, ("X-Tenant", "t"))
    assert (response.status, response.json) == (
        200, {"scores": [7.0, 8.0], "rows": 2, "tenant": "t"})


@needs_numpy
def test_a_frame_made_by_hand(host: Make) -> None:
    server = host("frames.py")
    rows = [{"shop": "a", "amount": 1}, {"shop": "b", "amount": 2}, {"shop": "a", "amount": 3}]
    assert server.post(json.dumps({"rows": rows})).json == {"a": 4.0, "b": 2.0}
    records = server.post(json.dumps({"rows": rows, "return": "records"})).json
    assert records[0] == {"shop": "a", "amount": 1, "double": 2}


@needs_numpy
def test_numpy_again_and_again(host: Make) -> None:
    server = host("schema_numpy.py")
    for _ in range(3):
        assert server.post('{"data": [[1, 2, 3]]}', JSON).json == [6.0]
    assert server.stop() == 0


@pytest.mark.kinds("process", "thread", why="an interpreter may not fork")
def test_programs_and_processes_of_the_scripts_own(host: Make) -> None:
    server = host("own_process.py")
    assert "the program says 42" in server.texts("azmlinfsrv.print")
    assert server.post('{"lines": ["b", "a"]}').json == ["a", "b"]


FORKS = """
import os, sys
def init(): pass
def run(data):
    pid = os.fork()
    if pid == 0:
        {child}
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.mark.kinds("process", "thread", why="an interpreter may not fork")
@pytest.mark.parametrize(
    ("child", "code"),
    [
        ("return 'the child'", 1),
        ("raise ValueError('the child')", 1),
        ("sys.exit()", 0),
        ("sys.exit(7)", 7),
        ("sys.exit('why')", 1),
        ("os._exit(9)", 9),
    ])
def test_what_run_forks_answers_nothing(host: Make, child: str, code: int) -> None:
    server = host("", "--entry_script", "score.py",
                  files={"score.py": FORKS.format(child=child)})
    for _ in range(5):
        assert server.post("x").json == code
    assert ("End it in run(), by os._exit()" in server.stderr) is ("the child" in child)
    assert server.ask("GET", "/score?a=1").json in (code, 1)
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        pytest.param(
            "import hashlib\ndef init(): pass\n"
            "def run(d): return hashlib.sha256(d.encode()).hexdigest()[:8]\n",
            "2d711642", id="hashlib"),
        pytest.param(
            "import threading, time\ndef init():\n"
            "    threading.Thread(target=lambda: time.sleep(1e6), daemon=True).start()\n"
            "def run(d): return d\n",
            "x", id="daemon thread", marks=no_daemons),
        pytest.param(
            "import atexit, datetime\ndef init(): atexit.register(print, 'bye')\n"
            "def run(d): return datetime.datetime(2000, 1, 2).isoformat()\n",
            "2000-01-02T00:00:00", id="atexit and datetime"),
    ])
def test_the_end_is_clean_whatever_was_imported(host: Make, script: str, answer: str) -> None:
    server = host("", "--entry_script", "score.py", files={"score.py": script})
    assert server.post("x").json == answer
    assert server.stop() == 0
    assert "Traceback" not in server.stdout + server.stderr


def test_a_thread_that_never_ends_does_not_keep_the_host(host: Make) -> None:
    server = host("", "--entry_script", "score.py", "--drain_timeout_ms", "500", files={
        "score.py": "import threading\n"
                    "def init(): threading.Thread(target=threading.Event().wait).start()\n"
                    "def run(d): return d\n"})
    assert server.post("x").json == "x"
    assert server.stop() == 0


def test_pythons_development_mode_has_nothing_to_say(host: Make) -> None:
    server = host("echo.py", env={"PYTHONDEVMODE": "1"})
    for number in range(20):
        assert server.post(str(number)).json == {"got": str(number)}
    assert server.stop() == 0
    for text in ("Warning", "Traceback", "Fatal", "Debug memory"):
        assert text not in server.stderr, server.stderr


@no_daemons
def test_threads_of_the_scripts_own(host: Make) -> None:
    server = host("own_threads.py")
    answer = server.post("x").json
    assert answer["threads"] and answer["result"]
    assert server.stop() == 0


def test_a_data_base_that_only_the_main_thread_may_use(host: Make) -> None:
    """init() and run() are called in the same thread, whatever the kind."""
    server = host("sqlite_features.py")
    assert server.post('{"ids": [2, 1]}').json == {"scores": [[1, 0.25], [2, 0.75]]}


@needs_numpy
@pytest.mark.parametrize(
    ("form", "answer"),
    [("list", [0.5, 1.5]), ("float64", 2.0), ("nan", float("nan")), ("str", "label"),
     ("floats", [0.5, 1.5]), ("dict", {"mean": 1.0, "n": 2}), ("shape", [2])])
def test_what_numpy_gives(numbers: Host, form: str, answer: object) -> None:
    response = numbers.post(json.dumps({"rows": [[1, 0, 0], [3, 2, 1]], "as": form}))
    assert response.body == json.dumps(answer).encode()


@needs_numpy
@pytest.mark.parametrize("form", ["array", "float32", "int64", "bool", "dict int64"])
def test_what_json_does_not_know_of_numpy(numbers: Host, form: str) -> None:
    response = numbers.post(json.dumps({"rows": [[1, 0, 0]], "as": form}))
    assert (response.status, response.get("x-ms-run-function-failed")) == (500, "False")


@pytest.fixture(scope="module")
def numbers(module_host: Make) -> Host:
    return module_host("numpy_scores.py")
