"""`scorehost check`: good scripts, bad scripts, and scripts that never come back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scorehost import check, checktext, failures, probe

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


class Check:
    """Runs `scorehost check` in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(root)}

    def write(self, source: str, name: str = "score.py") -> Path:
        path = self.root / name
        path.write_text(textwrap.dedent(source))
        return path

    def run(self, *argv: str, **environ: str) -> "subprocess.CompletedProcess[str]":
        code = f"import sys; sys.path[:] = {sys.path!r}; from scorehost.cli import main; "
        code += "sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, "check", *argv],
            cwd=self.root,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    def text(self, *argv: str, code: int = 0, **environ: str) -> str:
        done = self.run(*argv, **environ)
        assert (done.returncode, done.stderr) == (code, ""), done.stdout + done.stderr
        return done.stdout

    def report(self, *argv: str, code: int = 0, **environ: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text(*argv, "--json", code=code, **environ))
        assert found["good"] is (code == 0)
        return found

    def source(self, source: str, *argv: str, code: int = 0, **environ: str) -> dict[str, Any]:
        self.write(source)
        return self.report("score.py", *argv, code=code, **environ)


@pytest.fixture
def checked(tmp_path: Path) -> Check:
    return Check(tmp_path.resolve())


GOOD = """
def init(): pass
def run(data): return {"got": data}
"""


# Scripts as users write them


def test_a_good_script(checked: Check) -> None:
    checked.write(GOOD)
    text = checked.text("score.py")
    assert text.startswith("score.py: good, runs in ")
    assert "  input         plain: run(data) gets the body as text\n" in text
    for label in ("kind", "time", "memory"):
        assert f"\n  {label:<14}" in text
    assert "POST" not in text


def test_a_sample(checked: Check) -> None:
    checked.write(GOOD)
    text = checked.text("score.py", "--sample", "[1]")
    assert "POST /score -> 200, run() returned dict, 14 bytes" in text
    assert '\n  {"got": "[1]"}\n' in text


@pytest.mark.parametrize(
    ("script", "sample", "kind"),
    [
        ("json_sums.py", '{"data": [[1, 2]]}', None),
        ("async_run.py", "{}", None),
        ("schema_standard.py", '{"name": "Ada", "age": 36, "scores": [1]}', None),
        ("schema_numpy.py", '{"data": [[1, 2, 3]]}', None),
        ("headers_in.py", '"x"', None),
        ("generator_run.py", "3", "generator"),
        ("partial_run.py", "{}", None),
        ("callable_run.py", "{}", None),
        ("sse.py", '{"prompt": "a b"}', None),
    ],
)
def test_scripts_of_every_form(
    checked: Check, script: str, sample: str, kind: str | None
) -> None:
    report = checked.report(str(SCRIPTS / script), "--sample", sample)
    assert report["answer"]["status"] == 200
    assert kind in (None, report["answer"]["type"])
    assert report["failure"] is None


def test_scikit_learn(checked: Check) -> None:
    pytest.importorskip("sklearn")
    example = SCRIPTS / "sklearn_iris"
    subprocess.run(
        [sys.executable, str(example / "train.py"), "iris"], cwd=checked.root, check=True
    )
    sample = '{"data": [[5.1, 3.5, 1.4, 0.2]]}'
    argv = (str(example / "score.py"), "--model_dir", "iris", "--sample", sample)
    report = checked.report(*argv)
    assert report["answer"]["status"] == 200
    assert any("sklearn" in item["module"] for item in report["slow_imports"])
    assert report["memory"]["import"]["rss"] > report["memory"]["start"]["rss"]
    without = checked.report(argv[0], code=1)
    assert "--model_dir" in without["failure"]["advice"]


def test_a_sample_from_a_file(checked: Check) -> None:
    (checked.root / "body.json").write_text('{"a": 1}')
    (checked.root / "body.bin").write_bytes(b"\xff")
    script = str(SCRIPTS / "body_digest.py")
    assert checked.report(script, "--sample", "body.json")["answer"]["status"] == 200
    report = checked.report(script, "--sample", "body.bin", code=1)
    assert "cannot be decoded as UTF-8" in report["failure"]["error"]


def test_headers_go_with_the_sample(checked: Check) -> None:
    argv = (str(SCRIPTS / "raw_echo.py"), "--sample", "{}", "--header", "X-View:method")
    assert checked.report(*argv)["answer"]["body"] == '"POST"'
    kind = checked.report(
        str(SCRIPTS / "schema_standard.py"), "--sample", "{}", "--header", "Content-Type: text/csv",
        code=1,
    )
    assert kind["answer"]["status"] == 415


