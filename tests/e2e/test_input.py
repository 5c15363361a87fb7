"""What run() is called with, in each of the three modes, and who is refused before."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from .conftest import Make
from .host import Host
from .wire import request

JSON = ("Content-Type", "application/json")


# Plain mode


@pytest.fixture(scope="module")
def plain(module_host: Make) -> Host:
    return module_host("echo.py")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "not json {", "\ufeffbom", "za\u017c\u00f3\u0142\u0107 \U0001f600", "\x00\x7f\n",
     " ", "a" * 100_000],
)
def test_plain_gets_the_body_as_text(plain: Host, text: str) -> None:
    response = plain.post(text)
    assert (response.status, response.json) == (200, {"got": text})


@pytest.mark.parametrize("kind", ["text/csv", "application/json", "", "nonsense", "image/png"])
def test_plain_does_not_look_at_the_content_type(plain: Host, kind: str) -> None:
    assert plain.post("a,b", ("Content-Type", kind)).json == {"got": "a,b"}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded",
                                  "multipart/form-data; boundary=b"])
def test_a_form_is_no_exception(plain: Host, kind: str) -> None:
    """Plain `curl -d` says that it sends a form."""
    assert plain.post('{"a": 1}', ("Content-Type", kind)).json == {"got": '{"a": 1}'}


def test_plain_ignores_the_query(plain: Host) -> None:
    assert plain.ask("POST", "/score?a=1", b"x").json == {"got": "x"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\xff", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (b"ab\xc3", "'utf-8' codec can't decode byte 0xc3 in position 2: unexpected end of data"),
        (b"\xed\xa0\x80", "'utf-8' codec can't decode byte 0xed in position 0: "
         "invalid continuation byte"),
        (b"\x1f\x8b\x08gzip", "'utf-8' codec can't decode byte 0x8b in position 1: "
         "invalid start byte"),
    ],
)
def test_what_is_no_text_is_refused(plain: Host, body: bytes, reason: str) -> None:
    response = plain.post(body)
    assert (response.status, response.message) == (
        400, f"Input cannot be decoded as UTF-8: {reason}")
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-request-id")
    assert response.get("x-ms-run-fn-exec-ms") is None


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("", {}),
        ("?", {}),
        ("?a=1&b=x", {"a": 1, "b": "x"}),
        ("?a=1&a=2&a=x", {"a": [1, 2, "x"]}),
        ("?b=&c", {"b": "", "c": ""}),
        ("?a=[1,2]&n=null&t=true", {"a": [1, 2], "n": None, "t": True}),
        ("?a=%7B%22k%22%3A%20%5B1%5D%7D", {"a": {"k": [1]}}),
        ("?a+b=c+d%20e", {"a b": "c d e"}),
        ("?a=1;b=2", {"a": "1;b=2"}),
        ("?a==b", {"a": "=b"}),
        ("?=x", {"": "x"}),
        ("?a=%C5%BC", {"a": "\u017c"}),
        ("?a=%ff", {"a": "%FF"}),
        ("?a=%zz", {"a": "%zz"}),
        ("?z=1&a=2&z=3", {"z": [1, 3], "a": 2}),
        ("?&&a=1&", {"a": 1}),
        ("?a=%26", {"a": "&"}),
        ("?a=1?b", {"a": "1?b"}),
    ],
)
def test_a_get_turns_the_query_into_an_object(plain: Host, query: str, value: object) -> None:
    response = plain.ask("GET", f"/score{query}")
    assert response.status == 200
    assert response.json == {"got": json.dumps(value)}


def test_numbers_beyond_json_in_a_query(plain: Host) -> None:
    assert plain.ask("GET", "/score?a=NaN&b=1e400").json == {"got": '{"a": NaN, "b": Infinity}'}


def test_the_body_of_a_get_is_ignored(plain: Host) -> None:
    assert plain.ask("GET", "/score?a=1", b'{"a": 2}').json == {"got": '{"a": 1}'}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bytes_that_are_no_text_in_a_query_do_no_harm(plain: Host, method: str) -> None:
    with plain.connect() as connection:
        data = request(method, "/score?a=\xff&b=%fe", b"x" if method == "POST" else None)
        response = connection.send(data).response(method)
    assert response.status in (200, 400)
    assert response.get("x-request-id")


# Headers that the script sees


def test_headers_as_the_script_sees_them(host: Make) -> None:
    server = host("headers_in.py")
    response = server.post(
        "d", ("x-lower", "a"), ("X-UPPER-case", "  padded\t"), ("x_under", "dropped"),
        ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-Twice", "1"), ("x-twice", "2"),
        ("TRACEID", "t"), ("X-Latin", "caf\xe9"), ("X-Empty", ""),
        ("content-type", "text/x"))
    assert response.json == {"data": "d", "headers": [
        ["Host", "score.example"], ["X-Lower", "a"], ["X-Upper-Case", "padded"],
        ["Cookie", "a=1,b=2"], ["X-Twice", "1,2"], ["Traceid", "t"], ["X-Latin", "caf\xe9"],
        ["X-Empty", ""], ["Content-Type", "text/x"], ["Content-Length", "1"]]}
    assert server.texts("azmlinfsrv.print")[-1] == "dict"
    assert server.ask("GET", "/score?request_headers=mine").json["data"] == (
        '{"request_headers": "mine"}')


def test_ids_reach_the_script(host: Make) -> None:
    server = host("request_ids.py")
    response = server.post("", ("x-ms-client-request-id", "C"), ("TraceId", "T"))
    assert response.json == {"client": "C", "trace": "T"}


# Shapes of run()


@pytest.mark.parametrize(
    ("script", "body", "value"),
    [
        ("lambda_run.py", "[1, 2]", {"n": 2}),
        ("callable_run.py", "[1, 2]", {"y": [2.5, 5.0], "call": 1}),
        ("bound_method.py", "[1, 2]", 3.5),
        ("partial_run.py", "[1, 2]", [10, 20]),
        ("decorated_run.py", "abc", "cba"),
        ("cached.py", "7", 49),
        ("keyword_only.py", "x", ["x", "nobody"]),
        ("defaults.py", "x", {"data": "x", "threshold": 0.5}),
        ("async_run.py", "x", "x"),
        ("asyncio_inside.py", '["a", "bc"]', {"a": 1, "bc": 2}),
        ("validated.py", '{"age": 37, "name": "Ada"}', {"ok": "Ada", "group": 30}),
        ("catches_all.py", '{"data": [[1, 2]]}', '{"result": [2]}'),
        ("thread_pool.py", "[[1, 2], [3]]", [3, 3]),
        ("text_stats.py", '{"text": "e\\u0301"}',
         {"characters": 2, "composed": "\xe9", "upper": "\xc9", "categories": ["Ll", "Mn"]}),
    ],
)
def test_run_may_be_anything_that_can_be_called(
    host: Make, script: str, body: str, value: object
) -> None:
    response = host(script).post(body)
    assert (response.status, response.json) == (200, value)


def test_a_parameter_too_many_fails_when_it_is_called(host: Make) -> None:
    server = host("missing_default.py")
    response = server.post("x")
    assert (response.status, response.get("x-ms-run-function-failed")) == (500, "True")


def test_a_driver_runs_another_script(host: Make) -> None:
    server = host("driver.py", copies=["inner_score.py"])
    assert server.post("x", ("X-Who", "me")).json == ["inner", True, "x", "me"]
    assert any(text.startswith("Found driver script at ") and "inner_score.py" in text
               for text in server.texts("azmlinfsrv.user_script"))


def test_state_lives_from_call_to_call(host: Make) -> None:
    server = host("global_state.py")
    assert [server.post("1").json["calls"] for _ in range(3)] == [1, 2, 3]


def test_several_files_and_a_source_directory(host: Make) -> None:
    server = host("", "--entry_script", "score.py", copies=["multi_file"])
    order = '{"items": {"pen": 10, "book": 1}, "customer": "gold", "label": 2}'
    assert server.post(order).json == {"total": 18.64, "label": "large"}
    other = host("", "--entry_script", "src/score.py", copies=["source_dir"],
                 env={"AZUREML_SOURCE_DIRECTORY": "src"})
    assert other.post('{"text": "A b"}').json == {"tokens": ["a", "b"]}


# Schema mode


@pytest.fixture(scope="module")
def schema(module_host: Make) -> Host:
    return module_host("schema_standard.py")


GOOD = {"name": "Ada", "age": 36, "scores": [1.5]}
GREETED = {"greeting": "Hello Ada, 36", "scores": [1.5]}


@pytest.mark.parametrize(
    "kind",
    ["application/json", "APPLICATION/Json", "application/json; charset=utf-8",
     "application/vnd.api+json", "application/json;x"],
)
def test_schema_takes_an_object(schema: Host, kind: str) -> None:
    response = schema.post(json.dumps(GOOD), ("Content-Type", kind))
    assert (response.status, response.json) == (200, GREETED)
    assert response.get("x-ms-run-fn-exec-ms")


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le"])
def test_schema_takes_any_unicode(schema: Host, coding: str) -> None:
    body = json.dumps({**GOOD, "name": "\u017c"}, ensure_ascii=False).encode(coding)
    assert schema.post(body, JSON).json["greeting"] == "Hello \u017c, 36"


def test_schema_leaves_out_what_is_not_asked_for(schema: Host) -> None:
    body = '{"name": "Bob", "age": 1, "age": 2, "other": 3, "scores": []}'
    assert schema.post(body, JSON).json == {"greeting": "Hello Bob, 2", "scores": []}


def test_schema_by_get(schema: Host) -> None:
    response = schema.ask("GET", "/score?name=Ada&age=36&scores=[1.5]")
    assert (response.status, response.json) == (200, GREETED)
    response = schema.ask("GET", "/score?name=Ada")
    assert (response.status, response.message) == (
        400, "A value is not provided for the 'age' parameter.")


@pytest.mark.parametrize(
    ("body", "kind", "status", "message"),
    [
        ("{}", "text/json", 415, "Expects Content-Type to be application/json"),
        ("{}", "", 415, "Expects Content-Type to be application/json"),
        ("{}", "text/plain", 415, "Expects Content-Type to be application/json"),
        ("", "application/json", 400, "POST body is empty. Expecting a JSON dictionary."),
        ("{'a'", "application/json", 400, "POST body could not be decoded as JSON: Expecting "
         "property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"a": 1} x', "application/json", 400,
         "POST body could not be decoded as JSON: Extra data: line 1 column 10 (char 9)"),
        ("{\"a\": \n}", "application/json", 400,
         "POST body could not be decoded as JSON: Expecting value: line 2 column 1 (char 7)"),
        ('{"a": "\n"}', "application/json", 400, "POST body could not be decoded as JSON: "
         "Invalid control character at: line 1 column 8 (char 7)"),
        ("[]", "application/json", 400, "POST body should be a JSON dictionary."),
        ('"text"', "application/json", 400, "POST body should be a JSON dictionary."),
        ("null", "application/json", 400, "POST body should be a JSON dictionary."),
        ("5", "application/json", 400, "POST body should be a JSON dictionary."),
        ("{}", "application/json", 400, "A value is not provided for the 'name' parameter."),
    ],
)
def test_schema_refuses(schema: Host, body: str, kind: str, status: int, message: str) -> None:
    response = schema.post(body, *([("Content-Type", kind)] if kind else []))
    assert (response.status, response.message) == (status, message)
    assert response.get("x-ms-run-function-failed") == "False"
    assert response.get("x-request-id")
    assert response.get("x-ms-run-fn-exec-ms") is None


@pytest.mark.parametrize(
    "body",
    [b"\xff\xff\xff", b'{"name": "\xc3"}', b"[" * 100_000, b'{"age": ' + b"1" * 5000 + b"}",
     b'{"a":' * 100_000],
)
def test_schema_blames_the_client_for_its_bytes(schema: Host, body: bytes) -> None:
    response = schema.post(body, JSON)
    assert response.status == 400
    assert response.message.startswith("POST body could not be decoded as JSON: ")


def test_a_value_of_the_wrong_type_fails_in_the_script(schema: Host) -> None:
    response = schema.post('{"name": "Ada", "age": "old"}', JSON)
    assert (response.status, response.get("x-ms-run-function-failed")) == (500, "True")
    assert "Invalid input data type to parse" in schema.stdout


def test_schema_has_methods_like_plain(schema: Host) -> None:
    assert schema.ask("HEAD", "/score").status == 405
    assert schema.ask("OPTIONS", "/score").body == b""
    assert ("run() is decorated with @input_schema. Server will invoke it with the following "
            "arguments: name, age, scores." in schema.texts("azmlinfsrv.user_script"))


def test_only_an_output_schema_is_a_schema(host: Make) -> None:
    server = host("schema_output_only.py")
    assert server.post('{"data": [1]}', JSON).json == {"type": "list", "scale": 2}
    assert server.post('{"data": [1]}').status == 415


# Raw mode


@pytest.fixture(scope="module")
def raw(module_host: Make) -> Host:
    return module_host("raw_echo.py")


@pytest.mark.parametrize(
    ("view", "value"),
    [
        ("method", "POST"),
        ("path", "/score"),
        ("full_path", "/score?a=1&a=2&b=%20x"),
        ("url", "http://score.example:88/score?a=1&a=2&b=+x"),
        ("base_url", "http://score.example:88/score"),
        ("host", "score.example:88"),
        ("scheme", "http"),
        ("query_string", "b'a=1&a=2&b=%20x'"),
        ("args", {"a": ["1", "2"], "b": [" x"]}),
        ("data", "b'{\"k\": [1]}'"),
        ("get_data", '{"k": [1]}'),
        ("get_data twice", ['{"k": [1]}', ""]),
        ("stream", "b'{\"k\": [1]}'"),
        ("json", {"k": [1]}),
        ("get_json", {"k": [1]}),
        ("is_json", True),
        ("content_length", 10),
        ("remote_addr", "127.0.0.1"),
        ("endpoint", "main.handle_score"),
        ("type", "LocalProxy"),
        ("header any case", "t"),
        ("user_agent", "agent/1"),
        ("cookies", {"c": "1"}),
        ("server port", "str"),
    ],
)
def test_the_request_object(raw: Host, view: str, value: object) -> None:
    response = raw.ask(
        "POST", "/score?a=1&a=2&b=%20x", b'{"k": [1]}',
        [("X-View", view), ("Host", "score.example:88"), JSON, ("X-Tenant", "t"),
         ("User-Agent", "agent/1"), ("Cookie", "c=1")])
    assert response.status == 200, response
    if view != "url":
        assert response.json == value
    else:
        assert str(response.json).startswith("http://score.example:88/score?a=1&a=2")


def test_forms_and_files(raw: Host) -> None:
    body = (b'--B\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
            b"Content-Type: text/plain\r\n\r\nhello\r\n--B\r\n"
            b'Content-Disposition: form-data; name="v"\r\n\r\n7\r\n--B--\r\n')
    kind = ("Content-Type", "multipart/form-data; boundary=B")
    assert raw.post(body, kind, ("X-View", "files")).json == {
        "f": [["a.txt", "text/plain", "hello"]]}
    assert raw.post(body, kind, ("X-View", "form")).json == {"v": ["7"]}
    form = ("Content-Type", "application/x-www-form-urlencoded")
    assert raw.post("a=1&b=+2", form, ("X-View", "values")).json == {"a": ["1"], "b": [" 2"]}


@pytest.mark.parametrize(
    ("view", "body", "kind"),
    [("json", "{bad", "application/json"), ("json", "{}", "text/plain"), ("arg missing", "", ""),
     ("header missing", "", ""), ("trace_id", "", "")],
)
def test_what_the_request_object_refuses(raw: Host, view: str, body: str, kind: str) -> None:
    response = raw.post(body, ("X-View", view), ("Content-Type", kind))
    assert response.status in (400, 415, 500)
    assert response.message and response.get("x-request-id")


def test_raw_methods(host: Make) -> None:
    server = host("raw_methods.py")
    response = server.ask("GET", "/score?q=1")
    assert (response.status, response.body) == (200, b"/score?q=1")
    assert response.get("content-type") == "text/html; charset=utf-8"
    response = server.post(b"\x00\xffabc")
    assert response.body == b"cba\xff\x00"
    assert response.get("content-type") == "application/octet-stream"
    response = server.ask("OPTIONS", "/score")
    assert (response.status, response.all("allow")) == (204, ["GET", "POST"])
    response = server.ask("HEAD", "/score")
    assert (response.status, response.body, response.get("x-head")) == (200, b"", "yes")
    assert server.ask("PUT", "/score").status == 405
    assert ("run() is decorated with @rawhttp. Server will invoke it with the flask request "
            "object." in server.texts("azmlinfsrv.user_script"))
    assert "run() output is HTTP Response" in server.texts("azmlinfsrv")


def test_a_helper_that_is_raw_does_not_change_the_mode(host: Make) -> None:
    assert host("raw_helper_only.py").post("x").json == "str"


def test_a_body_in_gzip_is_the_scripts_business(host: Make) -> None:
    response = host("raw_gzip.py").post(
        gzip.compress(b"[1, 2]"), ("Content-Encoding", "gzip"), JSON,
        ("Accept-Encoding", "deflate"))
    assert response.get("content-encoding") == "deflate"
    assert zlib.decompress(response.body) == b'{"sum": 3}'
