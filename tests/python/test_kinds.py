"""Which kind of worker is chosen, by whom, and what is said about it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from scorehost import hostconfig, kinds, probe, verdicts
from scorehost.kinds import Choice
from scorehost.probe import Report
from scorehost.settings import Settings

BOOT: dict[str, object] = {"argv": [], "config_file": "", "path0": ""}


class Place:
    """A folder with a script, and a probe that is counted."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings()
        self.settings.app_root = str(root)
        self.settings.entry_script = "score.py"
        self.script = root / "score.py"
        self.script.write_text("")
        self.report = Report()
        self.probes = 0

    def probe(self, boot: object) -> Report:
        assert boot is BOOT
        self.probes += 1
        return self.report

    def choose(self, version: tuple[int, ...] = (3, 14), **keys: object) -> Choice:
        return kinds.choose(keys, self.settings, BOOT, version)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("SCOREHOST_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(kinds, "is_without_gil", lambda: False)
    app = tmp_path / "app"
    app.mkdir()
    made = Place(app)
    monkeypatch.setattr(probe, "run", made.probe)
    return made


@pytest.mark.parametrize("kind", ["process", "interpreter", "thread"])
@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_who_asks_gets(place: Place, kind: str, version: tuple[int, int]) -> None:
    choice = place.choose(version, worker_kind=kind)
    assert (choice.kind, choice.is_news, place.probes) == (kind, False, 0)


@pytest.mark.parametrize("version", [(3, 10), (3, 12), (3, 13)])
def test_before_3_14_nothing_is_probed(place: Place, version: tuple[int, int]) -> None:
    choice = place.choose(version)
    assert (choice.kind, choice.is_news, place.probes) == ("process", False, 0)
    asked = place.choose(version, worker_kind="auto")
    assert (asked.kind, asked.is_news) == ("process", True)
    assert asked.line(4) == (
        "subinterpreters are chosen automatically from Python 3.14 on: using 4 worker processes"
    )


def test_without_the_gil(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "is_without_gil", lambda: True)
    choice = place.choose((3, 13))
    assert (choice.kind, choice.is_news, place.probes) == ("process", True, 0)
    assert "--worker_kind thread" in choice.reason
    assert place.choose(worker_kind="thread").kind == "thread"


@pytest.mark.parametrize("enabled", [True, False])
def test_whether_there_is_a_gil(monkeypatch: pytest.MonkeyPatch, enabled: bool) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: enabled, raising=False)
    assert kinds.is_without_gil() is not enabled
    monkeypatch.delattr(sys, "_is_gil_enabled")
    assert kinds.is_without_gil() is False


@pytest.mark.parametrize("keys", [{"worker_preload": True}, {"gpu_workers": "0,1"}])
def test_what_needs_processes(place: Place, keys: dict[str, object]) -> None:
    choice = place.choose(**keys)
    assert (choice.kind, choice.is_news, place.probes) == ("process", True, 0)


@pytest.mark.parametrize("keys", [{"worker_preload": False}, {"gpu_workers": ""}])
def test_what_was_switched_off_needs_nothing(place: Place, keys: dict[str, object]) -> None:
    assert place.choose(**keys).kind == "interpreter"


def test_a_host_whose_workers_are_all_remote(place: Place) -> None:
    """What a kind of its own would be is no matter, so nothing is probed."""
    for keys in ({}, {"worker_kind": "auto"}):
        choice = hostconfig.worker_kind(keys, place.settings, BOOT, 0)
        assert (choice.kind, choice.is_news, place.probes) == ("process", False, 0)
    asked = hostconfig.worker_kind({"worker_kind": "thread"}, place.settings, BOOT, 0)
    assert asked.kind == "thread"


def test_a_debugger_needs_a_process(place: Place) -> None:
    place.settings.debug_port = 5678
    assert (place.choose().kind, place.probes) == ("process", 0)


def test_a_script_that_fits(place: Place) -> None:
    choice = place.choose()
    assert choice.kind == "interpreter"
    assert choice.line(4) == "score.py loads in subinterpreters: using 4 interpreters"
    assert choice.line(1) == "score.py loads in subinterpreters: using one interpreter"


def test_a_script_that_does_not(place: Place) -> None:
    place.report.refused = ["numpy._core._multiarray_umath"]
    assert place.choose().line(4) == (
        "numpy._core._multiarray_umath does not load in subinterpreters: using 4 worker processes"
    )
    assert place.choose().line(1).endswith(": using one worker process")


def test_a_probe_that_died(place: Place) -> None:
    place.report.died = "ended by SIGSEGV"
    choice = place.choose()
    assert choice.kind == "process"
    assert choice.reason == "loading score.py in subinterpreters ended by SIGSEGV"


@pytest.mark.parametrize("refused", [[], ["numpy"]])
def test_a_script_is_probed_once(place: Place, refused: list[str]) -> None:
    place.report.refused = refused
    first, again = place.choose(), place.choose(worker_kind="auto")
    assert (first.kind, first.reason) == (again.kind, again.reason)
    assert place.probes == 1
    place.script.write_text("# changed")
    place.choose()
    assert place.probes == 2


def test_a_module_beside_it_may_begin_to_import_numpy(place: Place) -> None:
    utils = place.script.parent / "utils.py"
    utils.write_text("")
    assert place.choose().kind == "interpreter"
    utils.write_text("import numpy")
    place.report.refused = ["numpy"]
    assert place.choose().kind == "process"


