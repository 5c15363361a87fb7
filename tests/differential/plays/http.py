"""HTTP as such: framing, limits, and requests that are none."""

from __future__ import annotations

from ..model import Play, Request


def _raw(name: str, text: "str | bytes", half_close: bool = False) -> Request:
    data = text.encode("latin-1") if isinstance(text, str) else text
    return Request(name, raw=data, method=_method(data), half_close=half_close)


def _method(data: bytes) -> str:
    return data.split(b" ")[0].decode("latin-1")


def _head(*lines: str, start: str = "POST /score HTTP/1.1",
          host: str = "Host: a.example\r\n") -> str:
    return f"{start}\r\n{host}" + "".join(
        f"{line}\r\n" for line in lines) + "\r\n"


_FRAMING = (
    _raw("two lengths", _head("Content-Length: 1", "Content-Length: 2") + "ab"),
    _raw("two equal lengths",
         _head("Content-Length: 1", "Content-Length: 1") + "a"),
    _raw("length list", _head("Content-Length: 1, 1") + "a"),
    _raw("negative length", _head("Content-Length: -1")),
    _raw("signed length", _head("Content-Length: +1") + "a"),
    _raw("hex length", _head("Content-Length: 0x1") + "a"),
    _raw("empty length", _head("Content-Length:")),
    _raw("length and chunked", _head(
        "Content-Length: 3", "Transfer-Encoding: chunked") + "0\r\n\r\n"),
    _raw("unknown coding", _head("Transfer-Encoding: bogus") + "x"),
    _raw("coding twice", _head("Transfer-Encoding: chunked",
                               "Transfer-Encoding: chunked") + "0\r\n\r\n"),
    _raw("chunked not last", _head("Transfer-Encoding: chunked, gzip")),
    _raw("gzip, chunked", _head("Transfer-Encoding: gzip, chunked")
         + "1\r\na\r\n0\r\n\r\n"),
    _raw("identity coding", _head("Transfer-Encoding: identity",
                                  "Content-Length: 1") + "a"),
    _raw("chunked in 1.0", _head("Transfer-Encoding: chunked",
                                 start="POST /score HTTP/1.0") + "0\r\n\r\n"),
    _raw("chunk size bad", _head("Transfer-Encoding: chunked")
         + "zz\r\nabc\r\n0\r\n\r\n", half_close=True),
    _raw("chunk size negative", _head("Transfer-Encoding: chunked")
         + "-1\r\nabc\r\n0\r\n\r\n", half_close=True),
    _raw("chunk too long", _head("Transfer-Encoding: chunked")
         + "2\r\nabc\r\n0\r\n\r\n", half_close=True),
    _raw("chunk cut", _head("Transfer-Encoding: chunked") + "5\r\nab",
         half_close=True),
    _raw("body cut", _head("Content-Length: 10") + "abc", half_close=True),
    _raw("no length", _head()),
    _raw("get without length", _head(start="GET /score HTTP/1.1")),
    _raw("body beyond length", _head("Content-Length: 1") + "abc"),
)

_HEADS = (
    _raw("no host", _head(host="", start="GET / HTTP/1.1")),
    _raw("two hosts", _head("Host: b.example", start="GET / HTTP/1.1")),
    _raw("empty host", _head(host="Host:\r\n", start="GET / HTTP/1.1")),
    _raw("no host in 1.0", _head(host="", start="GET /score HTTP/1.0")),
    _raw("no colon", _head("X-No-Colon", start="GET /score HTTP/1.1")),
    _raw("space before colon", _head("X-A : b", start="GET /score HTTP/1.1")),
    _raw("empty name", _head(": b", start="GET /score HTTP/1.1")),
    _raw("name with space", _head("X A: b", start="GET /score HTTP/1.1")),
    _raw("folded", _head("X-A: b", "  folded", start="GET /score HTTP/1.1")),
    _raw("nul in value", _head("X-A: a\0b", start="GET /score HTTP/1.1")),
    _raw("control in value",
         _head("X-A: a\x01b", start="GET /score HTTP/1.1")),
    _raw("cr in value", _head("X-A: a\rb", start="GET /score HTTP/1.1")),
    _raw("header too long", _head("X-A: " + "b" * 9000,
                                  start="GET /score HTTP/1.1")),
    _raw("header fits", _head("X-A: " + "b" * 8000,
                              start="GET /score HTTP/1.1")),
    _raw("100 headers", _head(*(f"X-{n}: 1" for n in range(99)),
                              start="GET /score HTTP/1.1")),
    _raw("101 headers", _head(*(f"X-{n}: 1" for n in range(100)),
                              start="GET /score HTTP/1.1")),
    _raw("tab in value", _head("X-A: a\tb", start="GET /score HTTP/1.1")),
    _raw("line too long", _head(start=f"GET /score?{'a' * 4200} HTTP/1.1")),
    _raw("line fits", _head(start=f"GET /score?{'a' * 4000} HTTP/1.1")),
)

_LINES = (
    _raw("lower case method", _head(start="get /score HTTP/1.1")),
    _raw("odd method", _head(start="G@T /score HTTP/1.1")),
    _raw("version 1.2", _head(start="GET /score HTTP/1.2")),
    _raw("version 2.0", _head(start="GET /score HTTP/2.0")),
    _raw("version odd", _head(start="GET /score HTTP/x")),
    _raw("version missing", "GET /score\r\n\r\n"),
    _raw("not http", "hello\r\n\r\n"),
    _raw("two spaces", _head(start="GET  /score HTTP/1.1")),
    _raw("leading crlf", "\r\n" + _head(start="GET /score HTTP/1.1")),
    _raw("tls hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    _raw("nothing", b"", half_close=True),
    _raw("half a head", "GET /score HT", half_close=True),
    _raw("target without slash", _head(start="GET score HTTP/1.1")),
    _raw("connect", _head(start="CONNECT a.example:443 HTTP/1.1")),
    _raw("unknown expect", _head("Expect: something", "Content-Length: 1")
         + "a"),
    _raw("upgrade", _head("Upgrade: websocket", "Connection: Upgrade",
                          start="GET /score HTTP/1.1")),
    _raw("http2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _raw("script name", _head("SCRIPT_NAME: /x", start="GET /score HTTP/1.1")),
)

PLAYS = (Play("http", (*_FRAMING, *_HEADS, *_LINES), "echo.py"),)
