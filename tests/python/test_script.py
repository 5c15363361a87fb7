"""A script is found, checked and called as its author expects."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import get, load, logged, post, settings_for

from scorehost import errors, hook, inputs, isolation, outputs, reply, script
from scorehost.parameters import parameters_of

RAW = "from azureml_inference_server_http.api.aml_request import rawhttp\n"
SCHEMA = """
from inference_schema.schema_decorators import input_schema
from inference_schema.parameter_types.standard_py_parameter_type import (
    StandardPythonParameterType as P)
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Each test has modules, folders and decorators of its own."""
    before = dict(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.chdir(tmp_path)
    yield
    for name in set(sys.modules) - set(before):
        if name.startswith(("azureml", "inference_schema")) or name in ("main", "inner"):
            del sys.modules[name]


def problem(root: Path, source: str) -> str:
    """The message of what is wrong with a script."""
    with pytest.raises(errors.UserScriptError) as caught:
        load(root, source)
    return str(caught.value)


# Finding and importing


def test_the_script_is_a_module_of_its_own(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(data): return [__name__, __package__, __file__]")
    assert loaded.run(data="") == ["entry_module", "", str(tmp_path / "score.py")]
    assert "entry_module" not in sys.modules


def test_an_absolute_entry_script_wins_over_the_root(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def init(): pass\ndef run(data): return 'x'\n")
    made = settings_for(tmp_path / "elsewhere", entry=str(tmp_path / "x.py"))
    assert script.load(made).run(data="") == "x"


def test_without_an_entry_script_main_is_imported(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("def init(): pass\ndef run(data): return __name__\n")
    sys.path.append(str(tmp_path))
    assert script.load(settings_for(tmp_path, entry="")).run(data="") == "main"


def test_no_main(tmp_path: Path) -> None:
    with pytest.raises(errors.UserScriptImportException) as caught:
        script.load(settings_for(tmp_path, entry=""))
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert caught.value.__cause__.name == "main"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("raise ValueError('x')", ValueError),
        ("raise SystemExit(0)", SystemExit),
        ("raise KeyboardInterrupt", KeyboardInterrupt),
        ("def init(: pass", SyntaxError),
        ("import no_such_module", ModuleNotFoundError),
        ("open('no_such_file')", FileNotFoundError),
    ],
)
def test_whatever_the_import_raises_is_the_cause(
    tmp_path: Path, source: str, kind: type[BaseException]
) -> None:
    with pytest.raises(errors.UserScriptImportException) as caught:
        load(tmp_path, source)
    assert str(caught.value) == (
        "Failed to import user script because it raised an unhandled exception"
    )
    assert isinstance(caught.value.__cause__, kind)


def test_a_file_that_python_cannot_import(tmp_path: Path) -> None:
    (tmp_path / "score.txt").write_text("x")
    with pytest.raises(errors.UserScriptImportException) as caught:
        script.load(settings_for(tmp_path, entry="score.txt"))
    assert "must end in .py" in str(caught.value.__cause__)


# Checks


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x = 1", "User script at {} does not have a init() function defined."),
        ("def init(): pass", "User script at {} does not have a run() function defined."),
        ("def run(): pass", "run() needs to accept an argument for input data."),
        (
            "def run(request_headers): pass",
            'run() needs to accept an argument other than "request_headers".',
        ),
    ],
)
def test_what_a_script_must_have(tmp_path: Path, source: str, text: str) -> None:
    (tmp_path / "score.py").write_text(source + ("" if "init" in source else "\ndef init(): pass"))
    if source == "x = 1":
        (tmp_path / "score.py").write_text(source)
    with pytest.raises(errors.UserScriptError) as caught:
        script.load(settings_for(tmp_path))
    assert str(caught.value) == text.format(tmp_path / "score.py")


@pytest.mark.parametrize(
    "run",
    [
        "def run(a, /): pass",
        "def run(*a): pass",
        "def run(data, **k): pass",
        "run = {}.get",
        "from functools import wraps\n@wraps(lambda a, /: 1)\ndef run(data): pass",
    ],
)
def test_parameters_that_run_cannot_have(tmp_path: Path, run: str) -> None:
    text = "run() cannot accept positional-only arguments, *args, or **kwargs."
    assert problem(tmp_path, run) == text


@pytest.mark.parametrize("run", ["run = 3", "run = int"])
def test_a_run_without_a_signature_stops_the_worker(tmp_path: Path, run: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        load(tmp_path, run)


class Callable:
    def __call__(self, data: Any, request_headers: Any = 1, *, more: int = 2) -> None: ...

    def method(self, data: Any, more: int = 2) -> None: ...


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (lambda a, b=1, *, c, d=2: 0, {"a": None, "b": 1, "c": None, "d": 2}),
        (lambda a, b: 0, {"a": None, "b": None}),
        (lambda a=1, b=2: 0, {"a": 1, "b": 2}),
        (lambda *, a=1, b: 0, {"a": 1, "b": None}),
        (Callable(), {"data": None, "request_headers": 1, "more": 2}),
        (Callable().method, {"data": None, "more": 2}),
        (functools.partial(lambda x, data: 0, 1), {"data": None}),
        (functools.wraps(lambda q: 0)(lambda **k: 0), {"q": None}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_parameters(run: Any, expected: dict[str, Any]) -> None:
    found = parameters_of(run)
    assert list(found) == list(expected)
    for name, default in found.items():
        assert default is inputs.REQUIRED or default == expected[name]


# Modes


def test_plain_mode(tmp_path: Path) -> None:
    with logged() as lines:
        loaded = load(tmp_path, "def run(data, more=2): return [data, more]")
    assert (loaded.mode, loaded.parameter, loaded.fast) == ("plain", "data", True)
    assert lines == [
        f"I Found user script at {tmp_path / 'score.py'}",
        "I run() is not decorated. Server will invoke it with the input in JSON string.",
    ]


def test_a_run_with_headers_is_not_fast(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(request_headers, data): return [data, request_headers]")
    assert (loaded.parameter, loaded.wants_headers, loaded.fast) == ("data", True, False)
    body = loaded.invoke(post(b"x", headers=[("X-a", "1")]))[2]
    assert json.loads(str(body)) == [
        "x",
        {"Host": "127.0.0.1:5001", "Content-Length": "1", "X-A": "1"},
    ]


def test_raw_mode(tmp_path: Path) -> None:
    with logged() as lines:
        loaded = load(tmp_path, RAW + "@rawhttp\ndef run(request): return request.path")
    assert (loaded.mode, loaded.fast) == ("raw", False)
    assert lines[1] == (
        "I run() is decorated with @rawhttp. "
        "Server will invoke it with the flask request object."
    )


@pytest.mark.parametrize(
    "source",
    [
        "def plain(f): return lambda request: f(request)\n@plain\n@rawhttp\ndef run(request): pass",
        "from functools import wraps\n@wraps(rawhttp(lambda request: 0))\ndef run(request): pass",
        "class H:\n  @rawhttp\n  def __call__(self, request): pass\nrun = H()",
        "class H:\n  @rawhttp\n  def m(self, request): pass\nrun = H().m",
        "from functools import partial\n@rawhttp\ndef f(x, request): pass\nrun = partial(f, 1)",
        "from azureml_inference_server_http.api import aml_request as a\n"
        "a._rawHttpRequested = True\ndef run(request): pass",
    ],
)
def test_raw_mode_through_other_wrappers(tmp_path: Path, source: str) -> None:
    assert load(tmp_path, RAW + source).mode == "raw"


@pytest.mark.parametrize("name", ["helper", "run"])
def test_rawhttp_elsewhere_does_not_change_the_mode(tmp_path: Path, name: str) -> None:
    """Difference: a helper that uses @rawhttp for itself is left alone."""
    (tmp_path / "inner.py").write_text(RAW + f"@rawhttp\ndef {name}(request): pass\n")
    sys.path.append(str(tmp_path))
    assert load(tmp_path, "import inner\ndef run(data): pass").mode == "plain"


def test_schema_mode(tmp_path: Path) -> None:
    source = SCHEMA + "@input_schema('a', P(1))\ndef run(a, request_headers, b=2): return [a, b]"
    with logged() as lines:
        loaded = load(tmp_path, source)
    assert loaded.mode == "schema"
    assert lines[1] == (
        "I run() is decorated with @input_schema. "
        "Server will invoke it with the following arguments: a, b."
    )
    status, _, body, flags, _ = loaded.invoke(post(b'{"a": 5}', "application/json"))
    assert (status, body, flags) == (200, "[5, 2]", reply.EXEC_MS)
    status, _, body, flags, _ = loaded.invoke(post(b'{"a": "x"}', "application/json"))
    assert (status, flags) == (500, reply.FAILED)
    assert loaded.invoke(post(b"", "application/json"))[0] == 400
    assert loaded.invoke(get(b"a=7&b=1"))[2] == "[7, 1]"
    loaded.prepare_swaggers()
    assert json.loads(loaded.swaggers["2"])["definitions"]["ServiceInput"]["example"] == {
        "a": 1,
        "request_headers": "",
        "b": "",
    }


def test_both_decorators(tmp_path: Path) -> None:
    text = "run() cannot be decorated with both @rawhttp and @input_schema"
    source = RAW + SCHEMA + "@rawhttp\n@input_schema('both', P(1))\ndef run(both): pass"
    assert problem(tmp_path, source) == text


def test_a_driver_script(tmp_path: Path) -> None:
    (tmp_path / "inner.py").write_text("def init(): 1 / 0\ndef run(text): return 'inner ' + text\n")
    sys.path.append(str(tmp_path))
    source = "import inner as driver_module\ndef run(x): pass\ndef init(): print('outer')"
    with logged() as lines:
        loaded = load(tmp_path, source)
    loaded.init()
    assert loaded.parameter == "text"
    assert loaded.run(text="x") == "inner x"
    assert lines[0] == (
        f"I Found driver script at {tmp_path / 'score.py'} "
        f"and the score script at {tmp_path / 'inner.py'}"
    )


def test_a_driver_module_that_is_no_module(tmp_path: Path) -> None:
    assert load(tmp_path, "driver_module = 3\ndef run(own): pass").parameter == "own"


# Calling


@pytest.fixture(params=["flask", "no flask"])
def flask_or_not(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both roads: with a Flask context around run(), and without."""
    if request.param == "flask":
        pytest.importorskip("flask")
    else:
        monkeypatch.delitem(sys.modules, "flask", raising=False)