def test_files_of_the_probe_count(place: Place, tmp_path: Path) -> None:
    extension = tmp_path / "fast.so"
    extension.write_text("")
    place.report.files = [str(extension)]
    place.choose()
    extension.write_text("another")
    place.choose()
    assert place.probes == 2


def test_a_broken_script_is_its_workers_to_report(place: Place) -> None:
    place.report.error = "SyntaxError"
    place.report.refused = ["numpy"]
    choice = place.choose()
    assert (choice.kind, choice.is_news) == ("process", False)
    assert verdicts.recall(str(place.script)) is None


def test_a_probe_that_cannot_be_made(place: Place) -> None:
    place.report.unable = "no process"
    choice = place.choose()
    assert choice.line(1) == "score.py could not be probed (no process): using one worker process"
    assert verdicts.recall(str(place.script)) is None


def test_no_script(place: Place) -> None:
    place.script.unlink()
    choice = place.choose()
    assert (choice.kind, choice.is_news, place.probes) == ("process", False, 0)


def test_main_py_stands_for_no_entry_script(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place.settings.entry_script = ""
    assert kinds.script_file(place.settings) == ""
    main = place.script.parent / "main.py"
    main.write_text("")
    assert kinds.script_file(place.settings) == str(main)
    assert place.choose().reason == "main.py loads in subinterpreters"


def test_what_a_worker_met_counts_more_than_a_probe(place: Place) -> None:
    """A lazy import: no probe sees it."""
    kinds.remember_unfit(str(place.script), ["numpy"])
    for probed in (None, Report()):
        choice = kinds.choose({}, place.settings, BOOT, (3, 14), probed)
        assert choice.kind == "process"
        assert choice.reason.startswith("numpy does not load in subinterpreters, as one of its")
    assert place.probes == 0


def test_a_worker_of_main_py_may_meet_something_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an entry script its path is empty."""
    monkeypatch.chdir(place.script.parent)
    kinds.remember_unfit("", ["numpy"])  # there is no main.py: nothing to mark
    place.settings.entry_script = ""
    (place.script.parent / "main.py").write_text("")
    kinds.remember_unfit("", ["os.fork()"])
    choice = place.choose()
    assert (choice.kind, place.probes) == ("process", 0)
    assert choice.reason.startswith("os.fork() cannot be had in subinterpreters")


@pytest.mark.parametrize("was_probed", [True, False])
def test_what_has_crashed_the_host(
    place: Place, was_probed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start knows it, whatever a probe sees, until the script changes."""
    monkeypatch.setenv("AML_APP_ROOT", place.settings.app_root)
    monkeypatch.setenv("AZUREML_ENTRY_SCRIPT", "score.py")
    used = place.script.parent.parent / "site" / "used.py"
    used.parent.mkdir()
    used.write_text("")
    place.report.files = [str(used)]
    if was_probed:
        assert place.choose().kind == "interpreter"
    place.probes = 0
    assert kinds.remember_crashes(json.dumps(BOOT)) is True
    assert kinds.remember_crashes(json.dumps(BOOT)) is True
    for probed in (None, Report()):
        choice = kinds.choose({}, place.settings, BOOT, (3, 14), probed)
        assert choice.kind == "process"
        assert choice.line(2) == ("score.py has crashed its process more than once in "
                                  "subinterpreters: using 2 worker processes")
    assert place.probes == 0
    (used if was_probed else place.script).write_text("# mended")
    assert place.choose().kind == "interpreter"


def test_crashes_of_a_script_that_is_not_there_are_not_remembered(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_APP_ROOT", place.settings.app_root)
    monkeypatch.setenv("AZUREML_ENTRY_SCRIPT", "other.py")
    assert kinds.remember_crashes(json.dumps(BOOT)) is False
    file = place.script.parent / "config.json"
    file.write_text("[")
    assert kinds.remember_crashes(json.dumps(dict(BOOT, config_file=str(file)))) is False


def test_the_script_of_a_configuration_file_is_remembered(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AML_APP_ROOT", place.settings.app_root)
    monkeypatch.delenv("AZUREML_ENTRY_SCRIPT", raising=False)
    file = place.script.parent / "config.json"
    file.write_text(json.dumps({"AZUREML_ENTRY_SCRIPT": "score.py"}))
    assert kinds.remember_crashes(json.dumps(dict(BOOT, config_file=str(file)))) is True
    assert place.choose().kind == "process"


def test_a_fresh_probe_counts_more_than_what_is_remembered(place: Place) -> None:
    place.choose()
    fresh = Report()
    fresh.refused = ["numpy"]
    assert kinds.choose({}, place.settings, BOOT, (3, 14), fresh).kind == "process"
    assert place.choose().kind == "process"
    assert place.probes == 1


def test_a_client_waits_so_little_is_imported(place: Place, tmp_path: Path) -> None:
    place.choose()
    code = (
        "import sys; before = set(sys.modules)\n"
        "from scorehost import kinds, settings\n"
        "found = settings.Settings()\n"
        f"found.app_root, found.entry_script = {place.settings.app_root!r}, 'score.py'\n"
        "choice = kinds.choose({}, found, {}, (3, 14))\n"
        "assert choice.kind == 'interpreter', choice.reason\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"SCOREHOST_CACHE_DIR": str(tmp_path / "cache")},
    )
    dear = {"argparse", "click", "hashlib", "json", "logging", "re", "subprocess", "typing"}
    if sys.version_info < (3, 12):
        dear -= {"hashlib"}
    assert not dear & set(done.stdout.split())
