"""An HTTP/1.1 client that sends exact bytes and is strict about what comes back.

Libraries mend what they send and forgive what they get; here both must be
seen as they are on the wire, and anything that is no HTTP is a failure.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Union

#: No wait on a socket is longer; a test that gets here has failed.
PATIENCE_S = 60.0

Address = Union[tuple[str, int], str]
Headers = Iterable[tuple[str, str]]

_STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5]\d\d) ([ -~]+)")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~\x80-\xff]*)")
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")
_CHUNK = re.compile(rb"[0-9A-Fa-f]{1,16}")


@dataclass
class Response:
    """One response, checked against the grammar while it was read."""

    status: int
    version: str
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    #: The chunks as they came; None for a body that was not chunked.
    chunks: Union[list[bytes], None] = None
    #: How the end of the body was told: "none", "length", "chunked", "close".
    framing: str = "none"
    #: Interim responses (1xx) that came before.
    interim: list[int] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> Union[str, None]:
        """The value of a header that must not come twice, or None."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        """The body as JSON; its type must say so."""
        assert self.get("content-type") == "application/json", self.headers
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The text of an error, which has one form everywhere."""
        assert list(self.json) == ["message"], self.body
        assert self.body == json.dumps(self.json).encode()
        return str(self.json["message"])


class Closed(Exception):
    """The server closed the connection where a response was due."""


class Broken(Exception):
    """The server closed the connection in the middle of a response."""

    def __init__(self, text: str, body: bytes = b"") -> None:
        super().__init__(text)
        self.body = body


class Connection:
    """One connection, with what was read ahead."""

    def __init__(self, address: Address, source: str = "") -> None:
        self.ahead = bytearray()
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(PATIENCE_S)
            self.sock.connect(address)
        else:
            came_from = (source, 0) if source else None
            self.sock = socket.create_connection(address, PATIENCE_S, came_from)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Our own."""
        number: int = self.sock.getsockname()[1]
        return number

    def close(self) -> None:
        """Leave in the ordinary way."""
        self.sock.close()

    def reset(self) -> None:
        """Leave with a reset, as a client does that was killed."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        self.sock.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> Connection:
        """Send exactly these bytes; what the server refuses meanwhile is its business."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return self

    # Reading

    def _more(self) -> bool:
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            return False
        self.ahead += data
        return bool(data)

    def _line(self) -> bytes:
        """A line without its end, which is CRLF and nothing else."""
        while b"\n" not in self.ahead:
            if not self._more():
                raise Closed(f"the connection ended after {bytes(self.ahead)!r}")
        line = self._take(self.ahead.index(b"\n") + 1)
        assert line.endswith(b"\r\n") and line.count(b"\r") == 1, line
        return line[:-2]

    def _take(self, count: int) -> bytes:
        data = bytes(self.ahead[:count])
        del self.ahead[:count]
        return data

    def _exactly(self, count: int, so_far: bytes = b"") -> bytes:
        while len(self.ahead) < count:
            if not self._more():
                raise Broken(f"{count - len(self.ahead)} bytes are missing", so_far + self.ahead)
        return self._take(count)

    def _head(self) -> Response:
        line = self._line()
        parts = _STATUS_LINE.fullmatch(line)
        assert parts, f"no status line: {line!r}"
        headers = []
        while line := self._line():
            pair = _FIELD.fullmatch(line)
            assert pair, f"no header: {line!r}"
            headers.append((pair[1].decode(), pair[2].strip(b" \t").decode("latin-1")))
        return Response(int(parts[2]), parts[1].decode(), parts[3].decode(), headers)

    def response(self, method: str = "POST") -> Response:
        """Read one response to a request of this method."""
        interim = []
        while (response := self._head()).status < 200:
            assert not response.all("content-length"), "an interim response has no body"
            interim.append(response.status)
        response.interim = interim
        self._body(response, method)
        return response

    def _body(self, response: Response, method: str) -> None:
        length = response.get("content-length")
        coding = response.get("transfer-encoding")
        assert not (length and coding), "both Content-Length and Transfer-Encoding"
        assert length is None or length.isdigit(), length
        if method == "HEAD" or response.status in (204, 304):
            assert response.status != 204 or (not length and not coding), response.headers
        elif coding is not None:
            assert coding == "chunked" and response.version == "HTTP/1.1", response.headers
            response.framing = "chunked"
            response.chunks = []
            for chunk in self.chunks():
                response.chunks.append(chunk)
                response.body += chunk
        elif length is not None:
            response.framing = "length"
            response.body = self._exactly(int(length))
        else:
            response.framing = "close"
            response.body = self.rest()

    def chunks(self) -> Iterator[bytes]:
        """Read the chunks of a body one by one, to the last."""
        so_far = b""
        while True:
            try:
                size = self._line()
            except Closed:
                raise Broken("the last chunk is missing", so_far) from None
            assert _CHUNK.fullmatch(size), f"no size of a chunk: {size!r}"
            if int(size, 16) == 0:
                assert self._line() == b"", "trailers are not ours"
                return
            data = self._exactly(int(size, 16), so_far)
            assert self._exactly(2) == b"\r\n", "a chunk ends with CRLF"
            so_far += data
            yield data

    def head(self) -> Response:
        """Read a response up to its body, which chunks() or rest() can read."""
        return self._head()

    def rest(self) -> bytes:
        """Read all that comes until the server closes."""
        while self._more():
            pass
        return self._take(len(self.ahead))

    def skim(self, count: int) -> bytes:
        """Read so many responses of 200 in haste; returns the body of the last."""
        body = b""
        for _ in range(count):
            while (end := self.ahead.find(b"\r\n\r\n")) < 0:
                assert self._more(), "the connection ended"
            head = self._take(end + 4)
            length = _LENGTH.search(head)
            assert head.startswith(b"HTTP/1.1 200 ") and length, head
            body = self._exactly(int(length[1]))
        return body

    def is_closed(self) -> bool:
        """Wait for the server to close; True when it says nothing before that."""
        return self.rest() == b""

    def has_answer(self, within_s: float = 0.0) -> bool:
        """Tell whether anything has come, or comes within that time."""
        self.sock.settimeout(max(within_s, 0.001))
        try:
            return bool(self.ahead) or self._more()
        except (socket.timeout, BlockingIOError):
            return False
        finally:
            self.sock.settimeout(PATIENCE_S)


def request(
    method: str = "POST",
    target: str = "/score",
    body: Union[bytes, None] = None,
    headers: Headers = (),
    version: str = "HTTP/1.1",
) -> bytes:
    """The bytes of a sound request; Host and Content-Length are added when missing."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    lines = [f"{method} {target} {version}"]
    if "host" not in names:
        lines.append("Host: score.example")
    lines += [f"{name}: {value}" for name, value in given]
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def chunked(*pieces: bytes) -> bytes:
    """A body in chunks."""
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def until(what: str, condition: Any, patience_s: float = PATIENCE_S) -> Any:
    """Wait for a condition; returns its value, fails when it does not come true."""
    end = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < end, f"this did not come true in {patience_s} s: {what}"
        time.sleep(0.003)
    return value