def test_a_sample_that_the_schema_refuses(checked: Check) -> None:
    sample = '{"name": "Ada", "age": "old", "scores": [1]}'
    report = checked.report(str(SCRIPTS / "schema_standard.py"), "--sample", sample, code=1)
    assert report["failure"]["advice"].startswith("Send what run() declares")


def test_the_example_of_a_schema(checked: Check) -> None:
    report = checked.report(str(SCRIPTS / "schema_numpy.py"))
    assert report["mode"] == "schema"
    assert report["example"] == {"data": [[1.0, 2.0, 3.0]]}
    again = json.dumps(report["example"])
    assert checked.report(report["script"], "--sample", again)["answer"]["status"] == 200


def test_an_answer_without_an_end(checked: Check) -> None:
    report = checked.source(
        """
        import itertools
        def init(): pass
        def run(data):
            for number in itertools.count():
                yield f"{number}\\n"
        """,
        "--sample=1",
    )
    answer = report["answer"]
    assert (answer["whole"], answer["streamed"]) == (False, True)
    assert "and more to come" in checktext.render(report)


def test_no_init(checked: Check) -> None:
    source = "def init(): raise OSError('no disk')\ndef run(data): return 1\n"
    report = checked.source(source, "--no-init", "--sample", "1")
    assert "init_ms" not in report and "answer" not in report
    assert checked.source(source, code=1)["failure"]["error"] == "OSError: no disk"


def test_the_script_does_not_run_in_this_process(checked: Check) -> None:
    report = checked.source(
        "import os\ndef init(): pass\ndef run(data): return os.getppid()\n", "--sample=1"
    )
    assert int(report["answer"]["body"]) > 1


def test_files_beside_the_script_are_found(checked: Check) -> None:
    checked.write("VALUE = 7\n", "json_helper.py")
    report = checked.source(
        "import json_helper\ndef init(): pass\ndef run(data): return json_helper.VALUE\n",
        "--sample=1",
    )
    assert report["answer"]["body"] == "7"


def test_what_the_script_writes_is_shown_to_who_asks(checked: Check) -> None:
    checked.write("import os\nos.write(1, b'by C')\nprint('by Python')\n" + GOOD)
    assert "by Python" not in checked.text("score.py")
    text = checked.text("score.py", "-v")
    assert "by Python" in text and "by C" in text


# Mistakes


@pytest.mark.parametrize(
    ("source", "phase", "error", "line", "advice"),
    [
        ("def init(: pass\n", "import", "SyntaxError", 1, "mend it"),
        ("import nowhere_to_be_found.x\n", "import", "ModuleNotFoundError", 1,
         "pip install nowhere_to_be_found)"),
        ("from json import nothing\n", "import", "ImportError", 1, "compare its version"),
        ("x = 1\n", "import", "does not have a init() function", None, "as it says"),
        ("def init(): pass\n\ndef run(): pass\n", "import", "run() needs to accept", 3,
         "as it says"),
        ("def init(): pass\ndef run(*a): pass\n", "import", "run() cannot accept", 2,
         "as it says"),
        ("raise SystemExit(3)\n", "import", "SystemExit: 3", 1, "Raise an exception instead"),
        ("def init():\n    open('model.pkl')\ndef run(d): pass\n", "init", "FileNotFoundError",
         2, "--model_dir"),
        ("import os\ndef init():\n    os.environ['MODEL_NAME']\ndef run(d): pass\n", "init",
         "KeyError: 'MODEL_NAME'", 3, "MODEL_NAME=..."),
        ("def init(): raise MemoryError\ndef run(d): pass\n", "init", "MemoryError", 1, "less"),
        ("def init(): pass\ndef run(d):\n    return 1 / 0\n", "run", "ZeroDivisionError", 3,
         "the client would get a 500"),
        ("def init(): pass\ndef run(d):\n    return {1, 2}\n", "run",
         "set is not JSON serializable", None, ".tolist()"),
        ("def init(): pass\ndef run(d, e): pass\n", "run", "missing 1 required", None,
         "defaults"),
        ("def init(): pass\ndef run(d):\n    yield 'a'\n    raise ValueError('late')\n", "run",
         "ValueError: late", 4, "500"),
    ],
)
def test_a_mistake_is_named(
    checked: Check, source: str, phase: str, error: str, line: int | None, advice: str
) -> None:
    report = checked.source(source, "--sample", "1", code=1)
    failure = report["failure"]
    assert (failure["phase"], error in failure["error"]) == (phase, True), failure
    assert (failure["where"] or {"line": None})["line"] == line
    assert advice in failure["advice"]
    text = checktext.render(report)
    assert "cannot be served" in text
    assert str(Path(failures.__file__).parent) not in text


