"""What is written where: prints, loggers, logging.json, access lines."""

from __future__ import annotations

import json
from typing import Any

from ..model import Play, Request, get, post
from .common import ECHO, broken, each_key, simple

_PRINTS_AND_LOGS = '''\
import logging
print("import")
log = logging.getLogger("score")


def init():
    print("init")
    log.info("init info")


def run(data):
    print("run", data)
    log.info("info %s", data)
    log.debug("debug %s", data)
    logging.getLogger("other").warning("other %s", data)
    if data == "fail":
        raise ValueError("no")
    return data
'''

_PACKAGED: dict[str, Any] = {
    "version": 1,
    "formatters": {"main": {
        "()": "azureml_inference_server_http.log_config.AMLLogFormatter",
        "format": "%(levelname)s|%(name)s|%(message)s"}},
    "filters": {"probe": {
        "()": "azureml_inference_server_http.log_config.RootAccessFilter"}},
    "handlers": {
        "out": {"class": "logging.StreamHandler", "formatter": "main",
                "stream": "ext://sys.stdout"},
        "err": {"class": "logging.StreamHandler", "formatter": "main",
                "stream": "ext://sys.stderr"}},
    "loggers": {
        "azmlinfsrv": {"level": "DEBUG", "handlers": ["out"],
                       "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["out"],
                            "filters": ["probe"], "propagate": False},
        "gunicorn.error": {"level": "INFO", "handlers": ["err"],
                           "propagate": False},
        "score": {"level": "DEBUG", "handlers": ["out"], "propagate": False}},
    "root": {"level": "WARNING", "handlers": ["err"]},
    "disable_existing_loggers": False,
}

_JSON_LINES = {
    **_PACKAGED,
    "formatters": {"main": {
        "format": '{"level": "%(levelname)s", "name": "%(name)s",'
                  ' "text": "%(message)s"}'}},
}

_QUIET_ACCESS = {
    **_PACKAGED,
    "loggers": {**_PACKAGED["loggers"],
                "gunicorn.access": {"level": "ERROR"}},
}

_TALK = (post("good", "x"), post("fail", "fail"),
         get("probe", "/"), get("get", "/score?a=1"))


def _configured(name: str, config: object, **more: Any) -> Play:
    return simple(name, _TALK, _PRINTS_AND_LOGS,
                  files={"logging.json": json.dumps(config)}, **more)


PLAYS = (
    Play("prints", each_key("prints.py", "WAYS"), "prints.py"),
    Play("log-setup", (post("number", "5"), post("no number", "five")),
         "log_setup.py"),
    Play("log-force", (post("post", "x"),), "log_force.py"),
    Play("warns", (post("first", "a"), post("same", "a"), post("other", "b")),
         "warns.py"),
    Play("access-lines", (
        get("probe", "/"), get("probe with query", "/?x"),
        Request("probe old", "GET", "/", version="HTTP/1.0"),
        Request("probe head", "HEAD", "/"),
        post("agent", "x", ("User-Agent", "curl/8"), ("Referer", "http://r/")),
        post("quotes", "x", ("User-Agent", 'a "quoted" agent')),
        post("agent like a probe", "x", ("User-Agent", "GET / HTTP/1.1")),
        post("basic user", "x", ("Authorization", "Basic YWRhOnB3")),
        post("basic broken", "x", ("Authorization", "Basic !!!")),
        post("bearer", "x", ("Authorization", "Bearer abc")),
        post("latin agent", "x", ("User-Agent", "caf\xe9")),
        post("long query", "x", target="/score?" + "q" * 500),
        get("query escapes", "/score?a=%20%22&b=ż".encode().decode("latin-1")),
        get("not found", "/nothing"), Request("bad method", "PUT"),
        Request("options", "OPTIONS"), Request("head", "HEAD"),
        get("swagger", "/swagger.json"),
        get("swagger missing", "/swagger.json?version=9"),
        Request("id too long", headers=(("x-request-id", "x" * 101),)),
        get("probe id too long", "/", ("x-request-id", "x" * 101)),
    ), "echo.py", env={"TZ": "<+02>-2"}),
    _configured("logging-json", _PACKAGED),
    _configured("logging-json-lines", _JSON_LINES),
    _configured("logging-json-no-access", _QUIET_ACCESS,
                fence="/swagger.json"),
    _configured("logging-json-bare", {"version": 1}, fence=""),
    simple("logging-json-by-script", _TALK, flags=(),
           files={"inner/score.py": _PRINTS_AND_LOGS,
                  "inner/logging.json": json.dumps(_PACKAGED)},
           env={"AZUREML_ENTRY_SCRIPT": "inner/score.py"}),
    broken("logging-json-not-json", ECHO, files={"logging.json": "{"}),
    broken("logging-json-empty", ECHO, files={"logging.json": ""}),
    broken("logging-json-wrong", ECHO, files={
        "logging.json": '{"version": 2}'}),
    broken("logging-json-list", ECHO, files={"logging.json": "[]"}),
    broken("logging-json-bad-class", ECHO, files={"logging.json": json.dumps(
        {"version": 1, "handlers": {"h": {"class": "no.such.Class"}},
         "root": {"handlers": ["h"]}})}),
)
