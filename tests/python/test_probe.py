"""The probe: what is asked of the C side, and what is made of its answer or its end."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.wire import until
from scorehost import probe

BOOT = {"argv": ["azmlinfsrv"], "config_file": "", "path0": "/bin"}

NOTHING = {"ok": True, "refused": [], "degraded": [], "error": None}

Fake = Callable[[str], None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Has the probe's process find a C side whose probe(boot) is this text."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def install(body: str) -> None:
        head = "import json, os, signal, sys, types\n"
        foot = (
            "core = types.ModuleType('scorehost._core')\n"
            "core.probe = probe\n"
            "sys.modules['scorehost._core'] = core\n"
        )
        function = "def probe(boot):\n" + textwrap.indent(textwrap.dedent(body), "    ")
        (tmp_path / "sitecustomize.py").write_text(f"{head}{function}\n{foot}")

    return install


def answering(**more: object) -> str:
    """A probe() that answers at once."""
    return f"return {json.dumps(NOTHING | more)!r}"


def entries(*modules: str) -> list[dict[str, str]]:
    return [{"module": module, "text": "it does not support it"} for module in modules]


def test_a_script_that_fits(fake: Fake) -> None:
    fake(answering())
    report = probe.run(BOOT)
    assert (report.refused, report.degraded, report.error) == ([], [], "")
    assert (report.died, report.unable, report.output) == ("", "", "")
    assert report.unfit("score.py") == ""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"refused": entries("numpy._core")}, "numpy._core does not load in subinterpreters"),
        (
            {"refused": entries("a"), "degraded": entries("b")},
            "a does not load in subinterpreters",
        ),
        (
            {"degraded": entries("yaml._yaml")},
            "yaml._yaml does not load in subinterpreters and its package does without",
        ),
        (
            {"degraded": entries("a", "b")},
            "a, b do not load in subinterpreters and their packages do without",
        ),
    ],
)
def test_a_script_that_does_not(fake: Fake, answer: dict[str, object], reason: str) -> None:
    fake(answering(ok=False, **answer))
    assert probe.run(BOOT).unfit("score.py") == reason


def test_a_script_that_is_broken(fake: Fake) -> None:
    fake(answering(ok=False, error="SyntaxError: invalid syntax"))
    assert probe.run(BOOT).error == "SyntaxError: invalid syntax"


@pytest.mark.parametrize(
    ("body", "died"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("os.kill(os.getpid(), 40)", "ended by signal 40"),
        ("os._exit(7)", "ended with exit code 7"),
        ("os._exit(0)", "ended without a word"),
        ("return '[]'", "ended with exit code 1"),
        ("return 'nonsense'", "ended with exit code 1"),
        ("return '{}'", "ended without a word"),
    ],
)
def test_how_a_probe_ends(fake: Fake, body: str, died: str) -> None:
    fake(body)
    report = probe.run(BOOT)
    assert report.died == died
    assert report.unfit("score.py") == f"loading score.py in subinterpreters {died}"


def test_a_probe_that_hangs_is_ended_with_all_it_started(fake: Fake, tmp_path: Path) -> None:
    """Its child would hold the pipe, and the tests, for ever."""
    fake(
        """
        child = os.fork()
        if child:
            open("pids", "w").write(f"{os.getpid()} {child}")
        while True:
            signal.pause()
        """
    )
    report = probe.run(BOOT, deadline_s=2.0)
    assert report.died == "took longer than 2 s"
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        until(f"{pid} has ended", lambda pid=pid: not _runs(pid))  # a kill is no wait


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_what_the_script_writes_is_no_report(fake: Fake) -> None:
    fake(
        """
        print("by Python")
        os.write(1, b"by C\\n")
        print("an error", file=sys.stderr)
        """
        + answering()
    )
    report = probe.run(BOOT, listen=True)
    assert report.unfit("score.py") == ""
    assert sorted(report.output.split("\n")) == ["", "an error", "by C", "by Python"]
    assert probe.run(BOOT).output == ""


def test_what_the_c_side_is_told(fake: Fake, tmp_path: Path) -> None:
    fake("open('boot', 'w').write(boot)\n" + answering())
    probe.run(BOOT | {"config_file": "/c\u00e9.json"})
    told = json.loads((tmp_path / "boot").read_text())
    assert told == BOOT | {"config_file": "/c\u00e9.json"}


def test_a_folder_of_the_user_does_not_stand_before_the_library(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(answering())
    monkeypatch.chdir(tmp_path)
    elsewhere = tmp_path / "app"
    elsewhere.mkdir()
    (elsewhere / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(elsewhere)
    assert probe.run(BOOT).died == ""


def test_files_come_from_the_c_side_and_from_what_is_mapped(fake: Fake) -> None:
    fake("import _ctypes\n" + answering(files=["/app/utils.py"]))
    files = probe.run(BOOT).files
    assert "/app/utils.py" in files
    assert any("libc." in path for path in files)
    assert not any("lib-dynload" in path for path in files)
    assert not any("_core." in os.path.basename(path) for path in files)


def test_a_python_that_cannot(fake: Fake) -> None:
    fake("raise RuntimeError('needs Python 3.12.4')")
    assert probe.run(BOOT).unable == "needs Python 3.12.4"


def test_a_build_that_cannot(fake: Fake, tmp_path: Path) -> None:
    fake("pass")
    text = (tmp_path / "sitecustomize.py").read_text()
    (tmp_path / "sitecustomize.py").write_text(text.replace("core.probe = probe\n", ""))
    assert probe.run(BOOT).unable == "this build cannot"


def test_no_process_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert "/nowhere/python" in probe.run(BOOT).unable


def test_the_options_of_this_python_go_along(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake("assert False\n" + answering())
    assert probe.run(BOOT).died == "ended with exit code 1"
    monkeypatch.setattr(probe, "_flags", lambda: ["-O"])
    assert probe.run(BOOT).died == ""
