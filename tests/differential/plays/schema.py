"""Scripts that describe their parameters with inference-schema."""

from __future__ import annotations

import json

from ..model import Play, Request, get, post, post_json
from .common import JSON, simple

_GOOD = {"name": "Ada", "age": 36, "scores": [1, 2]}


def _typed(name: str, mime: str) -> Request:
    return post(name, json.dumps(_GOOD), ("Content-Type", mime))


_BODIES = (
    post_json("all", _GOOD),
    post_json("default left out", {"name": "Ada", "age": 36}),
    post_json("unknown key", {**_GOOD, "extra": 1}),
    post_json("missing", {"name": "Ada"}),
    post_json("empty object", {}),
    post_json("null", {"name": None, "age": 36}),
    post_json("wrong type", {"name": 5, "age": 36}),
    post_json("bool as int", {"name": "Ada", "age": True}),
    post_json("float as int", {"name": "Ada", "age": 36.0}),
    post_json("wrong list", {"name": "Ada", "age": 1, "scores": "x"}),
    post_json("a list", [1]), post_json("a string", "x"),
    post_json("null body", None), post_json("a number", 5),
    post("empty", "", JSON), post("spaces", "  ", JSON),
    post("broken", '{"name": "Ada"', JSON),
    post("trailing comma", '{"name": "Ada",}', JSON),
    post("single quotes", "{'name': 1}", JSON),
    post("extra data", '{"name": 1} x', JSON),
    post("no value", '{"name": }', JSON),
    post("control character", b'{"name": "a\x01"}', JSON),
    post("bad escape", '{"name": "\\x"}', JSON),
    post("duplicate keys", '{"name": "A", "name": "B", "age": 1}', JSON),
    post("nan", '{"name": "A", "age": 1, "scores": [NaN, Infinity]}', JSON),
    post("bom", b'\xef\xbb\xbf{"name": "A", "age": 1}', JSON),
    post("utf-16", json.dumps(_GOOD).encode("utf-16"), JSON),
    post("utf-32", json.dumps(_GOOD).encode("utf-32-le"), JSON),
    post("not utf-8", b'{"name": "\xff", "age": 1}', JSON),
    post("too deep", b"[" * 200_000, JSON),
    post("huge int", b'{"name": "A", "age": ' + b"1" * 5000 + b"}", JSON),
    post("unicode", json.dumps({"name": "żółć \U0001f600", "age": 1},
                               ensure_ascii=False), JSON),
    post("no content type", json.dumps(_GOOD)),
    _typed("charset", "application/json; charset=utf-8"),
    _typed("upper case", "APPLICATION/JSON"),
    _typed("vendor json", "application/vnd.acme+json"),
    _typed("text json", "text/json"), _typed("text", "text/plain"),
    _typed("form", "application/x-www-form-urlencoded"),
    _typed("broken type", "application/json,text/plain"),
    post("wrong type and empty", "", ("Content-Type", "text/plain")),
    get("get", "/score?name=Ada&age=36&scores=[1]"),
    get("get missing", "/score?name=Ada"),
    get("get none"), get("get wrong type", "/score?name=1&age=2"),
    get("get repeated", "/score?name=Ada&age=1&age=2"),
    get("get unknown", "/score?name=Ada&age=1&zzz=2"),
    Request("head", "HEAD"), Request("options", "OPTIONS"),
    Request("put", "PUT"),
)

_SWAGGERS = (get("swagger 2", "/swagger.json"),
             get("swagger 3", "/swagger.json?version=3"),
             get("swagger 3.1", "/swagger.json?version=3.1"))

_TYPES = {
    "int": {"i": 5}, "int bool": {"i": True}, "int str": {"i": "5"},
    "int float": {"i": 5.0}, "int null": {"i": None},
    "float": {"f": 2.5}, "float int": {"f": 2}, "float str": {"f": "2"},
    "str": {"s": "x"}, "str int": {"s": 1}, "bool": {"b": False},
    "bool int": {"b": 1}, "bytes": {"raw": "aGVsbG8="},
    "bytes bad": {"raw": "*"}, "bytes int": {"raw": 1},
    "datetime": {"when": "2024-03-01 10:20:30.5 +0200"},
    "datetime iso": {"when": "2024-03-01T10:20:30Z"},
    "datetime bad": {"when": "soon"},
    "time": {"at": "10:20:30.5 +0000"}, "time bad": {"at": "25:99"},
    "list": {"items": [1, "x", None]}, "list empty": {"items": []},
    "list object": {"items": {"a": 1}}, "tuple": {"pair": [3, 4]},
    "tuple str": {"pair": "34"}, "dict": {"table": {"k": [], "z": 1}},
    "dict list": {"table": []}, "several": {"i": 1, "s": "x", "pair": [1]},
}

