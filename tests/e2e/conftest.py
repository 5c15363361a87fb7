"""The fixture `host`: a server for one test, or one that a module's tests share.

The whole suite runs against one kind of worker at a time (``--worker_kind``);
a test that is about some kinds alone is marked with them and a reason.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .host import Host

Make = Callable[..., Host]


KINDS = ("process", "thread", "interpreter")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which kind of worker serves."""
    parser.addoption("--worker_kind", choices=KINDS, default="process",
                     help="the kind of worker of every server that does not name its own")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that are about other kinds."""
    chosen = config.getoption("--worker_kind")
    kept, left = [], []
    for item in items:
        (kept if chosen in _kinds_of(item) else left).append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept


def _kinds_of(item: pytest.Item) -> tuple[str, ...]:
    """The kinds that a test is about; all of them unless it is marked."""
    marker = item.get_closest_marker("kinds")
    if marker is None:
        return KINDS
    assert marker.args and set(marker.args) <= set(KINDS), f"{item.nodeid}: {marker.args}"
    assert marker.kwargs.get("why"), f"{item.nodeid}: why not the other kinds?"
    return marker.args


@pytest.fixture(scope="session")
def worker_kind(pytestconfig: pytest.Config) -> str:
    """The kind of worker under test."""
    return str(pytestconfig.getoption("--worker_kind"))


#: The servers of this test, and those of its module.
_LIVING: set[Host] = set()


@pytest.fixture(autouse=True)
def another_life() -> None:
    """A server may live as long in each test that shares it, however many these are."""
    for host in _LIVING:
        host.renew()


def _makers(folder: Path, kind: str) -> Iterator[Make]:
    made: list[Host] = []
    numbers = itertools.count(1)

    def make(script: str = "", *arguments: str, wait: bool = True, **options: Any) -> Host:
        host = Host(folder / f"host{next(numbers)}", script, *arguments, kind=kind, **options)
        made.append(host)
        _LIVING.add(host)
        return host.wait_ready() if wait else host

    try:
        yield make
    finally:
        for host in made:
            _LIVING.discard(host)
            host.close()


@pytest.fixture
def host(tmp_path: Path, worker_kind: str) -> Iterator[Make]:
    """Starts servers that end with the test: ``host("echo.py", "--flag", "value")``.

    Waits until a worker is ready unless ``wait=False``.
    """
    yield from _makers(tmp_path, worker_kind)


@pytest.fixture(scope="module")
def module_host(tmp_path_factory: pytest.TempPathFactory, worker_kind: str) -> Iterator[Make]:
    """Starts servers that end with the module."""
    yield from _makers(tmp_path_factory.mktemp("module"), worker_kind)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Shows what the servers of a failed test wrote."""
    report = yield
    if report.when == "call" and report.failed:
        for name in ("host", "module_host", "server", "lab"):
            shown = item.funcargs.get(name) if hasattr(item, "funcargs") else None
            if isinstance(shown, Host):
                for stream in ("stdout", "stderr"):
                    last = [line.raw[:300] for line in shown.lines(stream)[-12:]]
                    report.sections.append((f"{stream} of the host", "\n".join(last)))
    return report
