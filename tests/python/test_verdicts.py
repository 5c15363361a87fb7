"""What is remembered of a script, for how long, and when it is not to be had."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from scorehost import verdicts
from scorehost.verdicts import Verdict


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for verdicts that nobody else has."""
    monkeypatch.setenv("SCOREHOST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "verdicts"


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / "app" / "score.py"
    path.parent.mkdir()
    path.write_text("import utils\n")
    (path.parent / "utils.py").write_text("")
    return str(path)


def known(script: str) -> tuple[bool, str, bool] | None:
    """What is remembered, for comparing."""
    found = verdicts.recall(script)
    return found and (found.fit, found.reason, found.met)


def remember(script: str, fit: bool = True, reason: str = "it loads") -> None:
    verdicts.remember(script, Verdict(fit, reason), verdicts.siblings(script))


def touch(path: Path) -> None:
    """Changes a file, also for those who only look at its time."""
    path.write_text(path.read_text() + "# changed\n")


def test_nothing_is_known_at_first(script: str) -> None:
    assert known(script) is None


@pytest.mark.parametrize("fit", [True, False])
def test_what_was_found_out_is_remembered(script: str, fit: bool) -> None:
    remember(script, fit, "because")
    assert known(script) == (fit, "because", False)


def test_a_reason_is_one_line(script: str) -> None:
    remember(script, False, "one\ntwo  three")
    assert known(script) == (False, "one two three", False)


def test_another_way_to_the_same_file(script: str, tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to(script)
    remember(str(tmp_path / "link.py"))
    assert known(script) == (True, "it loads", False)


@pytest.mark.parametrize("name", ["score.py", "utils.py"])
def test_a_change_of_the_script_or_of_a_module_beside_it(script: str, name: str) -> None:
    remember(script)
    touch(Path(script).parent / name)
    assert known(script) is None


def test_a_change_of_an_extension_that_was_loaded(script: str, tmp_path: Path) -> None:
    extension = tmp_path / "fast.so"
    extension.write_text("1")
    verdicts.remember(script, Verdict(False, "no"), [str(extension), str(tmp_path / "gone.so")])
    assert known(script) == (False, "no", False)
    os.utime(extension, ns=(1, 1))
    assert known(script) is None
    extension.unlink()
    assert known(script) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("version", "3.99"), ("prefix", "/elsewhere")],
)
def test_another_python(
    script: str, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    remember(script)
    monkeypatch.setattr(sys, name, value)
    assert known(script) is None


def test_another_scorehost(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    remember(script)
    monkeypatch.setattr(verdicts, "__version__", "99")
    assert known(script) is None


@pytest.mark.parametrize("name", ["PYTHONPATH", "AML_APP_ROOT", "AZUREML_SOURCE_DIRECTORY"])
def test_modules_that_come_from_elsewhere(
    script: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    remember(script)
    monkeypatch.setenv(name, "/elsewhere")
    assert known(script) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n\n\n",
        b"scorehost verdict 1\nfit\nit loads",
        b"scorehost verdict 2\nfit\nit loads\n",
        b"scorehost verdict 1\nperhaps\nit loads\n",
        b"scorehost verdict 1\nfit\nit loads\n1 2 /gone\n",
        b"scorehost verdict 1\nfit\nit loads\nnonsense\n",
        b"\xff\xfe\x00",
    ],
)
def test_a_file_that_is_no_verdict(script: str, cache: Path, text: bytes) -> None:
    remember(script)
    (path,) = cache.iterdir()
    path.write_bytes(text)
    assert known(script) is None
    remember(script)
    assert known(script) == (True, "it loads", False)


def test_a_script_that_is_gone(script: str) -> None:
    remember(script)
    Path(script).unlink()
    assert known(script) is None
    remember(script)
    verdicts.remember_unfit(script, ["m"])


def test_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / "sp ace\udcff\u00e9"
    folder.mkdir()
    script = folder / "score.py"
    script.write_text("")
    (folder / "new\nline.py").write_text("")
    remember(str(script))
    assert known(str(script)) == (True, "it loads", False)
    script.write_text("1")
    assert known(str(script)) is None


def test_a_home_that_cannot_be_written(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the folder would be: root is refused, too."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SCOREHOST_CACHE_DIR", str(tmp_path / "file"))
    remember(script)
    assert known(script) is None


def test_where_verdicts_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    monkeypatch.setenv("SCOREHOST_CACHE_DIR", "/given")
    assert verdicts.folder() == "/given"
    monkeypatch.setenv("SCOREHOST_CACHE_DIR", "")
    assert verdicts.folder() == "/xdg/scorehost"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert verdicts.folder() == "/home/me/.cache/scorehost"
    monkeypatch.setenv("HOME", "nowhere")
    assert verdicts.folder() == ""


def test_no_place_at_all(script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "folder", lambda: "")
    remember(script)
    assert known(script) is None


def test_the_oldest_are_forgotten(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdicts, "MAX_SCRIPTS", 3)
    scripts = [tmp_path / f"s{n}.py" for n in range(5)]
    for age, script in enumerate(scripts):
        script.write_text(str(age))
        before = set(cache.iterdir()) if cache.exists() else set()
        verdicts.remember(str(script), Verdict(True, "it loads"), [])
        for path in set(cache.iterdir()) - before:
            os.utime(path, (age, age))
    assert [known(str(script)) is not None for script in scripts] == [False, False, *[True] * 3]


def test_many_at_once(script: str, cache: Path) -> None:
    """Whoever reads sees one verdict or the other, never half of one."""
    seen = []

    def write(reason: str) -> None:
        for _ in range(40):
            remember(script, False, reason)
            seen.append(known(script))

    threads = [threading.Thread(target=write, args=[name * 2000]) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {(False, "a" * 2000, False), (False, "b" * 2000, False)}
    assert len(list(cache.iterdir())) == 1


def test_what_a_worker_met(script: str) -> None:
    remember(script)
    verdicts.remember_unfit(script, ["numpy._core", "numpy._core", "lxml.etree"])
    reason = "numpy._core, lxml.etree do not load in subinterpreters, as one of its workers met"
    assert known(script) == (False, reason, True)
    touch(Path(script))
    assert known(script) is None


def test_a_new_version_of_what_was_refused(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "fastlib" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text("")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    verdicts.remember_unfit(script, ["fastlib._c"])
    assert (known(script) or ())[::2] == (False, True)
    touch(package)
    assert known(script) is None


@pytest.mark.parametrize(
    ("modules", "text"),
    [
        ([], "an extension module does not load"),
        (["a"], "a does not load"),
        (["a", "a"], "a does not load"),
        (["a", "b"], "a, b do not load"),
        (["a", "b", "c", "d", "e"], "a, b, c and 2 more do not load"),
    ],
)
def test_how_a_refusal_reads(modules: list[str], text: str) -> None:
    assert verdicts.refusal(modules) == f"{text} in subinterpreters"


def test_which_files_stand_beside_a_script(tmp_path: Path) -> None:
    for name in ("a.py", "b.so", "data.csv", "sub/c.py", "venv/pyvenv.cfg", "venv/d.py",
                 ".hidden/e.py", "__pycache__/f.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    found = [os.path.relpath(path, tmp_path) for path in verdicts.siblings(f"{tmp_path}/a.py")]
    assert found == ["a.py", "b.so", "sub/c.py"]


def test_a_folder_that_is_huge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "MAX_FILES", 2)
    for name in ("a/1.py", "b/2.py", "b/3.py", "c/4.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    found = list(verdicts.siblings(str(tmp_path / "score.py")))
    assert [os.path.basename(path) for path in found] == ["1.py", "2.py", "3.py"]