_PANDAS_ROW = {"age": 50, "city": "Rome", "income": 1.25}

PLAYS = (
    Play("schema", (*_BODIES, *_SWAGGERS), "schema_standard.py"),
    Play("schema-types", (
        *(post_json(name, value) for name, value in _TYPES.items()),
        *_SWAGGERS), "schema_types.py"),
    Play("schema-numpy", (
        post_json("good", {"data": [[1, 2, 3], [4, 5, 6]]}),
        post_json("one row", {"data": [[1.5, 2.5, 3.5]]}),
        post_json("wrong width", {"data": [[1, 2]]}),
        post_json("wrong rank", {"data": [1, 2, 3]}),
        post_json("strings", {"data": [["1", "2", "3"]]}),
        post_json("words", {"data": [["a", "b", "c"]]}),
        post_json("ragged", {"data": [[1, 2, 3], [1]]}),
        post_json("empty", {"data": []}), post_json("not a list", {"data": 5}),
        post_json("null", {"data": None}), post_json("missing", {}),
        get("get", "/score?data=[[1,2,3]]"), *_SWAGGERS),
        "schema_numpy.py", needs=("numpy",)),
    Play("schema-pandas", (
        post_json("good", {"data": [_PANDAS_ROW, _PANDAS_ROW]},
                  ("X-Tenant", "acme")),
        post_json("factor", {"data": [_PANDAS_ROW], "factor": 3.0}),
        post_json("other order", {"data": [dict(
            reversed(list(_PANDAS_ROW.items())))]}),
        post_json("extra column", {"data": [{**_PANDAS_ROW, "x": 1}]}),
        post_json("missing column", {"data": [{"age": 1}]}),
        post_json("wrong type", {"data": [{**_PANDAS_ROW, "age": "old"}]}),
        post_json("number as text", {"data": [{**_PANDAS_ROW, "age": "7"}]}),
        post_json("not a list", {"data": 5}), post_json("missing", {}),
        post_json("null cell", {"data": [{**_PANDAS_ROW, "income": None}]}),
        post_json("headers as data", {"data": [_PANDAS_ROW],
                                      "request_headers": {"X-Tenant": "no"}}),
        *_SWAGGERS), "schema_pandas.py", needs=("pandas",)),
    Play("schema-nested", (
        post_json("good", {"inputs": {"rows": [[1, 2]], "method": "predict",
                                      "plain": 1}, "global_parameters": 2.0}),
        post_json("partial", {"inputs": {"rows": [[1, 2]]}}),
        post_json("global not converted", {"inputs": {},
                                           "global_parameters": "text"}),
        post_json("wrong inner type", {"inputs": {"method": 5}}),
        post_json("wrong rank", {"inputs": {"rows": [1]}}),
        post_json("not an object", {"inputs": [1]}), *_SWAGGERS),
        "schema_nested.py", needs=("numpy",)),
    Play("schema-output-only", (
        post_json("good", {"data": [1]}),
        post_json("scale", {"data": 1, "scale": 5}),
        post_json("missing", {"scale": 1}), post("text", "x"),
        get("get", "/score?data=x"), *_SWAGGERS), "schema_output_only.py"),
    simple("schema-unknown-parameter", (
        post_json("good", {"data": "x"}), post_json("other", {"other": "x"}),
        *_SWAGGERS), (
        "from inference_schema.parameter_types.standard_py_parameter_type "
        "import (\n    StandardPythonParameterType)\n"
        "from inference_schema.schema_decorators import input_schema\n\n\n"
        "def init():\n    pass\n\n\n"
        "@input_schema('other', StandardPythonParameterType('a'))\n"
        "def run(data):\n    return data\n")),
    Play("schema-versions", (post_json("good", {"items": [1, "b"]}),
                             *_SWAGGERS), "schema_versions.py"),
)
