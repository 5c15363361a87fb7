"""What a worker's lines look like and where they go."""

from __future__ import annotations

import builtins
import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scorehost import banner, hook, logs

OWN = ("azmlinfsrv", "gunicorn.access", "gunicorn.error")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Gives back the loggers and print() of the test run."""
    names = [*OWN, "azmlinfsrv.print", ""]
    loggers = [logging.getLogger(name) for name in names]
    before = [
        (item.handlers[:], item.filters[:], item.level, item.propagate, item.disabled)
        for item in loggers
    ]
    original = builtins.print
    yield
    builtins.print = original
    for item, (handlers, filters, level, propagate, disabled) in zip(loggers, before, strict=True):
        item.handlers[:], item.filters[:] = handlers, filters
        item.setLevel(level)
        item.propagate, item.disabled = propagate, disabled


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("gunicorn.access", logging.INFO, "f", 1, text, None, None)


def line(request: str, rest: str = '"-" "-"') -> str:
    return f'127.0.0.1 - - [22/Nov/2026:07:06:26 +0000] "{request}" 200 7 {rest}'


def test_the_format_of_a_line() -> None:
    item = record("hello")
    item.created, item.msecs, item.process = 0.0, 7.0, 42
    text = logs.AMLLogFormatter(logs.FORMAT).format(item)
    assert text == "1970-01-01 00:00:00,007 I [42] gunicorn.access - hello"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (line("GET / HTTP/1.1"), False),
        (line("GET / HTTP/1.0"), False),
        (line("HEAD / HTTP/1.1"), False),
        (line("POST /score HTTP/1.1"), True),
        (line("GET /?x HTTP/1.1"), True),
        (line("GET /score HTTP/1.1", '"GET / HTTP/1.1" "-"'), True),
        ("GET / HTTP/1.1", False),
        ("something else", True),
    ],
)
def test_probes_are_no_access(text: str, kept: bool) -> None:
    """Whatever a Referer says."""
    assert logs.RootAccessFilter().filter(record(text)) is kept


def test_which_stream(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("azmlinfsrv.user_script").info("one")
    logging.getLogger("gunicorn.access").info("two")
    logging.getLogger("gunicorn.error").info("three")
    logging.getLogger("azmlinfsrv").debug("four")
    out, err = capsys.readouterr()
    assert [item.partition(" - ")[2] for item in out.splitlines()] == ["one", "two"]
    assert [item.partition(" - ")[2] for item in err.splitlines()] == ["three"]


def shape(name: str) -> object:
    """All that matters about a logger's configuration."""
    logger = logging.getLogger(name)
    handlers = []
    for handler in logger.handlers:
        if type(handler) is not logging.StreamHandler:
            continue  # pytest's own
        formatter = handler.formatter
        assert formatter is not None
        kind = type(formatter).__name__
        handlers.append((handler.level, handler.stream is sys.stdout, kind, formatter._fmt))
    filters = [type(item).__name__ for item in logger.filters]
    return logger.level, logger.propagate, filters, handlers


def test_the_packaged_file_says_what_is_done_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs.configure()
    by_hand = [shape(name) for name in OWN]
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[:])
    hook.install()
    logging.getLogger("gunicorn.access").filters.clear()
    logs.configure_from(banner.PACKAGED_LOGGING)
    assert [shape(name) for name in OWN] == by_hand


@pytest.mark.parametrize("text", ["", "{", "{}", '{"version": 2}'])
def test_a_bad_file_raises(tmp_path: Path, text: str) -> None:
    logs.configure()
    path = tmp_path / "logging.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        logs.configure_from(str(path))


def test_a_users_file_takes_the_place_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure()
    path = tmp_path / "logging.json"
    path.write_text(json.dumps({"version": 1}))
    logs.configure_from(str(path))
    logging.getLogger("azmlinfsrv").info("nobody named this logger")
    assert capsys.readouterr().out == ""
    logs.configure()
    logging.getLogger("azmlinfsrv").info("back again")
    assert "back again" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("level", "kept"), [("DEBUG", "diwp"), ("info", "iwp"), ("WARNING", "wp"), ("ERROR", "p")]
)
def test_the_level_asked_for(
    level: str, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """print() is output: no level hides it."""
    logs.configure()
    logs.set_level(level)
    log = logging.getLogger("azmlinfsrv")
    log.debug("d")
    log.info("i")
    log.warning("w")
    logging.getLogger("azmlinfsrv.print").info("p")
    assert "".join(item[-1] for item in capsys.readouterr().out.splitlines()) == kept


def test_a_level_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.set_level("loud")
    assert capsys.readouterr().out.endswith(
        "AZUREML_LOG_LEVEL is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL: 'loud'\n"
    )


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The messages that print() made."""
    lines = capsys.readouterr().out.splitlines()
    return [line.partition("azmlinfsrv.print - ")[2] for line in lines]


def test_print_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.hook_print()
    print("a", 1, None, sep="-", end="")
    print("100%", "%s", flush=True)
    print("explicit", file=sys.stdout)
    print("none", "given", sep=None)
    print()
    assert printed(capsys) == ["a-1-None", "100% %s", "explicit", "none given", ""]


def test_print_elsewhere_is_print(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logs.hook_print()
    elsewhere = io.StringIO()
    print("a", "b", sep="+", end="!", file=elsewhere)
    print("to stderr", file=sys.stderr)
    assert elsewhere.getvalue() == "a+b!"
    out, err = capsys.readouterr()
    assert (out, err) == ("", "to stderr\n")


def test_print_in_errors_is_called_print() -> None:
    logs.configure()
    logs.hook_print()
    wrong: Any = print
    with pytest.raises(TypeError, match=r"^print\(\) got an unexpected keyword argument 'colour'"):
        wrong("x", colour="red")


def test_print_is_hooked_once() -> None:
    logs.configure()
    logs.hook_print()
    hooked = builtins.print
    logs.hook_print()
    assert builtins.print is hooked


def test_flush_bears_a_stream_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    monkeypatch.setattr(sys, "stderr", None)
    logs.flush()


def test_the_hosts_line_has_the_workers_format(capsys: pytest.CaptureFixture[str]) -> None:
    banner.log("W", "text", "gunicorn.error")
    ours = capsys.readouterr().out
    logs.configure()
    logging.getLogger("azmlinfsrv").warning("text")
    theirs = capsys.readouterr().out
    assert ours[23:].replace("gunicorn.error", "azmlinfsrv") == theirs[23:]
    assert len(ours[:23]) == len("2026-11-22 07:06:26,123")


def test_the_formatter_has_our_form_by_itself() -> None:
    record = logging.LogRecord("azmlinfsrv", logging.INFO, __file__, 1, "hello", None, None)

    line = logs.AMLLogFormatter().format(record)

    assert line.endswith(f" I [{record.process}] azmlinfsrv - hello")
