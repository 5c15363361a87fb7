"""What benchmarks/gpu/ does on a GPU, rehearsed without one, so that it runs when there is one."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kinds("process", why="a GPU is used by worker processes")

HERE = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu"


def ran(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(HERE / name), *arguments], cwd=folder,
                          capture_output=True, text=True, timeout=240)


@pytest.fixture
def suite(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Its modules by their names."""
    monkeypatch.syspath_prepend(HERE)
    yield lambda name: importlib.import_module(f"suite.{name}")
    for name in [name for name in sys.modules if name.split(".")[0] == "suite"]:
        del sys.modules[name]


def test_bit_for_bit(tmp_path: Path) -> None:
    done = ran(tmp_path, "check.py", "--rehearse", "--logs", str(tmp_path / "logs"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("all is well\n") and done.stdout.count("ok ") == 5


def test_every_part_that_is_c(tmp_path: Path) -> None:
    done = ran(tmp_path, "run.py", "--rehearse", "--rounds", "2", "--out", "out", "--only",
               "copies,batches,completion,pipeline,jax")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((tmp_path / "out" / "gpu.json").read_text())
    kinds = [figure["figure"] for figure in kept["figures"]]
    assert kinds.count("memory") == 4 and kinds.count("completion") == 6 * 4
    assert kinds.count("copy") == 5 * 2 * 2 * 4 and kinds.count("batch") == 3 * 2 * 4
    assert kinds.count("pipeline") == 4 * 2
    for figure in kept["figures"]:
        assert all(len(value) == 2 for value in figure.values() if isinstance(value, list))
    assert len(kept["goals"]) == 11
    assert all(len(goal["values"]) == 2 for goal in kept["goals"])
    assert [failure["part"] for failure in kept["failures"]] == ["jax"]
    assert done.stdout == (tmp_path / "out" / "gpu.md").read_text() + "\n"


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCOREHOST_CUDART", "libno-such-cuda.so")
    done = ran(tmp_path, "run.py", "--out", "out", "--only", "pipeline,endtoend")
    assert done.returncode == 1
    assert "pipeline: it ended with 1: the CUDA runtime (libcudart) is not installed" in done.stdout
    assert "endtoend: a model behind azmlinfsrv: torch" in done.stdout
    done = ran(tmp_path, "check.py")
    assert done.returncode == 2 and "the CUDA runtime (libcudart) is not installed" in done.stdout


def test_goals(suite: Any) -> None:
    goal = suite("goals").Goal
    assert goal("a", "x", [4.0, 6.0, 5.0], 5).row() == "| a | >= 5x | 5x | 4 to 6 | met |"
    assert goal("a", "x", [4.0, 4.9, 5.0], 5).verdict() == "**missed**"
    assert goal("a", "x", [0.82], 0.85, enough=0.8).verdict() == "above the least, 0.8"
    assert goal("a", "x", [0.79], 0.85, enough=0.8).verdict() == "**missed**"
    assert goal("a", " us", [15.0], 15, is_least=False).verdict() == "met"
    assert goal("a", " us", [15.1], 15, is_least=False).asked() == "<= 15 us"
    assert goal("a", "x", [3.0]).row() == "| a | reported | 3x | 3 to 3 |  |"
    assert goal("a", "x", [], 5).row() == "| a | >= 5x | - | - | not measured |"


def test_a_part_that_fails_or_hangs(suite: Any) -> None:
    figures = suite("figures").Figures()
    run = suite("figures").run_part
    said = 'import sys, time; print(\'{"figure": "x", "us": [1]}\', flush=True); '
    run(figures, "a", [sys.executable, "-c", said + "sys.exit('no luck')"], {}, 60)
    run(figures, "b", [sys.executable, "-c", said + "time.sleep(600)"], {}, 1)
    run(figures, "c", [sys.executable, "-c", "print('what is this?')"], {}, 60)
    assert [figure["part"] for figure in figures.all] == ["a", "b"]
    assert figures.failures == [
        ("a", "it ended with 1: no luck"), ("b", "it was not through after 1 s, and was ended"),
        ("c", "it printed 'what is this?\\n'"),
    ]
    assert suite("figures").ratios([6.0, 8.0], [2.0, 4.0]) == [3.0, 2.0]


def test_rounds_measure_each_way_once(suite: Any) -> None:
    called: list[str] = []
    found = suite("timing").measure(
        {name: (lambda name=name: called.append(name)) for name in "ab"}, lambda: None, 3, 0.0
    )
    assert {name: len(us) for name, us in found.items()} == {"a": 3, "b": 3}
    assert called == list("aabb" "ab" "ba" "ab")
