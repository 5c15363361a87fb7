"""Coroutines and async generators, in worker threads that have a loop each."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import logged

from scorehost import errors, outputs


@pytest.fixture
def loop() -> Iterator[None]:
    """Closes the loop that the test has made."""
    yield
    made = outputs._loops.__dict__.pop("loop", None)
    if made is not None:
        made.close()


@pytest.mark.usefixtures("loop")
def test_an_async_generator_streams() -> None:
    ended = []

    async def items() -> Any:
        try:
            yield "a"
            yield "b"
        finally:
            ended.append(True)

    assert list(outputs.finish(items(), 5)[2]) == [b"a", b"b"]
    body = outputs.finish(items(), 5)[2]
    body.close()
    assert ended == [True, True]
    outputs._Synchronous(items()).close()  # before it has begun
    assert ended == [True, True]


@pytest.mark.usefixtures("loop")
def test_an_async_generator_is_one_task() -> None:
    """What it keeps in its context stays; a time limit may span items."""
    held: contextvars.ContextVar[str] = contextvars.ContextVar("held", default="lost")
    tasks = set()

    async def items() -> Any:
        held.set("kept")
        for _ in range(3):
            tasks.add(asyncio.current_task())
            yield held.get()
            await asyncio.sleep(0)

    assert list(outputs.finish(items(), 5)[2]) == [b"kept"] * 3
    assert len(tasks) == 1 and held.get() == "lost"


@pytest.mark.usefixtures("loop")
def test_an_async_generator_that_raises() -> None:
    async def items() -> Any:
        yield "a"
        raise ValueError("boom")

    body = outputs.finish(items(), 5)[2]
    assert next(body) == b"a"
    with logged() as lines, pytest.raises(ValueError, match="boom"):
        next(body)
    assert "boom" in lines[0]


@pytest.mark.usefixtures("loop")
def test_an_async_generator_that_is_interrupted_cleans_up(
    request: pytest.FixtureRequest,
) -> None:
    seen = []

    async def items() -> Any:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    interrupt_soon(request)
    stream = outputs._Synchronous(items())
    assert next(stream) == "a"
    with pytest.raises(errors.ScoringTimeout):
        next(stream)
    assert seen == ["cleaned up"]
    with pytest.raises(StopIteration):
        next(stream)
    stream.close()


def interrupt_soon(request: pytest.FixtureRequest) -> None:
    """Raises ScoringTimeout in a moment, wherever this thread is then."""

    def interrupt(number: int, frame: object) -> None:
        raise errors.ScoringTimeout

    request.addfinalizer(lambda: signal.signal(signal.SIGALRM, signal.SIG_DFL))
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.01)


@pytest.mark.usefixtures("loop")
def test_a_coroutine_that_does_not_end_is_left_behind(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker goes on with another loop."""
    monkeypatch.setattr(outputs, "CLEAN_UP_S", 0.01)

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if over:
                    raise

    async def good() -> str:
        return "good"

    over: list[bool] = []
    first = outputs._loop()
    interrupt_soon(request)
    with pytest.raises(errors.ScoringTimeout):
        outputs.drive(stubborn())
    assert outputs.drive(good()) == "good"
    assert outputs._loop() is not first
    over.append(True)
    outputs._end(first, next(iter(asyncio.all_tasks(first))))
    first.close()


@pytest.mark.usefixtures("loop")
def test_requests_do_not_share_a_context() -> None:
    held: contextvars.ContextVar[str] = contextvars.ContextVar("held", default="none")

    async def run() -> str:
        found = held.get()
        held.set("another one's")
        return found

    assert [outputs.drive(run()) for _ in range(2)] == ["none", "none"]


def test_threads_have_loops_of_their_own_and_can_be_woken() -> None:
    """A thread that waits in its loop sees what is raised in it only when it comes round."""
    rounds: list[object] = []
    here = threading.Event()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        rounds.append(loop)
        loop.call_soon(here.set)
        loop.call_later(60, rounds.append, "never")
        await asyncio.Event().wait()

    def body() -> None:
        try:
            outputs.drive(run())
        except errors.Cancelled:
            rounds.append("cancelled")
        outputs._loop().close()

    threads = [threading.Thread(target=body) for _ in range(2)]
    for thread in threads:
        here.clear()
        thread.start()
        assert here.wait(20)
    for thread in threads:
        ident = ctypes.c_ulong(thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(errors.Cancelled))
        outputs.wake(thread.ident or 0)
        thread.join(20)
        assert not thread.is_alive()
    assert rounds[2:] == ["cancelled"] * 2 and rounds[0] is not rounds[1]
    outputs.wake(12345)  # nobody waits there
