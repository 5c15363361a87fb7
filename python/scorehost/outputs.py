"""From what ``run()`` returned, or raised, to a reply.

Response objects are known by their behaviour, so that nothing here imports
Flask: a script that returns one has imported it already.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any

from scorehost import errors, reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Awaitable, Callable, Iterable

log = logging.getLogger("azmlinfsrv")

#: json.dumps with its defaults, without looking them up each time.
encode = json.JSONEncoder().encode

_BINARY = [("Content-Type", "application/octet-stream")]
_TEXT = [("Content-Type", "text/plain; charset=utf-8")]

# These belong to the connection, not to the answer.
_DROPPED = frozenset(
    (
        "connection",
        "date",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "server",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        # The host always sets its own.
        "x-ms-request-id",
        "x-request-id",
    )
)
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_FAILED_HEADER = "x-ms-run-function-failed"


class InvalidResponse(Exception):
    """The script's response cannot be sent as HTTP."""


class RunRaised(Exception):
    """The script's own code raised while its result was being fetched."""

    def __init__(self, exc: BaseException) -> None:
        super().__init__(str(exc))
        self.exc = exc


def is_response(value: object) -> bool:
    """Tells whether ``run()`` returned an HTTP response object."""
    return hasattr(type(value), "get_wsgi_response")


def finish(result: Any, run_ns: int, method: str = "POST") -> reply.Reply:
    """Makes the reply for a result of ``run()``.

    Raises RunRaised when code of the script raised on the way, and anything
    else for a result that has no form as a reply.
    """
    if isinstance(result, CoroutineType):
        result = _guarded(drive, result)
    if is_response(result):
        log.info("run() output is HTTP Response")
        return from_response(result, run_ns, method)
    if isinstance(result, (bytes, bytearray, memoryview)):
        flags = reply.EXEC_MS | reply.OWN_TYPE
        return 200, list(_BINARY), bytes(result), flags, run_ns
    if isinstance(result, (GeneratorType, AsyncGeneratorType)):
        return _from_generator(result, run_ns)
    body = "{}" if result is None else encode(result)
    return 200, [], body, reply.EXEC_MS, run_ns