def test_a_traceback_has_the_users_frames_alone(checked: Check) -> None:
    checked.write("import json\ndef parse(text):\n    return json.loads(text)\n", "helper.py")
    checked.write(
        """
        import helper
        def init(): pass
        def run(data):
            try:
                return helper.parse("{")
            except ValueError as error:
                raise RuntimeError("no JSON") from error
        """
    )
    text = checked.text("score.py", "--sample", "1", code=1)
    assert "error: RuntimeError: no JSON\n  at score.py, line 8, in run\n" in text
    assert "helper.py\", line 3, in parse" in text
    assert text.index("JSONDecodeError") < text.index("  RuntimeError: no JSON")
    frames = [line for line in text.split("\n") if line.strip().startswith('File "')]
    assert len(frames) == 3
    assert "(raised in " in text and "decoder.py" in text


@pytest.mark.parametrize("phase", ["import", "init", "run"])
@pytest.mark.parametrize(
    ("act", "told", "advice"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "by SIGSEGV", "native code"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "by SIGKILL", "memory ran out"),
        ("os._exit(5)", "with exit code 5", "Raise an exception"),
    ],
)
def test_a_script_that_ends_the_process(
    checked: Check, phase: str, act: str, told: str, advice: str
) -> None:
    source = f"import os, signal\ndef act():\n    {act}\n"
    source += "def init(): act()\n" if phase == "init" else "def init(): pass\n"
    source += "def run(d): act()\n" + ("act()\n" if phase == "import" else "")
    failure = checked.source(source, "--sample=1", code=1)["failure"]
    assert failure["phase"] == phase
    assert failure["error"].endswith(told)
    assert advice in failure["advice"]
    if told == "by SIGSEGV":
        assert (failure["where"]["line"], failure["where"]["function"]) == (3, "act")


@pytest.mark.parametrize("where", ["init", "run"])
def test_a_script_that_never_comes_back(checked: Check, where: str) -> None:
    source = f"import signal\ndef init(): pass\ndef run(d): pass\ndef {where}(d=1):\n    "
    source += "while True: signal.pause()\n"
    report = checked.source(source, "--sample=1", "--timeout=1.5", code=1)
    assert report["failure"]["error"] == f"{where}() took longer than 1.5 s"
    assert "--timeout" in report["failure"]["advice"]


@pytest.mark.parametrize(
    ("script", "sample", "status"),
    [("schema_standard.py", "{}", 400), ("schema_standard.py", "[1]", 400)],
)
def test_a_sample_that_the_script_does_not_take(
    checked: Check, script: str, sample: str, status: int
) -> None:
    report = checked.report(str(SCRIPTS / script), "--sample", sample, code=1)
    assert report["answer"]["status"] == status
    assert f"answered {status}" in report["failure"]["error"]


def test_a_status_of_the_scripts_own(checked: Check) -> None:
    source = """
        from azureml_inference_server_http.api.aml_response import AMLResponse
        def init(): pass
        def run(data): return AMLResponse("no", int(data))
        """
    assert checked.source(source, "--sample=404")["answer"]["status"] == 404
    failure = checked.source(source, "--sample=503", code=1)["failure"]
    assert "answered 503" in failure["error"]


def test_a_setting_that_is_wrong(checked: Check) -> None:
    report = checked.source(GOOD, code=1, SCORING_TIMEOUT_MS="soon")
    assert report["failure"]["phase"] == "settings"
    assert "SCORING_TIMEOUT_MS" in checktext.render(report)
    report = checked.source(GOOD, code=1, MAX_BODY_BYTES="big")
    assert report["failure"]["error"].startswith("MAX_BODY_BYTES: expected a whole number")


