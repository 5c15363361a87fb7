"""What an isolated interpreter refuses: recorded, told, remembered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from importlib.machinery import BuiltinImporter, ExtensionFileLoader
from pathlib import Path
from typing import Any

import pytest
from fakes import logged
from scorehost import isolation, reply

POSSIBLE = sys.version_info >= (3, 12, 4) and "t" not in sys.abiflags


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been refused so far, and the loaders are themselves again."""
    monkeypatch.setattr(isolation, "refusals", [])
    for loader in (ExtensionFileLoader, BuiltinImporter):
        for name in ("create_module", "exec_module"):
            monkeypatch.setattr(loader, name, vars(loader)[name])


# Recording


def test_what_the_import_system_refuses_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(spec: Any) -> None:
        raise ImportError(f"not {spec.name}")

    monkeypatch.setattr(BuiltinImporter, "create_module", staticmethod(refuse))
    monkeypatch.setattr(ExtensionFileLoader, "create_module", lambda loader, spec: refuse(spec))
    isolation.record()
    monkeypatch.delitem(sys.modules, "_sre", raising=False)
    with pytest.raises(ImportError, match="not _sre"):
        __import__("_sre")
    spec = types.SimpleNamespace(name="pack.ext")
    with pytest.raises(ImportError, match="not pack.ext"):
        ExtensionFileLoader("pack.ext", "/x.so").create_module(spec)  # type: ignore[arg-type]
    assert isolation.refusals == [("_sre", "not _sre"), ("pack.ext", "not pack.ext")]


def test_what_fails_when_it_is_executed_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(loader: Any, module: Any) -> None:
        raise ImportError("once per process")

    monkeypatch.setattr(ExtensionFileLoader, "exec_module", fail)
    isolation.record()
    with pytest.raises(ImportError):
        ExtensionFileLoader("a.b", "/x.so").exec_module(types.ModuleType("a.b"))
    assert isolation.refusals == [("a.b", "once per process")]


def test_recording_twice_records_once(monkeypatch: pytest.MonkeyPatch) -> None:
    isolation.record()
    methods = dict(vars(ExtensionFileLoader))
    isolation.record()
    assert vars(ExtensionFileLoader)["exec_module"] is methods["exec_module"]
    monkeypatch.delitem(sys.modules, "_random", raising=False)
    assert __import__("_random").Random
    assert isolation.refusals == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("daemon threads are disabled in this (sub)interpreter", "daemon threads"),
        ("daemon threads are disabled in this interpreter", "daemon threads"),
        ("fork not supported for isolated subinterpreters", "os.fork()"),
        ("exec not supported for isolated subinterpreters", "os.exec*()"),
        ("preexec_fn not supported within subinterpreters", "preexec_fn of subprocess"),
    ],
)
def test_what_is_forbidden_is_known_by_its_text(text: str, what: str) -> None:
    assert isolation.forbidden(RuntimeError(text)) == (what, text)
    assert isolation.forbidden(ValueError(text)) is None
    try:
        try:
            raise RuntimeError(text)
        except RuntimeError as inner:
            raise ValueError("wrapped") from inner
    except ValueError as error:
        assert isolation.since(0, error) == [(what, text)]


def test_an_exception_that_cannot_say_what_it_is_was_refused_nothing() -> None:
    class Mute(RuntimeError):
        def __str__(self) -> str:
            raise ValueError("no words")

    assert isolation.since(0, Mute()) == []


def test_a_chain_of_exceptions_that_is_a_ring_ends() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__cause__ = second, first
    assert isolation.forbidden(first) is None


def test_what_the_library_does_without_counts_when_the_script_does_not() -> None:
    isolation.refusals += [("_tracemalloc", "no t"), ("_suggestions", "no s")]
    assert isolation.since(0, None) == isolation.since(0, ValueError("x")) == []
    error = ValueError("x")
    error.__cause__ = ImportError("no t")
    assert isolation.since(0, error) == [("_tracemalloc", "no t")]
    assert isolation.report(None)["degraded"] == []


# Telling


def test_the_sentence_names_each_module_once() -> None:
    text = isolation.sentence([("a", "why a"), ("b", "why b"), ("a", "again")])
    assert text.startswith("The script needs a, b, which cannot be had") and "(why a)" in text


def test_an_unfit_request_is_told_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    kinds = types.ModuleType("scorehost.kinds")
    kinds.remember_unfit = lambda *given: told.extend(given)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "scorehost.kinds", kinds)
    monkeypatch.setattr("scorehost.kinds", kinds, raising=False)
    with logged() as lines:
        made = isolation.unfit("/app/score.py", [("a.b", "no")])
    assert made[0] == 503 and made[3] & reply.UNFIT
    assert "a.b" in json.loads(str(made[2]))["message"]
    assert len(lines) == 1
    assert told == ["/app/score.py", ["a.b"]]


@pytest.mark.parametrize("error", [OSError("full"), ImportError("not there")])
def test_what_cannot_be_remembered_is_found_out_again(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*given: object) -> None:
        raise error

    kinds = types.ModuleType("scorehost.kinds")
    kinds.remember_unfit = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "scorehost.kinds", kinds)
    monkeypatch.setattr("scorehost.kinds", kinds, raising=False)
    isolation.mark_unfit("x", [("a", "b")])


