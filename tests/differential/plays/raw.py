"""Raw mode, responses of one's own, and streams."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from typing import Any

from ..model import Headers, Play, Request, get, post, post_json
from .common import JSON, each_key, keys_of

FORM = ("Content-Type", "application/x-www-form-urlencoded")
MULTIPART = ("Content-Type", "multipart/form-data; boundary=X")


def png(width: int, height: int, colour: tuple[int, int, int]) -> bytes:
    """Make a PNG of one colour, without any library."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(
            ">I", zlib.crc32(body))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes(colour) * width) * height
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def multipart(*parts: tuple[str, str, bytes]) -> bytes:
    """Make a multipart body of (name, file name or "", content)."""
    out = io.BytesIO()
    for name, file_name, content in parts:
        out.write(b'--X\r\nContent-Disposition: form-data; name="'
                  + name.encode() + b'"')
        if file_name:
            out.write(f'; filename="{file_name}"\r\n'.encode()
                      + b"Content-Type: image/png")
        out.write(b"\r\n\r\n" + content + b"\r\n")
    return out.getvalue() + b"--X--\r\n"


_ASKED: dict[str, dict[str, Any]] = {
    "full_path": {"target": "/score?a=1&b=%20x"},
    "url": {"target": "/score?a=%C5%BC"},
    "base_url": {"target": "/score?a=1"},
    "query_string": {"target": "/score?a=1&a=%ff"},
    "args": {"target": "/score?a=1&b=&a=2&c"},
    "arg typed": {"target": "/score?n=x"},
    "values": {"target": "/score?q=1", "body": b"f=2", "headers": (FORM,)},
    "form": {"body": b"a=1&a=2&b=x+y", "headers": (FORM,)},
    "data after form": {"body": b"a=1", "headers": (FORM,)},
    "files": {"body": multipart(("f", "one.txt", b"1"), ("f", "2.txt", b"2"),
                                ("note", "", b"n")), "headers": (MULTIPART,)},
    "data": {"body": b"\x00\xffbytes"},
    "get_data": {"body": b"text"},
    "get_data twice": {"body": b"once"},
    "stream": {"body": b"streamed"},
    "stream by lines": {"body": b"a\nb\n\nc"},
    "json": {"body": b'{"a": 1}', "headers": (JSON,)},
    "get_json": {"body": b"[1]", "headers": (
        ("Content-Type", "application/problem+json"),)},
    "get_json force": {"body": b"[1]"},
    "get_json silent": {"body": b"{", "headers": (JSON,)},
    "is_json": {"body": b"{", "headers": (JSON,)},
    "cookies": {"headers": (("Cookie", "a=1; b=two; c=%20"),)},
    "authorization": {"headers": (("Authorization", "Basic YWRhOnB3"),)},
    "content_type": {"body": b"x", "headers": (
        ("Content-Type", "text/plain; charset=x"),)},
    "mimetype": {"body": b"x", "headers": (
        ("Content-Type", "Text/Plain; Charset=x"),)},
    "content_length": {"body": b"12345"},
    "content_encoding": {"headers": (("Content-Encoding", "br"),)},
    "access_route": {"headers": (("X-Forwarded-For", "10.0.0.1, 10.0.0.2"),)},
    "user_agent": {"headers": (("User-Agent", "a/1 (b)"),)},
    "referrer": {"headers": (("Referer", "http://r.example/"),)},
    "accept": {"headers": (("Accept", "text/html;q=0.5, text/csv"),)},
    "accept_languages": {"headers": (("Accept-Language", "pl, en;q=0.7"),)},
    "if_none_match": {"headers": (("If-None-Match", 'W/"a", "b"'),)},
    "date": {"headers": (("Date", "Wed, 21 Oct 2026 07:28:00 GMT"),)},
    "range": {"headers": (("Range", "bytes=0-4"),)},
    "header any case": {"headers": (("X-Tenant", "acme"),)},
    "headers": {"headers": (("X-B", "1"), ("x-a", "2"), ("X-b", "3"),
                            ("Traceparent", "00-1-2-01")), "body": b"x"},
    "environ": {"target": "/score?e=1", "body": b"x"},
    "environ headers": {"headers": (("X-B", "1"), ("X-B", "2"))},
    "raw uri": {"target": "//sc%6Fre?x=%20"},
    "path": {"target": "//score"},
}


def _view(name: str) -> Request:
    return _views(name, name, **_ASKED.get(name, {}))


def _views(name: str, view: str, headers: Headers = (),
           **more: Any) -> Request:
    return Request(name, headers=(*headers, ("X-View", view)), **more)


