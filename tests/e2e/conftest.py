"""The fixture `host`: a server for one test, or one that a module's tests share."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .host import Host

Make = Callable[..., Host]


def _makers(folder: Path) -> Iterator[Make]:
    made: list[Host] = []
    numbers = itertools.count(1)

    def make(script: str = "", *arguments: str, wait: bool = True, **options: Any) -> Host:
        host = Host(folder / f"host{next(numbers)}", script, *arguments, **options)
        made.append(host)
        return host.wait_ready() if wait else host

    try:
        yield make
    finally:
        for host in made:
            host.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Make]:
    """Starts servers that end with the test: ``host("echo.py", "--flag", "value")``.

    Waits until a worker is ready unless ``wait=False``.
    """
    yield from _makers(tmp_path)


@pytest.fixture(scope="module")
def module_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Starts servers that end with the module."""
    yield from _makers(tmp_path_factory.mktemp("module"))


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
