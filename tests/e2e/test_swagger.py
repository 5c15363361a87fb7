"""The description of the service, in three versions."""

from __future__ import annotations

import hashlib
import json

import pytest

from .conftest import Make
from .host import Host


@pytest.fixture(scope="module")
def server(module_host: Make) -> Host:
    return module_host("echo.py")


@pytest.mark.parametrize(
    ("query", "size", "digest"),
    [
        ("", 2198, "6bcac1c15ee81e3c244642ef4db72822"),
        ("?version=2", 2198, "6bcac1c15ee81e3c244642ef4db72822"),
        ("?version=2.0", 2198, "6bcac1c15ee81e3c244642ef4db72822"),
        ("?version=3", 2359, "0826fc67d3c799bd4d3aaa608dc84438"),
        ("?version=3.0", 2359, "0826fc67d3c799bd4d3aaa608dc84438"),
        ("?version=%33.1", 2359, "8ccd693ba46106e2b62c521261e815d6"),
        ("?x=1&version=3.1&version=2", 2359, "8ccd693ba46106e2b62c521261e815d6"),
        ("?Version=3", 2198, "6bcac1c15ee81e3c244642ef4db72822"),
    ],
)
def test_documents_to_the_byte(server: Host, query: str, size: int, digest: str) -> None:
    response = server.ask("GET", f"/swagger.json{query}")
    assert response.status == 200
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-ms-run-fn-exec-ms") is None
    assert response.body == json.dumps(response.json).encode()
    assert (len(response.body), hashlib.md5(response.body).hexdigest()) == (size, digest)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("4", "4"), ("", ""), ("%202", " 2"), ("03", "03"), ("3.1.0", "3.1.0"), ("+2", " 2"),
     ("%C5%BC", "\u017c"), ("%22", '"')],
)
def test_other_versions_are_not_found(server: Host, sent: str, shown: str) -> None:
    response = server.ask("GET", f"/swagger.json?version={sent}")
    assert (response.status, response.message) == (
        404, f"Swagger version [{shown}] is not valid. Supported versions: [2, 3, 3.1].")


def test_a_version_that_is_no_text_does_no_harm(server: Host) -> None:
    response = server.ask("GET", "/swagger.json?version=%ff")
    assert response.status == 404 and response.get("x-request-id")


def test_head_of_it(server: Host) -> None:
    response = server.ask("HEAD", "/swagger.json")
    assert (response.status, response.get("content-length")) == (200, "2198")


def test_a_version_that_the_script_cannot_have(host: Make) -> None:
    server = host("schema_versions.py")
    response = server.ask("GET", "/swagger.json?version=2")
    assert (response.status, response.message) == (
        404, "Swagger version [2] is not supported for the scoring script. "
        "Supported swagger versions: [3, 3.1].")
    assert server.ask("GET", "/swagger.json").status == 404
    assert server.ask("GET", "/swagger.json?version=3").json["openapi"] == "3.0.3"
    assert server.ask("GET", "/swagger.json?version=9").message.endswith(
        "Supported versions: [3, 3.1].")
    assert ("Swaggers are prepared for versions [3, 3.1] and skipped for versions [2]."
            in server.texts("azmlinfsrv.swagger"))


def test_a_schema_is_described(host: Make) -> None:
    server = host("schema_standard.py")
    document = server.ask("GET", "/swagger.json?version=3.1").json
    schemas = document["components"]["schemas"]
    assert document["openapi"] == "3.1.0"
    assert list(schemas["ServiceInput"]["properties"]) == ["name", "age", "scores"]
    assert schemas["ServiceInput"]["properties"]["age"]["type"] == "integer"
    assert schemas["ServiceInput"]["example"] == {"name": "Ada", "age": 36, "scores": [1.5, 2.5]}
    assert schemas["ServiceOutput"]["properties"]["greeting"]["type"] == "string"


def test_names_of_the_service(host: Make) -> None:
    server = host("echo.py", env={
        "SERVICE_NAME": 'a "quoted" \\ name', "SERVICE_VERSION": "7",
        "SERVICE_PATH_PREFIX": "/api/v1/"})
    document = server.ask("GET", "/swagger.json").json
    assert document["info"]["title"] == 'a "quoted" \\ name'
    assert document["info"]["version"] == "7"
    assert list(document["paths"]) == [
        "/api/v1/", "/api/v1/score", "/api/v1/swagger.json"]
    assert server.post("x").status == 200, "the routes do not move"


def test_files_of_the_user(host: Make) -> None:
    server = host("echo.py", files={
        "swagger2.json": '{"mine": 2}', "swagger3.json": '"a text"', "swagger3.1.json": "{}"})
    assert server.ask("GET", "/swagger.json").body == b'{"mine": 2}'
    assert server.ask("GET", "/swagger.json?version=3").body == b'"a text"'
    assert server.ask("GET", "/swagger.json?version=3.1").json["openapi"] == "3.1.0"
    said = server.texts("azmlinfsrv.swagger")
    assert (f"Loaded user's swagger file for version [2] from {server.app}/swagger2.json"
            in said)


def test_the_plain_name_comes_before_the_number(host: Make) -> None:
    server = host("echo.py", files={"swagger.json": "[1]", "swagger2.json": "[2]"})
    assert server.ask("GET", "/swagger.json").body == b"[1]"


def test_a_bad_file_of_the_user_is_left_out(host: Make) -> None:
    server = host("echo.py", files={"swagger.json": "{bad"})
    assert len(server.ask("GET", "/swagger.json").body) == 2198
    said = [line for line in server.lines() if "swagger.json is left out" in line.text]
    assert [(line.level, line.logger) for line in said] == [("E", "azmlinfsrv.swagger")]
