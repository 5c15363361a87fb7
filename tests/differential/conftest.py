"""Starting the servers once for all the tests that look at their answers."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from . import reference
from .compare import Verdict, compare, matches, without_roles
from .differences import DIFFERENCES
from .model import Answer, Play
from .plays import PLAYS
from .record import Answers, load
from .run import collect_apart

#: The Python that the server under test runs scripts with.
PYTHON = os.environ.get("DIFFERENTIAL_PYTHON", sys.executable)
SERVER = os.environ.get("DIFFERENTIAL_SERVER",
                        str(Path(PYTHON).parent / "azmlinfsrv"))
#: The worker is a thread of the host: log lines tell one process id.
ONE_PROCESS = "WORKER_KIND=thread" in os.environ.get("DIFFERENTIAL_ENV", "")
#: Where `auto` looks at the script it says what it found, a line of our own.
_KIND = "WORKER_KIND=process" if sys.version_info >= (3, 14) else ""
_PROCESS_ENDS = ("failures/exit ?", "failures/killed", "worker-exits-3/*",
                 "failures/still serving", "failures/@stop", "init-os-exit-*")
LIVE = os.environ.get("DIFFERENTIAL_LIVE") == "1"


@pytest.fixture(scope="session")
def strict_library() -> bool:
    """Whether the server under test has libmicrohttpd 1.0."""
    told = subprocess.run([*shlex.split(SERVER), "--version"], check=True,
                          capture_output=True, text=True).stdout
    return "libmicrohttpd " in told and "libmicrohttpd 0." not in told


BY_NAME = {play.name: play for play in PLAYS}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what asks for packages that are not there, and live tests."""
    missing = _missing()
    for item in items:
        # The first test is held up by all the servers that are asked for it.
        item.add_marker(pytest.mark.timeout(func_only=True))
        play = _play_of(item)
        if ONE_PROCESS and matches(_case_of(item), _PROCESS_ENDS):
            item.add_marker(pytest.mark.skip(
                reason="ends the server, of which the worker is a thread"))
        if ONE_PROCESS and "differs" in item.name:
            item.add_marker(pytest.mark.skip(
                reason="the list is of worker processes"))
        lacking = sorted(missing & set(play.needs)) if play else []
        if lacking:
            item.add_marker(pytest.mark.skip(
                reason=f"needs {', '.join(lacking)}"))
        if "reference_answers" in getattr(item, "fixturenames", ()) and not LIVE:
            item.add_marker(pytest.mark.skip(
                reason="DIFFERENTIAL_LIVE=1 runs the reference"))


def _case_of(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    params = callspec.params if callspec else {}
    return str(params.get("case", params.get("play", "")))


def _play_of(item: pytest.Item) -> "Play | None":
    return BY_NAME.get(_case_of(item).split("/")[0])


def _missing() -> set[str]:
    needed = {name for play in PLAYS for name in play.needs}
    code = ("import importlib.util, sys; print(*[n for n in sys.argv[1:]"
            " if importlib.util.find_spec(n) is None])")
    done = subprocess.run([PYTHON, "-c", code, *needed], check=True,
                          capture_output=True, text=True)
    return set(done.stdout.split())


def _wanted(request: pytest.FixtureRequest, fixture: str) -> list[str]:
    """Give the plays that the chosen tests need of a fixture."""
    wanted: set[str] = set()
    for item in request.session.items:
        if fixture not in getattr(item, "fixturenames", ()):
            continue
        if item.get_closest_marker("skip"):
            continue
        play = _play_of(item)
        if play is None:  # it looks at all of them
            missing = _missing()
            return [play.name for play in PLAYS
                    if not missing & set(play.needs)]
        wanted.add(play.name)
    return sorted(wanted)


@pytest.fixture(scope="session")
def our_answers(request: pytest.FixtureRequest,
                tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the server under test does."""
    env = shlex.split(os.environ.get("DIFFERENTIAL_ENV", _KIND))
    return collect_apart(
        SERVER, tmp_path_factory.mktemp("ours"),
        _wanted(request, "our_answers"), env, ("--host", "127.0.0.1"))


@pytest.fixture(scope="session")
def reference_answers(request: pytest.FixtureRequest,
                      tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the reference does, here and now."""
    return collect_apart(
        reference.command(PYTHON), tmp_path_factory.mktemp("reference"),
        _wanted(request, "reference_answers"))


@pytest.fixture(scope="session")
def recorded() -> Answers:
    """What the reference did when it was recorded."""
    return load(reference.minor(PYTHON))


@pytest.fixture(scope="session")
def judge() -> Callable[[str, Answer, Answer], Verdict]:
    """Compare two answers to a case, with the listed differences."""
    def compared(case: str, theirs: Answer, ours: Answer) -> Verdict:
        verdict = Verdict()
        if ONE_PROCESS:
            theirs, ours = without_roles(theirs), without_roles(ours)
        compare(case, theirs, ours, DIFFERENCES, verdict)
        return verdict
    return compared