_MORE_VIEWS = (
    _views("json bad", "json", body=b"{", headers=(JSON,)),
    _views("json wrong type", "json", body=b"{}"),
    _views("json empty", "json", headers=(JSON,)),
    _views("json not utf-8", "json", body=b'"\xff"', headers=(JSON,)),
    _views("data not utf-8", "get_data", body=b"\xff"),
    _views("get method", "method", method="GET"),
    _views("head", "method", method="HEAD"),
    _views("options", "method", method="OPTIONS"),
    _views("put", "method", method="PUT"),
    _views("authorization bearer", "authorization",
           headers=(("Authorization", "Bearer t0"),)),
    _views("authorization none", "authorization"),
    _views("authorization broken", "authorization",
           headers=(("Authorization", "Basic *"),)),
    _views("form too large", "form", body=b"a=" + b"x" * 500_001,
           headers=(FORM,)),
    _views("form many parts", "form", headers=(MULTIPART,), body=multipart(
        *((f"f{number}", "", b"x") for number in range(1001)))),
    _views("files large", "content_length", headers=(MULTIPART,),
           body=multipart(("f", "big.bin", b"x" * 600_000))),
    _views("chunked", "data", body=b"3\r\nabc\r\n0\r\n\r\n",
           headers=(("Transfer-Encoding", "chunked"),)),
    _views("chunked length", "content_length", body=b"3\r\nabc\r\n0\r\n\r\n",
           headers=(("Transfer-Encoding", "chunked"),)),
    _views("host with port", "host", headers=(("Host", "a.example:81"),)),
    _views("host default port", "url", headers=(("Host", "a.example:80"),)),
    _views("http 1.0", "environ", version="HTTP/1.0"),
    _views("forwarded", "url", headers=(("X-Forwarded-Proto", "https"),
                                        ("X-Forwarded-Host", "f.example"))),
    _views("unknown view", "nothing"),
    Request("no view"),
    _views("args not utf-8", "args", target="/score?a=%ff"),
    _views("path escapes", "path", target="/%73core"),
    _views("absolute form", "url", target="http://other.example/score?z=1"),
)

_PICTURE = png(16, 8, (200, 30, 40))


#: A client may know that it has all before the generator is told so.
_CLOSED = ("generator closed\n",)


def _by_query(script: str, table: str) -> tuple[Request, ...]:
    # Who prints in a generator and who logs the request do so in any order.
    return tuple(post(key, target=f"/score?kind={key.replace(' ', '%20')}",
                      ordered=False,
                      says=_CLOSED if key != "plain generator" else ())
                 for key in keys_of(script, table))


PLAYS = (
    Play("raw", tuple(_view(name) for name in keys_of("raw_echo.py", "VIEWS"))
         + _MORE_VIEWS, "raw_echo.py"),
    Play("raw-methods", (
        post("post", b"abc\x00"), get("get", "/score?a=b"), get("get bare"),
        Request("options", "OPTIONS"), Request("head", "HEAD"),
        Request("put", "PUT"), post("post form", "a=1", FORM),
        post("post empty")), "raw_methods.py"),
    Play("raw-values", tuple(
        post(kind, "x", ("X-Tenant", "acme"), target=f"/score?kind={kind}")
        for kind in ("none", "str", "dict", "int", "bytes", "headers",
                     "generator", "unknown")), "raw_value.py"),
    Play("raw-auth", (
        post("no token", "[1]"),
        post("good", "[1, 2]", JSON, ("Authorization", "Bearer secret")),
        post("wrong token", "[1]", ("Authorization", "Bearer x")),
        post("not json type", "[1]", ("Authorization", "Bearer secret")),
        post("bad json", "[1", JSON, ("Authorization", "Bearer secret")),
        post("not a list", "{}", JSON, ("Authorization", "Bearer secret")),
        post("bad list", '["a"]', JSON, ("Authorization", "Bearer secret")),
        get("get")), "raw_auth.py"),
    Play("raw-gzip", (
        post("plain", "[1, 2]"),
        post("gzipped", gzip.compress(b"[3, 4]", mtime=0),
             ("Content-Encoding", "gzip")),
        post("answer deflated", "[1]", ("Accept-Encoding", "deflate, br")),
        post("not gzip", "[1]", ("Content-Encoding", "gzip"))),
        "raw_gzip.py"),
    Play("raw-helper-only", (post("post", "x"), get("get")),
         "raw_helper_only.py"),
    Play("image-resize", (
        post("png", _PICTURE), post("smaller", _PICTURE,
                                    target="/score?size=2"),
        post("odd size", _PICTURE, target="/score?size=x"),
        post("no image", b"hello"), post("empty"),
        post("cut", _PICTURE[:40])), "image_resize.py", needs=("PIL",)),
    Play("image-upload", (
        post("two", multipart(("image", "a.png", _PICTURE), ("note", "", b"n"),
                              ("image", "b.png", png(2, 2, (0, 0, 0)))),
             MULTIPART),
        post("none", multipart(("note", "", b"only")), MULTIPART),
        post("no form", b"x"),
        post("not an image", multipart(("image", "a.png", b"x")), MULTIPART)),
        "image_upload.py", needs=("PIL",)),
    Play("aml-responses", each_key("aml_responses.py", "KINDS", {
        "failing stream": {"says": ("ValueError: in the stream\n",)}}),
        "aml_responses.py"),
    Play("flask-responses", (
        *each_key("flask_responses.py", "KINDS"),
        get("get is not data", "/score?kind=request")),
        "flask_responses.py"),
    Play("sse", (
        post_json("words", {"prompt": "to be or not"}),
        post_json("empty", {"prompt": ""}),
        post_json("http 1.0", {"prompt": "a b"}, version="HTTP/1.0"),
        post("bad", "{", JSON), post_json("missing", {}),
        Request("head", "HEAD", body=b'{"prompt": "a"}', headers=(JSON,))),
        "sse.py"),
    Play("stream", (
        *_by_query("stream.py", "STREAMS"),
        post("old client", target="/score?kind=text", version="HTTP/1.0",
             ordered=False, says=_CLOSED),
        Request("head", "HEAD", "/score?kind=text")), "stream.py"),
)
