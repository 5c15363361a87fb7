"""The identity of a request, and the headers that the server adds."""

from __future__ import annotations

from ..model import Headers, Play, Request
from .common import simple

_A = ("x-request-id", "rid-A")
_B = ("x-ms-request-id", "legacy-B")
_C = ("x-ms-client-request-id", "client-C")
_LONG = "x" * 101
_FULL = "y" * 100

_SENT: dict[str, Headers] = {
    "none": (), "a": (_A,), "b": (_B,), "c": (_C,), "a b": (_A, _B),
    "a c": (_A, _C), "b c": (_B, _C), "a b c": (_A, _B, _C),
    "empty a": (("x-request-id", ""),),
    "empty b": (("x-ms-request-id", ""),),
    "empty c": (("x-ms-client-request-id", ""),),
    "upper case": (("X-REQUEST-ID", "rid-A"),),
    "a twice": (_A, ("x-request-id", "again")),
    "full a": (("x-request-id", _FULL),),
    "full b": (("x-ms-request-id", _FULL),),
    "long a": (("x-request-id", _LONG),),
    "long b": (("x-ms-request-id", _LONG),),
    "long c": (("x-ms-client-request-id", _LONG),),
    "long a and c": (("x-request-id", _LONG),
                     ("x-ms-client-request-id", _LONG)),
    "a and long c": (_A, ("x-ms-client-request-id", _LONG)),
    "long b and c": (("x-ms-request-id", _LONG), _C),
    "not ascii": (("x-request-id", "caf\xe9"),),
    "odd characters": (("x-request-id", '<">&\';,'),),
    "trace id": (("TraceId", "t-1"),),
    "trace id lower": (("traceid", "t-2"),),
    "trace id empty": (("TraceId", ""),),
    "trace-id": (("trace-id", "t-3"),),
    "traceparent": (("traceparent", "00-" + "a" * 32 + "-" + "b" * 16
                     + "-01"),),
}

_PLACES = {
    "score": ("POST", "/score"), "root": ("GET", "/"),
    "swagger": ("GET", "/swagger.json"), "missing": ("GET", "/nothing"),
    "options": ("OPTIONS", "/score"), "bad method": ("PUT", "/score"),
}

_EVERYWHERE = ("a b c", "long a", "long c", "trace id")

PLAYS = (
    Play("ids", (
        *(Request(name, headers=headers) for name, headers in _SENT.items()),
        *(Request(f"{place}: {name}", method, target, _SENT[name])
          for place, (method, target) in _PLACES.items() if place != "score"
          for name in _EVERYWHERE)), "echo.py"),
    simple("version-off", (Request("score"), Request("root", "GET", "/")),
           env={"SERVER_VERSION_LOG_RESPONSE_ENABLED": "false"}),
    simple("version-on", (Request("score"),),
           env={"SERVER_VERSION_LOG_RESPONSE_ENABLED": "TRUE"}),
    simple("version-own", (Request("score"),),
           env={"SERVER_VERSION_LOG_RESPONSE_ENABLED": "no",
                "HTTP_X_MS_SERVER_VERSION": "mine/1"}),
    simple("version-overwritten", (Request("score"),),
           env={"HTTP_X_MS_SERVER_VERSION": "mine/1"}),
)
