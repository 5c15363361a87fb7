"""What run() is given for what a client sent."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from fakes import get, post

from scorehost import inputs

JSON = "application/json"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", {}),
        (b"a=1&b=x", {"a": 1, "b": "x"}),
        (b"a=1&b=2&a=3", {"a": [1, 3], "b": 2}),
        (b"c=&d", {"c": "", "d": ""}),
        (b"&&a=1&", {"a": 1}),
        (b"=v", {"": "v"}),
        (b"h=+x%20y", {"h": " x y"}),
        (b"%66=1", {"f": 1}),
        (b"i=%22q%22&j=[1,2]&k=null", {"i": "q", "j": [1, 2], "k": None}),
        (b"a=%ff", {"a": "%FF"}),
        (b"a=%E2%82a", {"a": "%E2%82a"}),
        (b"a=\xffb\xfe", {"a": "%FFb%FE"}),
        (b"g=%C3%A9", {"g": "\u00e9"}),
        ("g=\u00e9".encode(), {"g": "\u00e9"}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=" + b"[" * 100_000, {"a": "[" * 100_000}),
        (b"a=" + b"1" * 5000, {"a": "1" * 5000}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_query_becomes_a_dict(query: bytes, expected: dict[str, Any]) -> None:
    assert inputs.query_values(query) == expected


def test_a_huge_number_in_a_query_is_infinite() -> None:
    assert inputs.query_values(b"a=1e400") == {"a": math.inf}


def test_plain_get_is_the_json_of_the_query() -> None:
    assert inputs.plain(get(b"b=2&a=x")) == '{"b": 2, "a": "x"}'
    assert inputs.plain(get()) == "{}"


@pytest.mark.parametrize("body", [b"", b"x", "\ufeff\u00e9".encode(), b"not json", b"a=1"])
def test_plain_post_is_the_text_of_the_body(body: bytes) -> None:
    assert inputs.plain(post(body)) == body.decode()


def test_a_form_post_is_handed_over_as_text() -> None:
    """Difference: the text comes through, it is not eaten by a form parser."""
    assert inputs.plain(post(b"a=1", "application/x-www-form-urlencoded")) == "a=1"


def refused(call: Any, parameters: dict[str, Any] | None = None) -> tuple[int, str]:
    with pytest.raises(inputs.BadInput) as caught:
        if parameters is None:
            inputs.plain(call)
        else:
            inputs.schema(call, parameters)
    return caught.value.status, caught.value.text


def test_a_plain_body_that_is_not_utf_8() -> None:
    assert refused(post(b"\xff")) == (
        400,
        "Input cannot be decoded as UTF-8: "
        "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    )


NUM = {"num": inputs.REQUIRED}


@pytest.mark.parametrize(
    ("kind", "body", "status", "text"),
    [
        ("", b"{}", 415, "Expects Content-Type to be application/json"),
        ("", b"", 415, "Expects Content-Type to be application/json"),
        ("text/json", b"{}", 415, "Expects Content-Type to be application/json"),
        ("application/jsonx", b"{}", 415, "Expects Content-Type to be application/json"),
        (JSON, b"", 400, "POST body is empty. Expecting a JSON dictionary."),
        (JSON, b"[1]", 400, "POST body should be a JSON dictionary."),
        (JSON, b"null", 400, "POST body should be a JSON dictionary."),
        (JSON, b'"x"', 400, "POST body should be a JSON dictionary."),
        (JSON, b"{}", 400, "A value is not provided for the 'num' parameter."),
        (
            JSON,
            b"{a",
            400,
            "POST body could not be decoded as JSON: Expecting property name enclosed in "
            "double quotes: line 1 column 2 (char 1)",
        ),
        (
            JSON,
            b'{"num": 1}x',
            400,
            "POST body could not be decoded as JSON: Extra data: line 1 column 11 (char 10)",
        ),
    ],
    ids=str,
)
def test_refused_in_schema_mode(kind: str, body: bytes, status: int, text: str) -> None:
    assert refused(post(body, kind), NUM) == (status, text)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"\xff{}", "can't decode byte 0xff"),
        (b'{"num":' + b"[" * 100_000, "while decoding a JSON array"),
        (b'{"num":' + b"1" * 5000 + b"}", "Exceeds the limit"),
    ],
    ids=["no UTF-8", "too deep", "too many digits"],
)
def test_unreadable_json_is_the_clients_fault(body: bytes, part: str) -> None:
    """Difference: these are 400, not 500."""
    status, text = refused(post(body, JSON), NUM)
    assert status == 400
    assert text.startswith("POST body could not be decoded as JSON: ")
    assert part in text


@pytest.mark.parametrize(
    "kind", [JSON, "APPLICATION/JSON", "application/json; charset=x", "application/vnd.x+JSON;a=b"]
)
def test_accepted_types(kind: str) -> None:
    assert inputs.schema(post(b'{"num": 1}', kind), NUM) == {"num": 1}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_accepted_encodings(encoding: str) -> None:
    body = '{"num": "\u00e9"}'.encode(encoding)
    assert inputs.schema(post(body, JSON), NUM) == {"num": "\u00e9"}


def test_defaults_and_unknown_keys() -> None:
    parameters = {"a": inputs.REQUIRED, "b": 3, "c": None}
    body = json.dumps({"c": 4, "a": 1, "z": 5, "request_headers": 6}).encode()
    assert inputs.schema(post(body, JSON), parameters) == {"a": 1, "b": 3, "c": 4}


def test_schema_get_takes_the_query() -> None:
    assert inputs.schema(get(b"num=1&num=2"), NUM) == {"num": [1, 2]}
    assert refused(get(), NUM)[0] == 400


def test_request_headers() -> None:
    headers = [
        ("host", "h"),
        ("x-3abc-dE", " v\t"),
        ("X-B3-TraceId", "1"),
        ("with_underscore", "2"),
        ("COOKIE", "a=1"),
        ("content-type", "text/x"),
        ("cookie", "b=2"),
        ("traceid", ""),
        ("Content-Length", ""),
    ]
    assert list(inputs.headers_dict(headers).items()) == [
        ("Host", "h"),
        ("X-3Abc-De", "v"),
        ("X-B3-Traceid", "1"),
        ("Cookie", "a=1,b=2"),
        ("Content-Type", "text/x"),
        ("Traceid", ""),
    ]
