"""The words of the suite: a play, its requests, and the answers to them.

A *play* is one start of a server: a folder of files, flags, environment and
the requests that are sent, one after the other.  A *case* is one thing that is
compared: the start, the stop, or one request of a play.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

#: Scoring scripts that the plays (and the end-to-end tests) share.
SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"

#: Names of the two cases that each play has besides its requests.
START = "@start"
STOP = "@stop"

Headers = tuple[tuple[str, str], ...]

#: An observation as it is recorded: plain JSON.
Answer = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request, and how to know that its traces are all in."""

    name: str
    method: str = "POST"
    target: str = "/score"
    headers: Headers = ()
    body: bytes = b""
    version: str = "HTTP/1.1"
    #: Exact bytes to send in place of all the above.
    raw: Union[bytes, None] = None
    #: Close the sending side once everything is sent.
    half_close: bool = False
    #: Send to the separate health port.
    health: bool = False
    #: Log lines are left out of the comparison (they are not deterministic).
    logs: bool = True
    #: The lines of one stream come in the same order each time.
    ordered: bool = True
    #: The worker dies of this request: wait until its successor is ready.
    reboots: bool = False
    #: What the log says of it that may come after its access line: patterns.
    says: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Give the bytes of the request; Host and Content-Length are added."""
        if self.raw is not None:
            return self.raw
        lines = [f"{self.method} {self.target} {self.version}"]
        names = {name.lower() for name, _ in self.headers}
        if "host" not in names:
            lines.append("Host: score.example")
        lines += [f"{name}: {value}" for name, value in self.headers]
        framed = names & {"content-length", "transfer-encoding"}
        if not framed and (self.body or self.method == "POST"):
            lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode("latin-1") + self.body


@dataclass(frozen=True)
class Play:
    """One start of the server and what is asked of it."""

    name: str
    requests: tuple[Request, ...] = ()
    #: Path below ``tests/scripts``; copied under its own name and passed as
    #: ``--entry_script`` unless `flags` say otherwise.
    script: str = ""
    #: Further paths below ``tests/scripts`` (files or folders) to copy.
    copies: tuple[str, ...] = ()
    #: Further files by name: inline text or bytes.
    files: Mapping[str, Union[str, bytes]] = field(default_factory=dict)
    #: Command line besides ``--port``; None stands for the entry script alone.
    flags: Union[tuple[str, ...], None] = None
    env: Mapping[str, str] = field(default_factory=dict)
    #: Folder, below the play's own, where the server is started.
    cwd: str = "."
    #: Packages without which neither server can run the script.
    needs: tuple[str, ...] = ()
    #: The process ends by itself: its exit code is the answer.
    exits: bool = False
    #: With `exits`: it does *not* end; this many seconds are waited.
    endless_s: float = 0.0
    #: The start and stop log lines are compared.
    logs: bool = True
    #: A target whose line in the log tells that all before it is in; empty
    #: where no line is written once a request has been answered.
    fence: str = "/"
    #: ``--port`` is put on the command line.
    port_flag: bool = True
    #: Signal that ends the server.
    stop_signal: str = "SIGTERM"

    def case_names(self) -> list[str]:
        """Give the ids of all cases of this play."""
        if self.exits:
            return [f"{self.name}/{START}"]
        inner = [request.name for request in self.requests]
        return [f"{self.name}/{name}" for name in (START, *inner, STOP)]


def post(name: str, body: Union[bytes, str] = b"", *headers: tuple[str, str],
         **more: Any) -> Request:
    """Make a POST /score; text is sent as UTF-8."""
    data = body.encode() if isinstance(body, str) else body
    return Request(name, body=data, headers=tuple(headers), **more)


def post_json(name: str, value: Any, *headers: tuple[str, str],
              **more: Any) -> Request:
    """Make a POST /score of a JSON value with its content type."""
    kind = ("Content-Type", "application/json")
    return post(name, json.dumps(value), kind, *headers, **more)


def get(name: str, target: str = "/score", *headers: tuple[str, str],
        **more: Any) -> Request:
    """Make a GET."""
    return Request(name, method="GET", target=target, headers=tuple(headers),
                   **more)