@pytest.mark.usefixtures("flask_or_not")
def test_a_plain_post_and_get(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(data): return data")
    status, headers, body, flags, run_ns = loaded.invoke(post(b'{"a": 1}'))
    assert (status, headers, body, flags) == (200, [], '"{\\"a\\": 1}"', reply.EXEC_MS)
    assert run_ns > 0
    assert loaded.invoke(get(b"a=1"))[2] == '"{\\"a\\": 1}"'
    assert loaded.invoke(post(b"\xff"))[0] == 400


@pytest.mark.usefixtures("flask_or_not")
def test_methods_that_do_not_run(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(data): 1 / 0")
    assert loaded.invoke(post(method="OPTIONS")) == (
        200,
        [("Content-Type", "text/html; charset=utf-8")],
        b"",
        reply.OWN_TYPE,
        0,
    )
    status, _, body, flags, _ = loaded.invoke(post(method="HEAD"))
    assert (status, body, flags) == (405, '{"message": "Method not allowed"}', 0)


@pytest.mark.usefixtures("flask_or_not")
@pytest.mark.parametrize(
    "raised", ["ValueError('boom')", "TimeoutError('mine')", "SystemExit(3)", "KeyboardInterrupt"]
)
def test_whatever_run_raises_is_a_500(tmp_path: Path, raised: str) -> None:
    """Difference: SystemExit too, and a TimeoutError of the script's own."""
    loaded = load(tmp_path, f"def run(data): raise {raised}")
    with logged() as lines:
        status, headers, body, flags, _ = loaded.invoke(post(b"x"))
    assert (status, headers, flags) == (500, [], reply.FAILED)
    assert body == json.dumps({"message": reply.SCRIPT_FAILED})
    assert len(lines) == 1
    assert lines[0].startswith("E Encountered Exception: Traceback (most recent call last):\n")
    assert raised.split("(")[0] in lines[0]
    assert lines[0].endswith(
        "UserScriptException: Caught an unhandled exception from the user script\n"
    )


@pytest.mark.usefixtures("flask_or_not")
def test_the_deadline(tmp_path: Path) -> None:
    source = "from scorehost.errors import ScoringTimeout\ndef run(data): raise ScoringTimeout"
    loaded = load(tmp_path, source, scoring_timeout_ms=500)
    with logged() as lines:
        status, _, body, flags, _ = loaded.invoke(post(b"x"))
    assert (status, flags) == (500, reply.FAILED)
    assert body == '{"message": "Scoring timeout after 500 ms"}'
    assert lines[0].startswith("E Encountered Exception: Traceback")
    assert lines[0].endswith(
        "UserScriptTimeout: Script failed to finish execution within the allocated time: 500ms\n"
    )


def test_a_missing_argument_fails_at_the_request(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(data, other): pass")
    assert loaded.invoke(post(b"x"))[3] == reply.FAILED


def test_what_c_calls(tmp_path: Path) -> None:
    """The fast road: C calls run, encode, and finish or failed."""
    loaded = load(tmp_path, "def run(data): return {'a': [1, None, float('inf')]}")
    result = loaded.run(data="")
    assert loaded.encode(result) == '{"a": [1, null, Infinity]}'
    assert loaded.finish(b"x", 5) == (
        200,
        [("Content-Type", "application/octet-stream")],
        b"x",
        reply.EXEC_MS | reply.OWN_TYPE,
        5,
    )
    with logged():
        assert loaded.finish({1, 2}, 5)[:3] == (
            500,
            [],
            json.dumps({"message": reply.INTERNAL_ERROR}),
        )
        assert loaded.failed(ValueError("x"))[0] == 500
    assert loaded.flask_active() is ("flask" in sys.modules)


def test_log_lines_are_not_formats(tmp_path: Path) -> None:
    loaded = load(tmp_path, "def run(data): pass")
    with logged("a.logger") as lines:
        loaded.log_line("a.logger", 20, "GET /score?a=%d")
    assert lines == ["I GET /score?a=%d"]


# Coroutines


@pytest.fixture
def loops() -> Any:
    """Closes the event loop that the test's thread was given."""
    yield
    loop = outputs._loops.__dict__.pop("loop", None)
    if loop is not None:
        loop.close()


@pytest.mark.usefixtures("loops")
def test_async_functions_are_waited_for(tmp_path: Path) -> None:
    """Difference: init and run may be coroutines."""
    source = """
        import asyncio
        async def init():
            global ready
            await asyncio.sleep(0)
            ready = True
        async def run(data):
            await asyncio.sleep(0)
            return [data, ready]
        """
    loaded = load(tmp_path, source)
    loaded.init()
    assert loaded.fast
    assert loaded.run(data="x") == ["x", True]
    assert loaded.invoke(post(b"x"))[2] == '["x", true]'


@pytest.mark.usefixtures("loops")
def test_a_coroutine_that_is_interrupted_cleans_up(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: signal.signal(signal.SIGALRM, signal.SIG_DFL))
    source = """
        import asyncio, signal
        from scorehost.errors import ScoringTimeout
        seen = []
        def interrupt(number, frame):
            raise ScoringTimeout
        async def run(data):
            signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            try:
                await asyncio.Event().wait()
            finally:
                seen.append("cleaned up")
        """
    loaded = load(tmp_path, source, scoring_timeout_ms=7)
    with logged():
        assert loaded.invoke(post(b"x"))[2] == '{"message": "Scoring timeout after 7 ms"}'
    assert loaded._decorated.__globals__["seen"] == ["cleaned up"]


@pytest.mark.usefixtures("loops")
def test_a_coroutine_behind_a_decorator(tmp_path: Path) -> None:
    source = """
        def sync(function):
            return lambda data: function(data)
        @sync
        async def run(data):
            return data
        """
    loaded = load(tmp_path, source)
    assert loaded.invoke(post(b"x"))[2] == '"x"'
    assert loaded.finish(loaded.run(data="x"), 1)[2] == '"x"'


@pytest.mark.usefixtures("loops")
def test_flask_in_a_coroutine(tmp_path: Path) -> None:
    pytest.importorskip("flask")
    loaded = load(tmp_path, "import flask\nasync def run(data): return flask.request.path")
    assert loaded.invoke(post(b"x"))[2] == '"/score"'


# Cost


def test_a_plain_script_costs_no_heavy_imports(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text("def init(): pass\ndef run(data): return 1\n")
    code = f"""
import json, logging, sys
from scorehost import settings
before = set(sys.modules)
from scorehost import script
conf = settings.Settings()
conf.app_root, conf.entry_script = {str(tmp_path)!r}, "score.py"
loaded = script.load(conf)
loaded.init()
loaded.prepare_swaggers()
assert len(loaded.swaggers) == 3
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    path = os.pathsep.join([str(Path(hook.__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
    )
    new = {name.split(".")[0] for name in json.loads(done.stdout)}
    heavy = {"inspect", "dataclasses", "asyncio", "flask", "werkzeug", "numpy", "urllib"}
    assert not new & heavy


# Copies, and what cannot be had


def test_a_copy_is_a_module_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        "from pathlib import Path\ncalls = []\ndef init(): pass\n"
        "def run(data):\n calls.append(1)\n return [__name__, len(calls)]\n"
    )
    made = settings_for(tmp_path, entry=str(tmp_path / "x.py"))
    copies = [script.load(made, number) for number in (0, 1, 2)]
    assert [scoring.run(data="") for scoring in copies] == [
        ["entry_module", 1], ["entry_module_2", 1], ["entry_module_3", 1]
    ]


def test_a_copy_of_main(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "main.py").write_text("def init(): pass\ndef run(data): return __name__\n")
    monkeypatch.syspath_prepend(tmp_path)
    made = settings_for(tmp_path, entry="")
    assert [script.load(made, number).run(data="") for number in (0, 1)] == ["main", "main_2"]


FAULTY = """
def run(data):
    if data == "import": refuse()
    if data == "swallow":
        try: refuse()
        except ImportError: pass
    if data == "fork": raise RuntimeError("fork not supported for isolated subinterpreters")
    if data == "pieces": return pieces()
    if data == "timeout":
        try: refuse()
        except ImportError: raise Timeout from None
    if data == "cancelled":
        try: refuse()
        except ImportError: raise Cancelled from None
    if data != "swallow": raise ValueError(data)
def pieces():
    refuse()
    yield "x"
"""


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> script.Scoring:
    """A script whose imports are refused, as an interpreter of its own does it."""
    found: list[isolation.Refusal] = []
    monkeypatch.setattr(isolation, "refusals", found)

    def refuse() -> None:
        found.append(("some.module", "does not support loading in subinterpreters"))
        raise ImportError("wrapped in other words")

    scoring = load(tmp_path, FAULTY)
    scoring.refusals = found
    scoring.run.__globals__.update(
        refuse=refuse, Timeout=errors.ScoringTimeout, Cancelled=errors.Cancelled
    )
    return scoring


@pytest.mark.parametrize("what", ["import", "fork", "pieces"])
def test_a_refusal_is_answered_503(faulty: script.Scoring, what: str) -> None:
    with logged() as lines:
        status, headers, body, flags, _ = faulty.invoke(post(what.encode()))
    assert (status, headers) == (503, [("Retry-After", "1")])
    assert flags == reply.UNFIT | reply.NO_FAILED_HEADER
    assert ("os.fork()" if what == "fork" else "some.module") in str(body)
    assert len(lines) == 1 and "--worker_kind process" in lines[0]


@pytest.mark.parametrize(
    ("what", "status"),
    [("swallow", 200), ("other", 500), ("timeout", 500), ("cancelled", 499)],
)
def test_what_is_no_refusal_is_answered_as_ever(
    faulty: script.Scoring, what: str, status: int
) -> None:
    """Also after one that the script did without."""
    assert faulty.invoke(post(b"swallow"))[0] == 200
    made = faulty.invoke(post(what.encode()))
    assert made[0] == status and not made[3] & reply.UNFIT


def test_the_core_says_what_had_been_refused_before(faulty: script.Scoring) -> None:
    faulty.invoke(post(b"swallow"))
    assert faulty.refusals is not None and len(faulty.refusals) == 1
    assert faulty.unfit(ImportError("x"), 0)[0] == 503
    assert faulty.unfit(ImportError("x"), 1)[0] == 500
    assert faulty.failed(ImportError("x"))[0] == 500


def test_nothing_is_refused_in_a_process(tmp_path: Path) -> None:
    scoring = load(tmp_path, FAULTY.replace("refuse()", "raise ImportError"))
    assert scoring.refusals is None
    for what in ("import", "fork"):
        assert scoring.invoke(post(what.encode()))[0] == 500