def test_a_logging_file_that_is_wrong(checked: Check) -> None:
    (checked.root / "logging.json").write_text("{")
    text = checktext.render(checked.source(GOOD, code=1))
    assert "What was written meanwhile" in text and "Invalid config file" in text


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["nowhere.py"], "there is no file nowhere.py"),
        (["score.py", "--sample", "{"], "--sample is no file that is there, and no JSON"),
        (["score.py", "--model_dir", "nowhere"], "there is no folder nowhere"),
        (["score.py", "--worker_kind", "green"], "'green'"),
        (["score.py", "--timeout", "0"], "--timeout"),
        (["score.py", "--header", "X"], "NAME:VALUE"),
        ([], "SCRIPT"),
    ],
)
def test_a_command_line_that_makes_no_sense(checked: Check, argv: list[str], text: str) -> None:
    checked.write(GOOD)
    done = checked.run(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert text in done.stderr and "Traceback" not in done.stderr


# Warnings


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("def init(): pass\ndef run(d): print(1); print(2)\n", "run() prints 2 time(s)"),
        ("import os\ndef init(): os.environ.get('AZUREML_MODEL_DIR')\ndef run(d): pass\n",
         "which is not set: pass --model_dir"),
        ("import os\ndef init():\n    if not os.fork(): os._exit(0)\n    os.wait()\n"
         "def run(d): pass\n", "forks its process"),
        ("import threading\ndef init():\n    threading.Thread(target=threading.Event().wait, "
         "name='tick', daemon=True).start()\ndef run(d): pass\n",
         "1 thread(s) running (daemons among them): tick"),
    ],
)
def test_what_is_worth_a_word(checked: Check, source: str, text: str) -> None:
    report = checked.source(source, "--sample=1")
    assert any(text in warning for warning in report["warnings"]), report["warnings"]
    assert f"warning: {report['warnings'][0]}" in checktext.render(report)


def test_parameters_that_nothing_fills(checked: Check) -> None:
    report = checked.source("def init(): pass\ndef run(a, b, c=1, request_headers=2): pass\n")
    (warning,) = report["warnings"]
    assert warning.startswith("run() needs 'b' too")
    report = checked.source(
        """
        from inference_schema.schema_decorators import input_schema
        from inference_schema.parameter_types.standard_py_parameter_type import (
            StandardPythonParameterType as Any)
        def init(): pass
        @input_schema("a", Any(1))
        def run(a, b): pass
        """
    )
    assert report["warnings"] == ["run() takes 'b' as it comes: no @input_schema describes it."]


def test_a_model_directory_that_is_not_there(checked: Check) -> None:
    report = checked.source(GOOD, AZUREML_MODEL_DIR="/nowhere")
    assert report["warnings"] == ["The model directory does not exist: /nowhere"]


def test_slow_imports_are_the_users_statements(checked: Check) -> None:
    (checked.root / "lib" / "site-packages" / "snail").mkdir(parents=True)
    slow = "import time\nend = time.monotonic() + 0.05\nwhile time.monotonic() < end: pass\n"
    checked.write(slow, "lib/site-packages/snail/__init__.py")
    checked.write("import snail\n", "helper.py")
    lib = str(checked.root / "lib" / "site-packages")
    report = checked.source("import helper\n" + GOOD, PYTHONPATH=lib)
    assert [item["module"] for item in report["slow_imports"]] == ["snail"]
    assert report["slow_imports"][0]["ms"] >= 50


# The kind


def seen(**given: object) -> probe.Report:
    """A probe's report."""
    made = probe.Report()
    for name, value in given.items():
        setattr(made, name, value)
    return made


@pytest.fixture
def here(checked: Check, monkeypatch: pytest.MonkeyPatch) -> Iterator[Check]:
    """Has examine() be called in this process, with an environment to spoil."""
    before = dict(os.environ)
    monkeypatch.chdir(checked.root)
    monkeypatch.setattr(check, "_FIRST_PROBED", (3, 10))
    os.environ["HOME"] = str(checked.root)
    checked.write(GOOD)
    yield checked
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.parametrize(
    ("report", "loads", "reason"),
    [
        (seen(), True, "score.py loads in subinterpreters"),
        (seen(refused=["numpy"]), False, "numpy does not load in subinterpreters"),
        (seen(unable="too old"), None, "too old"),
        (seen(died="ended by SIGSEGV"), False,
         "loading score.py in subinterpreters ended by SIGSEGV"),
    ],
)
def test_what_subinterpreters_make_of_it(
    here: Check, monkeypatch: pytest.MonkeyPatch, report: probe.Report, loads: object, reason: str
) -> None:
    monkeypatch.setattr(probe, "run", lambda boot: report)
    found = check.examine(check.Order("score.py"))
    assert found["good"]
    assert (found["subinterpreters"]["loads"], found["subinterpreters"]["reason"]) == (
        loads,
        reason,
    )
    order = check.Order("score.py")
    order.worker_kind = "interpreter"
    found = check.examine(order)
    assert found["good"] is (loads is True)
    assert found["kind"]["chosen"] == "interpreter"
    if not found["good"]:
        assert "--worker_kind process" in checktext.render(found)


def test_degraded_packages_are_named(here: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "run", lambda boot: seen(degraded=["yaml._yaml"]))
    found = check.examine(check.Order("score.py"))
    assert found["subinterpreters"]["degraded"] == ["yaml._yaml"]
    assert "yaml._yaml does not load in subinterpreters" in checktext.render(found)


