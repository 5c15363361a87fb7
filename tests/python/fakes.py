"""What tests of scripts share: a request, a script on disk, the log."""

from __future__ import annotations

import logging
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from scorehost import script
from scorehost.settings import Settings

_FORGOTTEN = ("azureml", "inference_schema")


@dataclass
class Call:
    """Stands for the object that the C core makes for each request."""

    method: str = "POST"
    target: str = "/score"
    path: str = "/score"
    query: bytes = b""
    version: str = "HTTP/1.1"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    peer: tuple[str, int] = ("127.0.0.1", 40000)
    server: tuple[str, int] = ("0.0.0.0", 5001)
    scheme: str = "http"
    request_id: str = "the-request-id"
    client_request_id: str = ""

    def begin(self) -> int:
        """Says when run() is called."""
        return perf_counter_ns()


def post(body: bytes = b"", kind: str = "", **fields: Any) -> Call:
    """A POST with its length and, when given, its type."""
    headers = [("Host", "127.0.0.1:5001"), ("Content-Length", str(len(body)))]
    if kind:
        headers.append(("Content-Type", kind))
    return Call(body=body, headers=headers + fields.pop("headers", []), **fields)


def get(query: bytes = b"", **fields: Any) -> Call:
    """A GET with a query string."""
    target = "/score" + ("?" + query.decode("latin-1") if query else "")
    return Call(method="GET", target=target, query=query, **fields)


def settings_for(root: Path, entry: str = "score.py", **fields: Any) -> Settings:
    """Settings whose application root is the test's folder."""
    made = Settings()
    made.app_root = str(root)
    made.entry_script = entry
    for name, value in fields.items():
        made.set(name, value)
    return made


def load(root: Path, source: str, **fields: Any) -> script.Scoring:
    """Loads a script from its text; ``init`` and ``run`` are added when missing."""
    for name in [name for name in sys.modules if name.startswith(_FORGOTTEN)]:
        del sys.modules[name]  # what another test decorated is not ours
    source = textwrap.dedent(source)
    if "init" not in source:
        source += "\ndef init(): pass\n"
    (root / "score.py").write_text(source)
    return script.load(settings_for(root, **fields))


@contextmanager
def logged(name: str = "azmlinfsrv") -> Iterator[list[str]]:
    """Collects what is logged, each record as ``LEVEL message``."""
    lines: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.levelname[0]} {record.getMessage()}")

    logger, handler = logging.getLogger(name), Collector()
    level = logger.level
    for child in [name, "azmlinfsrv.swagger", "azmlinfsrv.user_script"]:
        logging.getLogger(child).disabled = False  # another test may have done that
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
