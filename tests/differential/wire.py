"""A plain HTTP/1.1 client that sends exact bytes and tells all it received.

Libraries mend what they send and hide what they get; here both must be seen
as they are on the wire.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field

TIMEOUT_S = 60.0


@dataclass
class Received:
    """One response, or how the connection ended without one."""

    status: int = 0
    version: str = ""
    reason: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    #: "length", "chunked", "close" or "none" (no body may follow).
    framing: str = "none"
    #: The body came to the end that its framing announced.
    complete: bool = True
    #: What stood where the size of a chunk was due.
    broken_by: str = ""
    #: Status lines of 1xx responses before the final one.
    interim: list[str] = field(default_factory=list)
    #: Set when no response came: "closed", "reset", "timeout" or "garbage".
    ended: str = ""


class _Reader:
    """Bytes of a connection, by line or by count; short at its end."""

    def __init__(self, sock: socket.socket) -> None:
        self.file = sock.makefile("rb")

    def line(self) -> bytes:
        """Read one line with its end."""
        return self.file.readline(65536)

    def exactly(self, count: int) -> bytes:
        """Read `count` bytes, or fewer if the connection ends before."""
        return self.file.read(count) or b""

    def rest(self) -> bytes:
        """Read until the connection ends; a reset counts as the end."""
        data = b""
        try:
            while chunk := self.file.read1(65536):
                data += chunk
        except ConnectionResetError:
            pass
        return data


def exchange(port: int, data: bytes, method: str = "",
             half_close: bool = False) -> Received:
    """Send `data` over a new connection to loopback and read the answer."""
    got = Received()
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as sock:
            _send(sock, data, half_close)
            _receive(_Reader(sock), got, method or _method_of(data))
    except socket.timeout:
        got.ended = "timeout"
    except ConnectionError:
        got.ended = "reset"
    return got


def _method_of(data: bytes) -> str:
    return data.split(b" ", 1)[0].decode("latin-1")


def _send(sock: socket.socket, data: bytes, half_close: bool) -> None:
    # A server may answer and close before it has read everything: what it
    # said still has to be read.
    try:
        sock.sendall(data)
        if half_close:
            sock.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass


def _receive(reader: _Reader, got: Received, method: str) -> None:
    while True:
        status_line = reader.line()
        if not status_line:
            got.ended = "closed"
            return
        parts = status_line.decode("latin-1").rstrip("\r\n").split(" ", 2)
        if len(parts) < 2 or not parts[1].isdigit():
            got.ended = "garbage"
            return
        headers = _read_headers(reader)
        if parts[1].startswith("1"):
            got.interim.append(" ".join(parts))
            continue
        got.version, got.status = parts[0], int(parts[1])
        got.reason = parts[2] if len(parts) == 3 else ""
        got.headers = headers
        _read_body(reader, got, method)
        return


def _read_headers(reader: _Reader) -> list[tuple[str, str]]:
    headers = []
    while (line := reader.line().decode("latin-1").rstrip("\r\n")):
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    return headers


def _read_body(reader: _Reader, got: Received, method: str) -> None:
    fields = {name.lower(): value for name, value in got.headers}
    if method == "HEAD" or got.status in (204, 304):
        return
    if "chunked" in fields.get("transfer-encoding", "").lower():
        got.framing = "chunked"
        got.complete = _read_chunks(reader, got)
    elif fields.get("content-length", "").isdigit():
        got.framing = "length"
        length = int(fields["content-length"])
        got.body = reader.exactly(length)
        got.complete = len(got.body) == length
    else:
        got.framing = "close"
        got.body = reader.rest()


def _read_chunks(reader: _Reader, got: Received) -> bool:
    while True:
        try:
            size_line = reader.line()
        except ConnectionResetError:
            return False
        try:
            size = int(size_line.split(b";")[0].strip(), 16)
        except ValueError:
            got.broken_by = size_line.decode("latin-1").rstrip("\r\n")
            return False
        if size == 0:
            _read_headers(reader)
            return True
        chunk = reader.exactly(size)
        got.body += chunk
        if len(chunk) < size:
            return False
        reader.line()
