"""Plain mode: bodies, queries, methods, return values, kinds of scripts."""

from __future__ import annotations

import json

from ..model import Play, Request, get, post, post_json
from .common import JSON, each_key

FORM = ("Content-Type", "application/x-www-form-urlencoded")
MULTIPART = ("Content-Type", "multipart/form-data; boundary=B")
PARTS = (b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
         b"--B--\r\n")

_BODIES = (
    post("empty"),
    post("text", "hello"),
    post("json", '{"a": [1, 2.50, null]}', JSON),
    post("json spaces kept", ' {"a" :1}\n', JSON),
    post("json invalid", '{"a": ', JSON),
    post("no content type", "x"),
    post("odd content type", "x", ("Content-Type", "not a type")),
    post("xml", "<a/>", ("Content-Type", "text/xml")),
    post("charset latin", "caf\xe9".encode("utf-8"),
         ("Content-Type", "text/plain; charset=latin-1")),
    post("unicode", "zażółć \U0001f600 \u2028"),
    post("bom", b"\xef\xbb\xbf{}"),
    post("nul", b"a\x00b"),
    post("controls", bytes(range(1, 32)) + b"\x7f"),
    post("crlf", b"a\r\nb\rc\n"),
    post("quotes", "\"'\\/<>&"),
    post("large", b"abc " * 100_000),
    post("megabytes", b"0123456789abcdef" * 200_000),
    post("not utf-8", b"\xff"),
    post("not utf-8 later", b"abcdef\xc3("),
    post("not utf-8 cut", b"abc\xe2\x82"),
    post("not utf-8 surrogate", b"\xed\xa0\x80"),
    post("not utf-8 overlong", b"\xc0\xaf"),
    post("utf-16", "{}".encode("utf-16")),
    post("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
         ("Content-Encoding", "gzip")),
    post("form", "a=1&b=2", FORM),
    post("form json", '{"a": 1}', FORM),
    post("form empty", "", FORM),
    post("form charset", "a=1",
         ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")),
    post("form upper case", "a=1",
         ("Content-Type", "Application/X-WWW-Form-URLencoded")),
    post("form too large", b"a=" + b"x" * 500_001, FORM),
    post("form fits", b"a=" + b"x" * 400_000, FORM),
    post("multipart", PARTS, MULTIPART),
    post("multipart no boundary", PARTS, ("Content-Type",
                                          "multipart/form-data")),
    post("multipart broken", b"--B\r\nnothing", MULTIPART),
    post("query ignored", "body", target="/score?a=1"),
    post("chunked", b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n",
         ("Transfer-Encoding", "chunked")),
    post("chunked empty", b"0\r\n\r\n", ("Transfer-Encoding", "chunked")),
    post("chunked upper case", b"A\r\n0123456789\r\n0\r\n\r\n",
         ("Transfer-Encoding", "Chunked")),
    post("expect continue", "waited", ("Expect", "100-continue")),
    post("http 1.0", "old", version="HTTP/1.0"),
    post("keep-alive", "x", ("Connection", "keep-alive")),
    post("connection close", "x", ("Connection", "close")),
)

_QUERIES = {
    "none": "", "mark only": "?", "one": "?a=1", "several": "?b=2&a=1",
    "types": "?i=1&f=1.50&t=true&n=null&s=text&q=%22quoted%22",
    "json": "?l=[1,2]&o={%22k%22:%20[null]}",
    "odd numbers": "?a=NaN&b=Infinity&c=1e400&d=-0&e=01&f=1_0&g=+1",
    "big int": "?a=123456789012345678901234567890",
    "repeated": "?a=1&a=two&b=0&a=[3]", "blank": "?a=&b",
    "no name": "?=1&&&=2", "plus": "?a=x+y&b=x%2By&c=x%20y",
    "encoded name": "?a%20b=1&%C5%BC=2", "unicode": "?a=%C5%BC&b=%F0%9F%98%80",
    "semicolon": "?a=1;b=2", "percent": "?a=100%&b=%zz&c=%4",
    "not utf-8 encoded": "?a=%ff&b=x%fe", "slashes": "?path=/a/b?c=d",
    "equals": "?a=b=c", "string of json": "?a=%5B1&b=%22x",
    "duplicate keys": "?o={%22a%22:1,%22a%22:2}",
    "data": "?data=1", "spaces": "?a=%201%20&b=%09",
    "nul": "?a=%00", "fragment": "?a=1#frag", "case": "?A=1&a=2",
    "long": "?a=" + "x" * 3000,
}

_GETS = tuple(get(f"get {name}", f"/score{query}")
              for name, query in _QUERIES.items())

_METHODS = (
    Request("get with body", "GET", "/score?a=1", body=b"ignored"),
    Request("head", "HEAD"),
    Request("options", "OPTIONS"),
    Request("options with body", "OPTIONS", body=b"x"),
    Request("put", "PUT", body=b"x"),
    Request("delete", "DELETE"),
    Request("patch", "PATCH", body=b"x"),
    Request("trace", "TRACE"),
    Request("unknown method", "FETCH"),
    Request("propfind", "PROPFIND"),
)

_PATHS = tuple(
    Request(f"{method.lower()} {target}", method, target)
    for method, target in (
        ("GET", "/"), ("HEAD", "/"), ("OPTIONS", "/"), ("POST", "/"),
        ("PUT", "/"), ("GET", "/?x=1"), ("GET", "//"),
        ("GET", "/nothing"), ("POST", "/nothing"), ("HEAD", "/nothing"),
        ("OPTIONS", "/nothing"), ("POST", "/score/"), ("POST", "/Score"),
        ("POST", "//score"), ("POST", "/./score"), ("POST", "/sc%6Fre"),
        ("POST", "/score;x"), ("POST", "/score%2F"), ("POST", "/score#frag"),
        ("POST", "/a/../score"), ("POST", "/score%20"), ("POST", "/score?"),
        ("GET", "/favicon.ico"), ("GET", "/%C5%BC"), ("GET", "/%ff"),
        ("POST", "http://score.example/score"), ("OPTIONS", "*"),
        ("GET", "/swagger.json/"), ("POST", "/swagger.json"),
        ("OPTIONS", "/swagger.json"), ("HEAD", "/swagger.json"),
        ("DELETE", "/swagger.json"), ("GET", "/static/x"),
    ))

_FRAME_ROWS = [{"shop": "a", "amount": 1.5}, {"shop": "b", "amount": 2},
               {"shop": "a", "amount": 0.25}]

_PNG = ("iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP8z8DAwMDAx"
        "AADCAYAHgABAgEHu7cAAAAASUVORK5CYII=")


def _frames(kind: str) -> Request:
    return post_json(kind, {"rows": _FRAME_ROWS, "return": kind})


def _scores(kind: str) -> Request:
    return post_json(kind, {"rows": [[1, 2, 3], [0, 0.5, 1]], "as": kind})


def _environment(*views: str) -> tuple[Request, ...]:
    return tuple(post_json(view, {"view": view}) for view in views)


PLAYS = (
    Play("echo", (*_BODIES, *_GETS, *_METHODS, *_PATHS), "echo.py"),
    Play("noop", (post("post"), get("get"), post("large", b"x" * 100_000)),
         "noop.py"),
    Play("returns", each_key("returns.py", "KINDS"), "returns.py"),
    Play("sums", (
        post_json("good", {"data": [[1, 2], [3.5], []]}),
        post_json("empty table", {"data": []}),
        post("bad json", '{"data": [1,', JSON),
        post_json("no data", {"rows": []}),
        post_json("wrong type", {"data": [["a"]]}),
        post_json("a list", [1]),
        post("empty"),
        post_json("large", {"data": [list(range(100))] * 300}),
        get("by query", "/score?data=[[1,2],[3]]"),
        get("by query bad", "/score?data=1"),
    ), "json_sums.py"),
    Play("request-headers", (
        post("none", "x"),
        post("several", "x", ("X-Tenant", "acme"), ("x-lower", "l"),
             ("ACCEPT", "*/*"), ("User-Agent", "test/1.0")),
        post("duplicates", "x", ("X-A", "1"), ("X-B", "b"), ("x-a", "2"),
             ("Cookie", "a=1"), ("Cookie", "b=2")),
        post("underscore", "x", ("X_Under", "1"), ("X-Over", "2")),
        post("spaces", "x", ("X-Pad", "  padded\t "), ("X-Empty", "")),
        post("latin", "x", ("X-Latin", "caf\xe9")),
        post("odd names", "x", ("X-1st", "1"), ("tRaCeId", "t"),
             ("X-MS-thing", "m"), ("X.dot", "d"), ("X!bang~", "b")),
        post("content headers", "{}", JSON, ("Content-Encoding", "identity")),
        post("authorization", "x", ("Authorization", "Bearer abc.def")),
        get("get", "/score?request_headers=1&data=2", ("X-Tenant", "acme")),
        post("proxy", "x", ("X-Forwarded-For", "10.0.0.1"),
             ("X-Forwarded-Proto", "https"), ("Forwarded", "for=10.0.0.2")),
        Request("head", "HEAD"), Request("options", "OPTIONS"),
    ), "headers_in.py"),
    Play("keyword-only", (post("post", "x", ("X-Tenant", "acme")),
                          get("get", "/score?a=1")), "keyword_only.py"),
    Play("defaults", (post("post", "x"), get("get", "/score?threshold=1")),
         "defaults.py"),
    Play("missing-default", (post("post", "x"), get("get")),
         "missing_default.py"),
    Play("lambda", (post("good", "[1,2,3]"), post("bad", "x")),
         "lambda_run.py"),
    Play("callable", (post("first", "[1, 2]"), post("second", "[3]"),
                      post("bad", "3")), "callable_run.py"),
    Play("bound-method", (post("good", "[2, 4]"), post("bad", "[{}]")),
         "bound_method.py"),
    Play("partial", (post("good", "[1, 2]"), get("get")), "partial_run.py"),
    Play("decorated", (post("good", "abc"), post("empty")),
         "decorated_run.py"),
    Play("async", (post("post", "x"),), "async_run.py"),
    Play("asyncio-inside", (post_json("good", ["a", "bcd"]),
                            post_json("again", []), post("bad", "5")),
         "asyncio_inside.py"),
    Play("generator", (post("post", "one two"), post("empty")),
         "generator_run.py"),
    Play("global-state", (post("first", "1"), post("bad", "{"),
                          post("third", '"x"')), "global_state.py"),
    Play("cached", (post("first", "3"), post("hit", "3"), post("second", "4"),
                    post("bad", "x"), post("bad again", "x")), "cached.py"),
    Play("environment", (
        *_environment(
            "name", "file", "file is absolute", "package", "in sys.modules",
            "main thread", "cwd files", "argv0", "app root is cwd",
            "app root in path", "stdin", "stdout encoding",
            "recursion limit", "print is a function", "umask"),
        post_json("own variables", {"env": ["MODEL_NAME", "EMPTY", "NONE"]}),
        post_json("server variables", {"env": [
            "WORKER_COUNT", "WORKER_TIMEOUT", "TRANSPORT_PROTOCOL",
            "HTTP_X_MS_SERVER_VERSION", "AML_APP_INSIGHTS_ENABLED",
            "AML_APP_INSIGHTS_KEY", "AML_CORS_ORIGINS", "SERVICE_NAME",
            "AZUREML_CONFIG_FILE", "SCORING_TIMEOUT_MS"]}),
    ), "environment.py", env={"MODEL_NAME": "rent", "EMPTY": ""}),
    Play("text", (post_json("accents", {"text": "e\u0301a\u0300 \xdf"}),
                  post_json("emoji", {"text": "\U0001f468\u200d\U0001f469"}),
                  post("raw unicode", json.dumps(
                      {"text": "żółw \u05d0"}, ensure_ascii=False), JSON),
                  post("escaped surrogates", '{"text": "\\ud83d\\ude00"}'),
                  post("lone surrogate", '{"text": "\\ud83d"}')),
         "text_stats.py"),
    Play("big-bodies", (post("one byte", "x"),
                        post("5 MB", b"0123456789" * 500_000),
                        post("12 MB", "zażółć" * 1_200_000)),
         "body_digest.py"),
    Play("threads", (post("first", "abc"), post("second", "def")),
         "own_threads.py"),
    Play("thread-pool", (post_json("good", [[1, 2], [3], []]),
                         post_json("bad", [[1], ["a"]])), "thread_pool.py"),
    Play("processes", (post_json("sort", {"lines": ["b", "a", "c"]}),
                       post_json("bad", {})), "own_process.py"),
    Play("sqlite", (post_json("found", {"ids": [1, 2]}),
                    post_json("none", {"ids": []}),
                    post_json("bad", {"ids": [[]]})), "sqlite_features.py"),
    Play("signal-user", (post("first", "x"), post("second", "x")),
         "signals.py"),
    Play("batch", (
        post_json("mixed", [
            {"amount": 5, "income": "10"}, {"amount": 1},
            {"amount": "x", "income": 1}, {"amount": 1, "income": 0},
            {"amount": None, "income": 1}]),
        post_json("empty", []), post_json("not a batch", 7)),
        "batch_records.py"),
    Play("catches-all", (post_json("good", {"data": [[1, 5], [2]]}),
                         post("bad json", "{"), post_json("no data", {}),
                         post_json("empty row", {"data": [[]]})),
         "catches_all.py"),
    Play("pickles", (post("copy", "copy"), post("module", "module"),
                     post("pickle", "pickle")), "pickles.py"),
    Play("validated", (
        post_json("good", {"age": 36, "name": "Ada"}), post("bad json", "{"),
        post_json("wrong type", {"age": "36", "name": "Ada"}),
        post_json("missing", {"age": 36}), post_json("not an object", [])),
        "validated.py"),
    Play("request-ids", (
        post("client id", "x", ("x-ms-client-request-id", "abc-1")),
        post("trace id", "x", ("traceid", "t-1")), post("none", "x")),
        "request_ids.py"),
    Play("frames", (
        *map(_frames, ("dict", "json", "scalar", "records", "frame", "series")),
        post_json("no rows", {"rows": []}), post("bad", "x")),
        "frames.py", needs=("pandas",)),
    Play("numpy", (
        *map(_scores, ("list", "array", "float64", "float32", "int64", "bool",
                       "str", "nan", "floats", "dict", "dict int64", "shape")),
        post_json("wrong shape", {"rows": [[1, 2]]}),
        post_json("ragged", {"rows": [[1], [1, 2]]})),
        "numpy_scores.py", needs=("numpy",)),
    Play("iris", (
        post_json("good", {"data": [[5.1, 3.5, 1.4, 0.2],
                                    [6.7, 3.0, 5.2, 2.3]]}),
        post_json("one row flat", {"data": [5.1, 3.5, 1.4, 0.2]}),
        post_json("too few", {"data": [[1, 2]]}),
        post_json("empty", {"data": []}), post("bad", "x")),
        "sklearn_fitted.py", needs=("sklearn",)),
    Play("image-base64", (post_json("good", {"image": _PNG}),
                          post_json("not an image", {"image": "aGVsbG8="}),
                          post_json("not base64", {"image": "*"})),
         "image_base64.py", needs=("PIL",)),
)