def _guarded(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except InvalidResponse:
        raise
    except BaseException as exc:
        raise RunRaised(exc) from None


def _from_generator(items: Any, run_ns: int) -> reply.Reply:
    """Streams; the first item is fetched now, it tells bytes from text."""
    if isinstance(items, AsyncGeneratorType):
        items = _Synchronous(items)
    stream = Stream(items)
    headers = list(_TEXT if isinstance(_guarded(stream.peek), str) else _BINARY)
    flags = reply.EXEC_MS | reply.OWN_TYPE | reply.STREAM
    return 200, headers, stream, flags, run_ns


def from_response(response: Any, run_ns: int, method: str = "POST") -> reply.Reply:
    """Makes the reply for a Werkzeug or Flask response object."""
    # With HEAD the items would be dropped here; the host does that, and needs
    # their length.
    environ = {"REQUEST_METHOD": "POST" if method == "HEAD" else method}
    environ.update({"wsgi.url_scheme": "http", "SERVER_NAME": "0.0.0.0", "SERVER_PORT": "80"})
    items, status_line, raw_headers = response.get_wsgi_response(environ)
    flags = reply.EXEC_MS if run_ns else 0
    flags |= reply.OWN_TYPE | reply.HTTP_RESPONSE
    try:
        status = _status(status_line)
        flags, headers = _failed_flag(status, flags, _checked(raw_headers))
        headers, body = _body(response, items, headers, method)
    except BaseException:
        _close(items)
        raise
    if isinstance(body, Stream):
        flags |= reply.STREAM
    return status, headers, body, flags, run_ns


def _status(line: str) -> int:
    code = line.split(" ", 1)[0]
    if not code.isdecimal() or not 200 <= int(code) <= 999:
        raise InvalidResponse(f"run() returned a response with status {line!r}")
    return int(code)


def _checked(headers: Iterable[tuple[str, str]]) -> reply.Headers:
    kept = []
    for name, value in headers:
        if not name or not _TOKEN.issuperset(name):
            raise InvalidResponse(f"run() returned a response with the header name {name!r}")
        if any(char > "\xff" or (char < " " and char != "\t") or char == "\x7f" for char in value):
            raise InvalidResponse(f"run() returned a response with {name}: {value!r}")
        if name.lower() not in _DROPPED:
            kept.append((name, value))
    return kept


def _failed_flag(status: int, flags: int, headers: reply.Headers) -> tuple[int, reply.Headers]:
    """Moves the first x-ms-run-function-failed from the headers to the flags."""
    others = [pair for pair in headers if pair[0].lower() != _FAILED_HEADER]
    if status >= 500:
        return flags | reply.FAILED, others
    for at, (name, value) in enumerate(headers):
        if name.lower() == _FAILED_HEADER and value in ("True", "False"):
            failed = reply.FAILED if value == "True" else 0
            return flags | failed, headers[:at] + headers[at + 1 :]
    return flags | reply.NO_FAILED_HEADER, headers


def _body(
    response: Any, items: Any, headers: reply.Headers, method: str
) -> tuple[reply.Headers, reply.Body]:
    if hasattr(response.response, "__len__") or response.status_code in (204, 304):
        body = b"".join(map(_bytes, items))
        _close(items)
        others = [pair for pair in headers if pair[0].lower() != "content-length"]
        return others, body
    iter(response.response)  # what cannot be iterated fails here, not after the head
    if method == "HEAD":
        _close(items)
        items = iter(())
    return headers, Stream(items)


def begun(made: reply.Reply) -> reply.Reply:
    """Fetches the first item of a streamed body; RunRaised, if the script raises.

    A stream that fails at once is an error then, not a broken answer. To be
    called outside of Flask's context: `stream_with_context` leaves its own in
    force until the generator is resumed.
    """
    body = made[2]
    if isinstance(body, Stream) and not body.has_begun:
        try:
            _guarded(body.peek)
        except BaseException:
            body.close()
            raise
    return made


class _Nothing:
    """Stands for an item that is not there."""


class Stream:
    """The items of a streamed body, as bytes, without the empty ones.

    Ends by itself, or with close() when the client leaves.
    """

    def __init__(self, items: Any) -> None:
        self._items = iter(items)
        self._owner = items
        self._first: Any = _Nothing
        self.has_begun = False

    def peek(self) -> bytes | str | None:
        """Fetches the first item that is not empty, and keeps it."""
        self.has_begun = True
        self._first = next((item for item in self._items if not _is_empty(item)), _Nothing)
        if self._first is _Nothing:
            return None
        _bytes(self._first)
        return self._first  # type: ignore[no-any-return]

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> bytes:
        try:
            item, self._first = self._first, _Nothing
            while item is _Nothing or _is_empty(item):
                item = next(self._items)
            return _bytes(item)
        except StopIteration:
            self.close()
            raise
        except errors.Cancelled:
            log.info("run() was cancelled: nobody reads its stream any more")
            self.close()
            raise
        except BaseException:
            log.error("Encountered Exception: %s", traceback_text())
            self.close()
            raise

    def close(self) -> None:
        """Ends the source; what it raises is logged."""
        owner, self._owner = self._owner, None
        try:
            _close(owner)
        except Exception:
            log.error("Encountered Exception: %s", traceback_text())

    def __del__(self) -> None:
        self.close()


def _is_empty(item: Any) -> bool:
    return isinstance(item, (str, bytes)) and not item


def _bytes(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode()
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    raise InvalidResponse(f"a stream holds bytes or str, not {type(item).__name__}")


def _close(items: Any) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()


def traceback_text() -> str:
    """Returns the traceback of the exception being handled."""
    import traceback

    return traceback.format_exc()


def chained(exc: BaseException) -> str:
    """Returns the traceback of a script's exception, as operators know it."""
    if exc.__traceback__ is None:
        exc = _raised(exc)  # run() could not even be called; it has a head all the same
    try:
        raise errors.UserScriptException(exc) from exc
    except errors.UserScriptException:
        return traceback_text()


def _raised(exc: BaseException) -> BaseException:
    try:
        raise exc
    except BaseException:
        return exc


def failed(exc: BaseException, timeout_ms: int) -> reply.Reply:
    """Logs what ``run()`` raised and makes the reply for it."""
    if isinstance(exc, errors.ScoringTimeout):
        return _timed_out(exc, timeout_ms)
    if isinstance(exc, errors.Cancelled):
        log.info("run() was cancelled: nobody waits for its answer any more")
        return reply.message(499, reply.CANCELLED)
    aborted = _aborted(exc)
    if aborted is not None:
        return aborted
    log.debug("Run function exception caught")
    log.error("Encountered Exception: %s", chained(exc))
    return reply.message(500, reply.SCRIPT_FAILED, reply.FAILED)


def internal() -> reply.Reply:
    """Logs the exception being handled, which ``run()`` did not raise itself."""
    log.error("Encountered Exception: %s", traceback_text())
    return reply.message(500, reply.INTERNAL_ERROR)


def _timed_out(exc: BaseException, timeout_ms: int) -> reply.Reply:
    """Logs where the script was when its time was up, and makes the reply."""
    try:
        raise errors.UserScriptTimeout(timeout_ms) from exc
    except errors.UserScriptTimeout:
        log.error("Encountered Exception: %s", traceback_text())
    return reply.message(500, f"Scoring timeout after {timeout_ms} ms", reply.FAILED)


def _aborted(exc: BaseException) -> reply.Reply | None:
    """Answers flask.abort() and its kin with the status they ask for."""
    werkzeug = sys.modules.get("werkzeug.exceptions")
    if werkzeug is None or not isinstance(exc, werkzeug.HTTPException):
        return None
    if exc.response is not None:
        return from_response(exc.get_response(), 0)
    try:
        status = _status(str(exc.code))
    except InvalidResponse:
        return None
    log.info("run() ended the request: %s", exc)
    headers = [pair for pair in exc.get_headers() if pair[0].lower() != "content-type"]
    flags = reply.FAILED if status >= 500 else 0
    return reply.message(status, str(exc.description), flags, _checked(headers))


# Coroutines. A loop for each thread, kept: clients that a script made in one
# request are bound to the loop that they were made in.

_loops = threading.local()

#: Which thread has run() in which loop now, for wake().
_driving: dict[int, AbstractEventLoop] = {}

#: What a coroutine that was interrupted has for its clean-up.
CLEAN_UP_S = 5.0


def _loop() -> AbstractEventLoop:
    loop = getattr(_loops, "loop", None)
    if loop is None:
        import asyncio

        loop = _loops.loop = asyncio.new_event_loop()
    return loop


def wake(thread_id: int) -> None:
    """Has a thread look up that waits in its loop: an exception was left for it.

    A signal interrupts the wait of the main thread; no other thread's.
    """
    loop = _driving.get(thread_id)
    if loop is not None:
        try:
            loop.call_soon_threadsafe(_nothing)
        except RuntimeError:
            pass  # it is closed, so nobody waits


def _nothing() -> None:
    """Does nothing; a loop that has it to do comes round."""


def drive(awaitable: Awaitable[Any]) -> Any:
    """Runs a coroutine to its end and returns its result.

    When it is interrupted from outside, by the deadline, the coroutine is
    cancelled and has some time to clean up.
    """
    loop = _loop()
    task = loop.create_task(_await(awaitable))
    return _run(loop, task, task)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _run(loop: AbstractEventLoop, until: Any, task: Any) -> Any:
    """Runs the loop until something is done; interrupted, it ends the task."""
    thread_id = threading.get_ident()
    _driving[thread_id] = loop
    try:
        return loop.run_until_complete(until)
    except BaseException:
        if not task.done():
            _end(loop, task)
        raise
    finally:
        _driving.pop(thread_id, None)


def _end(loop: AbstractEventLoop, task: Any) -> None:
    """Cancels a task and lets it clean up.

    An exception from outside may have hit the loop itself between two steps,
    so a task that does not end is left behind, and its loop with it.
    """
    import asyncio

    try:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task], timeout=CLEAN_UP_S))
    finally:
        if not task.done():
            _loops.__dict__.pop("loop", None)


