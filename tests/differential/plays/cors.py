"""Cross-origin requests."""

from __future__ import annotations

from ..model import Headers, Play, Request
from .common import simple

_ONE = "https://one.example"
_TWO = "https://two.example"


def _from(origin: str) -> tuple[str, str]:
    return ("Origin", origin)


def _preflight(method: str, *headers: tuple[str, str]) -> Headers:
    return (_from(_ONE), ("Access-Control-Request-Method", method), *headers)


_REQUESTS = (
    Request("no origin"), Request("one", headers=(_from(_ONE),)),
    Request("two", headers=(_from(_TWO),)),
    Request("upper case", headers=(_from(_ONE.upper()),)),
    Request("stranger", headers=(_from("https://evil.example"),)),
    Request("longer", headers=(_from(_ONE + ".evil"),)),
    Request("other scheme", headers=(_from("http://one.example"),)),
    Request("null", headers=(_from("null"),)),
    Request("empty", headers=(_from(""),)),
    Request("root", "GET", "/", (_from(_ONE),)),
    Request("swagger", "GET", "/swagger.json", (_from(_ONE),)),
    Request("missing", "GET", "/nothing", (_from(_ONE),)),
    Request("bad method", "PUT", "/score", (_from(_ONE),)),
    Request("preflight", "OPTIONS", headers=_preflight("POST")),
    Request("preflight get", "OPTIONS", headers=_preflight("get")),
    Request("preflight put", "OPTIONS", headers=_preflight("PUT")),
    Request("preflight headers", "OPTIONS", headers=_preflight(
        "POST", ("Access-Control-Request-Headers",
                 "X-Zeta, content-type ,authorization"))),
    Request("preflight private", "OPTIONS", headers=_preflight(
        "POST", ("Access-Control-Request-Private-Network", "true"))),
    Request("preflight root", "OPTIONS", "/", _preflight("GET")),
    Request("preflight missing", "OPTIONS", "/nothing", _preflight("GET")),
    Request("options only", "OPTIONS"),
    Request("id too long", headers=(_from(_ONE), ("x-request-id", "x" * 101))),
)

_OWN = '''\
from azureml_inference_server_http.api.aml_response import AMLResponse


def init():
    pass


def run(data):
    if data == "fail":
        raise ValueError("no")
    name = "Access-Control-Allow-Origin" if data == "origin" else "Vary"
    return AMLResponse("own", 200, {name: "mine"})
'''

_BY_ENV = {
    "one": _ONE, "two": f"{_TWO}, {_ONE}", "any": "*",
    "any-and-one": f"*,{_ONE}", "pattern": r"https://.*\.example$",
    "bad-pattern": f"https://[,{_ONE}", "empty": "", "commas": " , ,",
}

PLAYS = (
    *(Play(f"cors-{name}", _REQUESTS, "echo.py",
           env={"AML_CORS_ORIGINS": value})
      for name, value in _BY_ENV.items()),
    Play("cors-flag", _REQUESTS[:3], "echo.py", flags=(
        "--entry_script", "echo.py", "--access_control_allow_origins",
        f"{_ONE},{_TWO}"), env={"AML_CORS_ORIGINS": "https://unused.example"}),
    simple("cors-script", (
        Request("origin", body=b"origin", headers=(_from(_ONE),)),
        Request("vary", body=b"vary", headers=(_from(_ONE),)),
        Request("fail", body=b"fail", headers=(_from(_ONE),))), _OWN,
        env={"AML_CORS_ORIGINS": f"{_ONE},{_TWO}"}),
)
