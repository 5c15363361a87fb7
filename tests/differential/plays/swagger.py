"""The documents that describe a service."""

from __future__ import annotations

from ..model import Play, Request, get
from .common import ECHO, broken, simple

_VERSIONS = {
    "none": "", "2": "?version=2", "2.0": "?version=2.0", "3": "?version=3",
    "3.0": "?version=3.0", "3.1": "?version=3.1", "4": "?version=4",
    "empty": "?version=", "space": "?version=%202", "03": "?version=03",
    "3.1.0": "?version=3.1.0", "twice": "?version=3&version=2",
    "upper case": "?Version=3", "word": "?version=two", "other": "?v=3",
    "unicode": "?version=%C5%BC", "not utf-8": "?version=%ff",
    "quotes": "?version=%22'%5C",
}
_ALL = tuple(get(name, f"/swagger.json{query}")
             for name, query in _VERSIONS.items())
_THREE = tuple(get(name, f"/swagger.json?version={name}")
               for name in ("2", "3", "3.1"))

_OWN2 = '{"swagger": "2.0", "mine": "\u017c", "paths": {}}'
_OWN3 = '{"openapi": "3.0.3", "mine": true}'


def _own(name: str, **files: str) -> Play:
    named = {key.replace("_", "."): text for key, text in files.items()}
    return simple(f"swagger-{name}", _THREE, files=dict(named))


PLAYS = (
    Play("swagger", (*_ALL, Request("head", "HEAD", "/swagger.json?version=3"),
                     Request("post", "POST", "/swagger.json")), "echo.py"),
    simple("swagger-names", _THREE, env={
        "SERVICE_NAME": "my model <&> ż", "SERVICE_VERSION": "7.3-b",
        "SERVICE_PATH_PREFIX": "/api/v1/"}),
    simple("swagger-lower-case-names", _THREE[:1], env={
        "service_name": "lower"}),
    simple("swagger-empty-names", _THREE[:1], env={
        "SERVICE_NAME": "", "SERVICE_VERSION": "", "SERVICE_PATH_PREFIX": "/"}),
    _own("own-2", swagger_json=_OWN2),
    _own("own-2-named", swagger2_json=_OWN2),
    _own("own-both-2", swagger_json=_OWN2, swagger2_json=_OWN3),
    _own("own-3", swagger3_json=_OWN3),
    simple("swagger-own-3.1", _THREE, files={"swagger3.1.json": _OWN3}),
    _own("own-empty", swagger_json="{}"),
    _own("own-string", swagger_json='"text"'),
    _own("own-list", swagger3_json="[1, 2]"),
    _own("own-spaced", swagger_json='{ "b" : 1.50,\n "a":[ ] }'),
    simple("swagger-beside-script", _THREE[:1], flags=(), files={
        "inner/score.py": ECHO, "inner/swagger.json": _OWN2},
        env={"AZUREML_ENTRY_SCRIPT": "inner/score.py"}),
    broken("swagger-own-broken", ECHO, files={"swagger.json": "{"}),
    broken("swagger-own-not-utf-8", ECHO, files={"swagger.json": b'"\xff"'}),
    broken("swagger-quote-in-name", ECHO, env={"SERVICE_NAME": 'a "name"'}),
)
