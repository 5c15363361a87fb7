"""Logging inside a worker: formats, streams, and print() as a log line.

The packaged configuration, `logging.json` beside this file, is what users
copy to make their own. It is set up here by hand, which saves a worker the
import of `logging.config`; a test holds the two together.

`AZUREML_LOG_LEVEL`, when set, is the level of the server's own loggers
(`azmlinfsrv` and its children). It touches neither print(), whose lines are
output and not reports, nor the script's own loggers, nor the line of each
request, which `--access_log` governs. A user's logging.json wins over it.
"""

from __future__ import annotations

import builtins
import logging
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, TextIO

    Style = Literal["%", "{", "$"]

FORMAT = "%(asctime)s %(levelname).1s [%(process)d] %(name)s - %(message)s"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_PROBES = ("GET / HTTP/1.", "HEAD / HTTP/1.")


class AMLLogFormatter(logging.Formatter):
    """Formats records with times in UTC, so that the machine's zone is no matter.

    Without a format of its own it has the one of all our lines.
    """

    converter = time.gmtime  # type: ignore[assignment]

    def __init__(
        self, fmt: str | None = None, datefmt: str | None = None, style: Style = "%"
    ) -> None:
        super().__init__(FORMAT if fmt is None and style == "%" else fmt, datefmt, style)


class RootAccessFilter(logging.Filter):
    """Keeps health probes out of the access log.

    Only the request line counts: a Referer or User-Agent may say what it likes.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record of the access log is to be written."""
        text = record.getMessage()
        line = text.partition('] "')[2] or text.partition('"')[2] or text
        return not line.startswith(_PROBES)


def _handler(stream: TextIO) -> logging.Handler:
    handler = logging.StreamHandler(stream)
    handler.setLevel(logging.INFO)
    handler.setFormatter(AMLLogFormatter(FORMAT))
    return handler


def _own(name: str, handler: logging.Handler) -> logging.Logger:
    """Gives a logger one handler of its own, whatever it had before."""
    logger = logging.getLogger(name)
    logger.handlers[:] = [handler]
    logger.filters.clear()
    logger.disabled = False
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return logger


def configure() -> None:
    """Sets up the packaged configuration."""
    out = _handler(sys.stdout)
    _own("azmlinfsrv", out)
    _own("gunicorn.access", out).addFilter(RootAccessFilter())
    _own("gunicorn.error", _handler(sys.stderr))


def configure_from(path: str) -> None:
    """Applies the user's logging.json in place of the packaged one.

    Raises whatever is wrong with it. The class paths of Microsoft's package
    resolve because the import hook is in place by then.
    """
    import json
    import logging.config

    with open(path, encoding="utf-8") as file:
        logging.config.dictConfig(json.load(file))


def configure_root() -> None:
    """Sends what other loggers say to stderr, unless the user has arranged that.

    Warnings and worse: `basicConfig` is without effect in a script from here
    on, as it is in the server whose contract this keeps.
    """
    logging.basicConfig()


def set_level(name: str) -> None:
    """Applies AZUREML_LOG_LEVEL; a name that is none gets a warning."""
    logger = logging.getLogger("azmlinfsrv")
    if name.upper() not in LEVELS:
        logger.warning("AZUREML_LOG_LEVEL is not one of %s: %r", ", ".join(LEVELS), name)
        return
    level = getattr(logging, name.upper())
    logger.setLevel(level)
    for handler in logger.handlers:
        handler.setLevel(min(level, logging.INFO))
    logging.getLogger("azmlinfsrv.print").setLevel(logging.INFO)


def show_lines_at_once() -> None:
    """Has what a script writes to stdout by itself appear with each line.

    In a file or a pipe it would wait in a buffer, perhaps for ever: the lines
    of a request, which once flushed it, are not written by Python.
    """
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)


def hook_print() -> None:
    """Turns print() to stdout into log lines, from here on and everywhere."""
    original = builtins.print
    if getattr(original, "is_hook", False):
        return
    logger = logging.getLogger("azmlinfsrv.print")

    def print_to_logger(
        *values: object,
        sep: str | None = " ",
        end: str | None = "\n",
        file: TextIO | None = None,
        flush: bool = False,
    ) -> None:
        """Prints; what would go to stdout is logged instead, a record a call."""
        if file is None or file is sys.stdout or file is sys.__stdout__:
            logger.info("%s", (" " if sep is None else sep).join(map(str, values)))
        else:
            original(*values, sep=sep, end=end, file=file, flush=flush)

    # Python names it where it is called in a wrong way.
    print_to_logger.__name__ = print_to_logger.__qualname__ = "print"
    print_to_logger.is_hook = True  # type: ignore[attr-defined]
    builtins.print = print_to_logger  # type: ignore[assignment]


def flush() -> None:
    """Writes out what the streams still hold."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass  # closed, or the reader is gone: there is nobody to tell
