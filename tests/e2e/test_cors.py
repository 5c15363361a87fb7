"""Which origins may ask from a browser, and what they are told."""

from __future__ import annotations

import pytest

from .conftest import Make
from .host import Host
from .wire import Response

ORIGIN = "Access-Control-Allow-Origin"
METHODS = "Access-Control-Allow-Methods"
NAMES = "Access-Control-Allow-Headers"


@pytest.fixture(scope="module")
def one(module_host: Make) -> Host:
    return module_host("echo.py", "--access_control_allow_origins", "https://one.example")


@pytest.fixture(scope="module")
def several(module_host: Make) -> Host:
    return module_host("aml_responses.py", "--access_control_allow_origins",
                       r" https://two.example , https://one.example,https://.*\.three\.example,[")


@pytest.fixture(scope="module")
def anyone(module_host: Make) -> Host:
    return module_host("echo.py", env={"AML_CORS_ORIGINS": "*"})


def told(response: Response) -> tuple[object, ...]:
    """The origin that may, and whether that varies."""
    return response.get(ORIGIN), response.get("Vary")


@pytest.mark.parametrize("target", ["/", "/score", "/swagger.json"])
@pytest.mark.parametrize("sent", ["https://one.example", "HTTPS://One.Example"])
def test_a_matching_origin_comes_back_as_sent(one: Host, target: str, sent: str) -> None:
    assert told(one.ask("GET", target, headers=[("Origin", sent)])) == (sent, None)


def test_another_origin_is_told_nothing(one: Host) -> None:
    response = one.post("x", ("Origin", "https://other.example"))
    assert (response.status, *told(response)) == (200, None, None)


def test_without_an_origin_the_first_is_named(one: Host, several: Host) -> None:
    assert told(one.ask("GET", "/")) == ("https://one.example", None)
    assert told(several.ask("GET", "/")) == ("https://one.example", "Origin")


@pytest.mark.parametrize(
    ("sent", "matches"),
    [("https://two.example", True), ("https://one.example", True),
     ("https://a.three.example", True), ("https://A.b.Three.example.org", True),
     ("http://a.three.example", False), ("https://three.example", False), ("[", False)],
)
def test_several_origins_and_patterns(several: Host, sent: str, matches: bool) -> None:
    expected = (sent, "Origin") if matches else (None, None)
    assert told(several.ask("GET", "/", headers=[("Origin", sent)])) == expected


def test_anyone(anyone: Host) -> None:
    assert told(anyone.ask("GET", "/", headers=[("Origin", "null")])) == ("null", "Origin")
    assert told(anyone.ask("GET", "/")) == ("*", None)


def preflight(server: Host, *headers: tuple[str, str]) -> Response:
    """Ask beforehand, as browsers do."""
    return server.ask("OPTIONS", "/score", headers=[("Origin", "https://one.example"), *headers])


@pytest.mark.parametrize("method", ["GET", "POST", "post"])
def test_a_preflight(one: Host, method: str) -> None:
    response = preflight(one, ("Access-Control-Request-Method", method),
                         ("Access-Control-Request-Headers", "X-b ,content-type,  A"))
    assert (response.status, response.body) == (200, b"")
    assert response.get(ORIGIN) == "https://one.example"
    assert response.get(METHODS) == "GET, POST"
    assert response.get(NAMES) == "A, X-b, content-type"
    assert response.get("Access-Control-Max-Age") is None
    assert response.get("Access-Control-Allow-Credentials") is None
    assert response.get("x-ms-run-function-failed") == "False"


def test_a_preflight_for_another_method(one: Host) -> None:
    response = preflight(one, ("Access-Control-Request-Method", "PUT"))
    assert told(response) == ("https://one.example", None)
    assert response.get(METHODS) is None


def test_a_preflight_that_asks_for_no_headers(one: Host) -> None:
    response = preflight(one, ("Access-Control-Request-Method", "POST"))
    assert (response.get(METHODS), response.get(NAMES)) == ("GET, POST", None)


def test_a_private_network_is_refused(one: Host) -> None:
    response = preflight(one, ("Access-Control-Request-Method", "POST"),
                         ("Access-Control-Request-Private-Network", "true"))
    assert response.get("Access-Control-Allow-Private-Network") == "false"


def test_what_the_script_says_stands(several: Host) -> None:
    response = several.post("header own cors", ("Origin", "https://one.example"))
    assert told(response) == ("https://mine.example", None)


def test_errors_of_scoring_can_be_read_by_a_browser(several: Host) -> None:
    response = several.post("no such kind", ("Origin", "https://one.example"))
    assert (response.status, *told(response)) == (500, "https://one.example", "Origin")


def test_no_cors_unless_asked_for(host: Make) -> None:
    for env in ({}, {"AML_CORS_ORIGINS": ""}):
        server = host("echo.py", env=env)
        response = server.post("x", ("Origin", "https://one.example"))
        assert told(response) == (None, None)
        assert server.stop() == 0
    assert "CORS for the specified origins: Enabling CORS for \n" in server.stdout


def test_what_the_log_says(several: Host, one: Host) -> None:
    assert "CORS for the specified origins: Enabling CORS for https://one.example" in one.stdout
    assert ("Enabling CORS for the following origins: https://one.example"
            in one.texts("azmlinfsrv"))
    assert any(text.startswith("Enabling CORS for the following origins: https://two.example, ")
               for text in several.texts("azmlinfsrv"))