# Before and after


def test_main_is_warm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "datetime", raising=False)
    isolation.warm()
    assert "datetime" in sys.modules


def test_the_scripts_threads_are_waited_for() -> None:
    """In a program of its own: what is registered for the end is used up."""
    code = """
import sys, threading, time
sys.path[:] = {path!r}
from concurrent.futures import ThreadPoolExecutor
from scorehost import isolation
done = []
def work(name): time.sleep(0.05); done.append(name)
ThreadPoolExecutor(1).submit(work, "pool")
threading.Thread(target=work, args=["thread"]).start()
threading.Thread(target=time.sleep, args=[600], daemon=True).start()
def wait():
    isolation.wait_for_threads()
    print(sorted(done))
    sys.stdout.flush()
waiting = threading.Thread(target=wait)
waiting.start()
waiting.join()
"""
    done = subprocess.run(
        [sys.executable, "-c", code.format(path=sys.path)],
        capture_output=True, text=True, timeout=250, check=False,
    )
    assert done.stdout == "['pool', 'thread']\n", done.stderr


# The probe


def test_a_report() -> None:
    isolation.refusals += [("a", "no"), ("a", "no"), ("b", "nor this")]
    items = [{"module": "a", "text": "no"}, {"module": "b", "text": "nor this"}]
    assert isolation.report(None) == {"refused": [], "degraded": items, "error": None}
    assert isolation.report(ImportError("x")) == {"refused": items, "degraded": [], "error": None}
    isolation.refusals.clear()
    assert isolation.report(ValueError("x"))["error"] == "ValueError: x"


@pytest.mark.parametrize(
    ("reports", "ok"),
    [
        ([{"refused": [], "degraded": [], "error": None}] * 2, True),
        ([{"refused": [], "degraded": [{"module": "a", "text": "t"}], "error": None}] * 2, False),
        ([{"refused": [], "degraded": [], "error": "E: x"}] * 2, False),
    ],
)
def test_reports_become_one(reports: list[dict[str, object]], ok: bool) -> None:
    merged = json.loads(isolation.merge([json.dumps(part) for part in reports]))
    assert merged == {"ok": ok, **reports[0]}


PROBE = """
import os, sys
sys.path[:] = {path!r}
from scorehost import _core
print(_core.probe(sys.argv[1]))
sys.stdout.flush()
os._exit(0)
"""


def probe(root: Path, source: str, **told: object) -> dict[str, Any]:
    """Probes a script in a program of its own, whose output is one line of JSON."""
    (root / "score.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(path=sys.path), json.dumps(told)],
        env={
            **os.environ,
            "AML_APP_ROOT": str(root),
            "AZUREML_ENTRY_SCRIPT": str(root / "score.py"),
        },
        capture_output=True, text=True, timeout=250, check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


FUNCTIONS = "def init(): pass\ndef run(data): pass\n"


@pytest.mark.skipif(not POSSIBLE, reason="this Python cannot have them")
def test_a_script_that_is_fit(tmp_path: Path) -> None:
    source = f"import asyncio, json\nprint('out')\n{FUNCTIONS}"
    assert probe(tmp_path, source) == {"ok": True, "refused": [], "degraded": [], "error": None}


@pytest.mark.skipif(not POSSIBLE, reason="this Python cannot have them")
def test_a_script_that_is_not(tmp_path: Path) -> None:
    found = probe(tmp_path, f"import faulthandler\n{FUNCTIONS}")
    assert [item["module"] for item in found["refused"]] == ["faulthandler"]
    assert found["ok"] is False and found["error"] is None
    source = f"try: import faulthandler\nexcept ImportError: pass\n{FUNCTIONS}"
    found = probe(tmp_path, source)
    assert [item["module"] for item in found["degraded"]] == ["faulthandler"]
    assert found["ok"] is False and found["refused"] == []


@pytest.mark.skipif(not POSSIBLE, reason="this Python cannot have them")
def test_a_script_that_is_broken_or_only_when_it_is_started(tmp_path: Path) -> None:
    assert probe(tmp_path, "import nothing")["error"].startswith("ModuleNotFoundError")
    source = "import os\ndef init(): os.fork()\ndef run(data): pass\n"
    assert probe(tmp_path, source)["ok"] is True
    found = probe(tmp_path, source, init=True)
    assert [item["module"] for item in found["refused"]] == ["os.fork()"]


@pytest.mark.skipif(not POSSIBLE, reason="this Python cannot have them")
def test_a_script_whose_threads_do_not_end_is_told_of_all_the_same(tmp_path: Path) -> None:
    source = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    assert probe(tmp_path, source + FUNCTIONS)["ok"] is True


@pytest.mark.skipif(POSSIBLE, reason="this Python can have them")
def test_no_probe_without_interpreters() -> None:
    from scorehost import _core

    with pytest.raises(RuntimeError, match="worker kind interpreter"):
        _core.probe("{}")