class _Synchronous:
    """An async generator, read by a thread that has no loop running.

    One task runs it from its begin to its end, as `async for` in a coroutine
    would: its context variables stay, and asyncio.timeout() may span items.
    """

    def __init__(self, items: AsyncGeneratorType[Any, None]) -> None:
        self._items = items
        self._loop = _loop()
        self._task: Any = None
        self._found: Any = None  # by the task, for the reader
        self._asked: Any = None  # for the next one, by the reader

    def __iter__(self) -> _Synchronous:
        return self

    def __next__(self) -> Any:
        import asyncio

        if self._task is not None and self._task.done():
            raise StopIteration
        self._found = found = self._loop.create_future()
        if self._task is None:
            self._task = self._loop.create_task(self._read())
        else:
            self._asked.set_result(None)
        first = asyncio.wait([found, self._task], return_when=asyncio.FIRST_COMPLETED)
        _run(self._loop, first, self._task)
        if found.done():
            return found.result()
        self._task.result()  # raises what the generator raised
        raise StopIteration

    async def _read(self) -> None:
        try:
            async for item in self._items:
                self._asked = self._loop.create_future()
                self._found.set_result(item)
                await self._asked
        finally:
            await self._items.aclose()

    def close(self) -> None:
        """Ends the generator; its finally blocks run."""
        if self._task is None:
            drive(self._items.aclose())
        elif not self._task.done() and getattr(_loops, "loop", None) is self._loop:
            _end(self._loop, self._task)
            if not self._task.cancelled():
                self._task.result()
        elif not self._task.done():
            # The garbage collector found it, on some other thread.
            self._loop.call_soon_threadsafe(self._task.cancel)