def test_a_script_that_cannot_be_imported_is_not_probed(
    here: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(probe, "run")
    here.write("1 / 0\n")
    found = check.examine(check.Order("score.py"))
    assert found["subinterpreters"]["loads"] is None


# Telling the user's files from others


@pytest.mark.parametrize(
    ("path", "verdict"),
    [
        ("/app/score.py", True),
        ("/app/env/lib/python3.13/site-packages/numpy/__init__.py", False),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("", False),
        (json.__file__, False),
        (failures.__file__, False),
    ],
)
def test_whose_file_it_is(path: str, verdict: bool) -> None:
    assert failures.is_users(path) is verdict


def test_a_circle_of_causes_has_an_end() -> None:
    first, second = ValueError("1"), ValueError("2")
    first.__cause__, second.__cause__ = second, first
    assert "ValueError: 2" in failures.users_traceback(first)


# Tensors and batches

TENSOR_SCRIPTS = SCRIPTS.parent / "e2e" / "scripts"
ROW = [1, 2, 3, 4]
TYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
ALL_TYPES = {
    "bool": [[True, False]],
    **{name: [[1, 2]] for name in TYPES},
    **{name: [[0.5, 2.0]] for name in ("fp16", "bf16", "fp32", "fp64")},
    "bytes": [["a", "b"]],
}


@pytest.mark.parametrize(
    ("name", "mode", "sample", "answer"),
    [
        ("tensor_affine", "tensor", {"x": [ROW, ROW]}, [[60.0, 70.0, 80.0]] * 2),
        ("tensor_batch", "tensor", {"x": [ROW]}, {"sum": [10.0], "rows": [1]}),
        ("tensor_types", "tensor", ALL_TYPES, ALL_TYPES),
        ("bad_rows", "tensor", {"x": [[3, 0]]}, {"y": [-3.0], "calls": [1]}),
        ("batch_bodies", "batch", 21, {"doubled": 42, "bodies": 1}),
        ("numpy_schema", "schema", {"data": [[0] * 128], "scale": [2]}, [0.0]),
    ],
)
def test_scripts_with_tensors(
    checked: Check, name: str, mode: str, sample: object, answer: object
) -> None:
    path = str(TENSOR_SCRIPTS / f"{name}.py")
    report = checked.report(path, "--sample", json.dumps(sample))
    assert (report["mode"], json.loads(report["answer"]["body"])) == (mode, answer)
    assert (report["model"] is None) == (mode == "batch")
    assert report["warnings"] == []


def test_what_a_tensor_script_takes_is_told(checked: Check) -> None:
    text = checked.text(str(TENSOR_SCRIPTS / "bad_rows.py"))
    assert "\n  input         tensor: x FP64 [-1,2]\n" in text
    assert "\n  output        y FP64 [-1], calls INT64 [-1]\n" in text
    assert "\n  batches       up to 64 rows, which wait up to 20 ms for company\n" in text
    assert '\n  sample input  {"x": [[0.0, 0.0]]}\n' in text
    text = checked.text(str(TENSOR_SCRIPTS / "batch_bodies.py"))
    assert "\n  input         batch: run(bodies) gets a list of bodies as text\n" in text
    assert "\n  batches       up to 16 bodies\n" in text
    text = checked.text(str(TENSOR_SCRIPTS / "numpy_schema.py"))
    assert "\n  tensors       data FP64 [-1,128], scale INT64 [-1]\n" in text
    assert "\n  output        output0 FP64 [-1]\n" in text


TENSOR = """
import scorehost
def init(): pass
@scorehost.tensor({"x": ("FP32", [-1, 2])}, {"y": ("INT64", [-1, 2])})
def run(x): return x
"""


def test_an_output_that_was_not_declared(checked: Check) -> None:
    report = checked.source(TENSOR, "--sample", '{"x": [[1, 2]]}', code=1)
    failure = report["failure"]
    assert "run() returned the output 'y' with elements of type float32" in failure["error"]
    assert failure["advice"].startswith("Return what the decorator declares")
    assert report["answer"]["type"] == "numpy.ndarray"


def test_a_sample_that_does_not_fit(checked: Check) -> None:
    report = checked.source(TENSOR, "--sample", '{"x": [[1, 2], [3]]}', code=1)
    assert "The lists are ragged: x[1] has shape [1]" in report["failure"]["error"]


def test_a_decorator_that_will_not_do(checked: Check) -> None:
    report = checked.source(TENSOR.replace("FP32", "float32"), code=1)
    assert "there is no datatype 'float32'" in report["failure"]["error"]
    assert report["failure"]["where"]["line"] == 4
