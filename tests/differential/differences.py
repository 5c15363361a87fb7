"""What the server under test does otherwise than the reference, on purpose.

The one list: the suite lets nothing else pass, each entry has to differ
indeed, and the table in the package's README is made of it::

    python -m differential.differences
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Union

from .compare import WHATEVER, Difference, Here, Lines, Pattern

#: What libmicrohttpd 1.0 decides before we see it, and the status that it
#: may give: the differences below are those with 0.9, which leaves more to us.
#: 1.0.1 knows no chunk extensions (echo/chunked), and sends no 100 to a client
#: that did not wait for it.  None: it closes the connection.
BY_STRICT_LIBRARY: Mapping[str, tuple[Union[int, None], ...]] = {
    "echo/chunked": (200, 400),
    "echo/expect continue": (200,),
    **{f"http/{name}": (400, None) for name in (
        "length and chunked", "unknown coding", "chunked not last",
        "gzip, chunked", "identity coding", "no host", "space before colon",
        "empty name", "name with space", "folded", "nul in value",
        "cr in value", "two spaces", "leading crlf")},
}

_EVERY = ("*",)
_ANY = ".*"
_TIME = r"<time> \w \[<\w+>\] "

#: Aspects that follow from another body.
_BODY: Mapping[str, Pattern] = {
    "body": _ANY, "header content-length": "Content-Length: .*",
    "stdout": _ANY}

#: Aspects of an HTML page of the reference, and of the JSON in its place.
_PAGE: Mapping[str, Pattern] = {
    **_BODY, "body": "<html>.*|.*PGh0bWw.*", "stderr": _ANY, "header server": None,
    "header date": None, "header content-type": "Content-Type: text/html",
    "header x-ms-run-function-failed": None}


def _message(text: str, failed: str = "False") -> Mapping[str, Pattern]:
    """Give the aspects of one of our JSON errors, in place of a page."""
    return {
        **_BODY, "body": rf'\{{"message": "{text}"\}}', "stderr": _ANY,
        "header server": "Server: scorehost", "header date": "Date: <date>",
        "header content-type": "Content-Type: application/json",
        "header x-ms-run-function-failed":
        f"x-ms-run-function-failed: {failed}"}


_SCRIPT_FAILED = _message("An unexpected error occurred in scoring script.*",
                          "True")
_INTERNAL = _message("An unexpected internal error occurred.*")

_STDERR: Mapping[str, Pattern] = {"stderr": _ANY}

_NOT_JSON: Mapping[str, Pattern] = {
    **_BODY, "body": ".*An unexpected internal error occurred.*",
    "status": "500", "header content-type": "Content-Type: application/json",
    "header x-ms-run-fn-exec-ms": None}

_SCORED: Mapping[str, Pattern] = {
    **_BODY, "status": "200",
    "header x-ms-run-fn-exec-ms": "x-ms-run-fn-exec-ms: <ms>"}

_STREAMED: Mapping[str, Pattern] = {
    **_SCORED, "framing": "chunked", "header content-length": None,
    "header transfer-encoding": "Transfer-Encoding: chunked"}


#: Aspects of an answer where the other side gives none.
_ANSWERED: Mapping[str, Pattern] = {
    "ended": None, "version": "HTTP/1.1", "reason": _ANY, "framing": "length",
    "body": _ANY, "stdout": _ANY, "stderr": WHATEVER,
    "header content-length": _ANY, "header content-type": _ANY,
    "header date": _ANY, "header server": "Server: scorehost",
    "header x-ms-run-function-failed": _ANY,
    "header x-ms-run-fn-exec-ms": WHATEVER}


def _nothing(ended: str) -> Mapping[str, Pattern]:
    """Give the aspects of no answer at all."""
    absent = dict.fromkeys((*_ANSWERED, "status"))
    return {**absent, "ended": ended, "stdout": WHATEVER, "stderr": WHATEVER}


def _typed(aspects: Mapping[str, Pattern], kind: str) -> Mapping[str, Pattern]:
    return {**aspects, "header content-type": f"Content-Type: {kind}"}


_CONNECTIONS = (
    Difference(
        "keep-alive", "connections", "closes after each response",
        "stays open; pipelining works",
        "a connection for each request costs more than most requests",
        (Here(_EVERY, {"header connection": "Connection: close"},
              {"header connection": None}, always=False),)),
    Difference(
        "server-header", "`Server`", "`gunicorn`", "`scorehost`",
        "it is not gunicorn",
        (Here(_EVERY, {"header server": "Server: gunicorn"},
              {"header server": "Server: scorehost"}, always=False),)),
    Difference(
        "reason-phrases", "reason phrases", "in capitals: `404 NOT FOUND`",
        "`404 Not Found`; a script's own phrase (`201 Made`) is not sent",
        "they are the HTTP library's; clients go by the code",
        (Here(_EVERY, {"reason": "[A-Z' -]+|Made"},
              {"reason": "[A-Z][A-Za-z' -]+"}, always=False),)),
    Difference(
        "http-version", "version of a response", "the request's, even 1.2",
        "HTTP/1.1", "RFC 9112: it is the version of the server",
        (Here(_EVERY, {"version": r"HTTP/1\.[02]"}, {"version": r"HTTP/1\.1"},
              always=False),)),
    Difference(
        "ids-everywhere", "ids, `TraceId` and `x-ms-server-version`",
        "not on 404, 405 and HTML errors", "on every response",
        "a request that was refused is looked for in logs, too",
        tuple(Here(_EVERY, {f"header {name}": None},
                   {f"header {name}": rf"(?i:{name}): .+"}, always=False)
              for name in ("x-request-id", "x-ms-request-id",
                           "x-ms-client-request-id", "traceid",
                           "x-ms-server-version"))),
    Difference(
        "allow-on-405", "`Allow` on 405", "missing", "there",
        "RFC 9110 asks for it",
        (Here(_EVERY, {"header allow": None},
              {"header allow": "Allow: [A-Z, ]+"}, always=False),)),
    Difference(
        "cors-on-errors", "CORS headers on 404 and 405", "missing", "there",
        "without them a page cannot read what was wrong",
        (Here(("cors-*/preflight missing",), {
            "header access-control-allow-origin": None, "header vary": None,
            "header access-control-allow-methods": None},
            {"header access-control-allow-origin":
             "Access-Control-Allow-Origin: https://one.example",
             "header vary": "Vary: Origin",
             "header access-control-allow-methods":
             "Access-Control-Allow-Methods: GET, POST"},
            but=("cors-one/*", "cors-empty/*", "cors-commas/*")),
         Here(("cors-one/preflight missing",), {
             "header access-control-allow-origin": None,
             "header access-control-allow-methods": None},
             {"header access-control-allow-origin":
              "Access-Control-Allow-Origin: https://one.example",
              "header access-control-allow-methods":
              "Access-Control-Allow-Methods: GET, POST"}),
         Here(("cors-*/missing", "cors-*/bad method"), {
            "header access-control-allow-origin": None, "header vary": None},
            {"header access-control-allow-origin":
             "Access-Control-Allow-Origin: https://one.example",
             "header vary": "Vary: Origin"}, always=False),
         Here(("cors-one/missing", "cors-one/bad method"), {
             "header access-control-allow-origin": None},
             {"header access-control-allow-origin":
              "Access-Control-Allow-Origin: https://one.example"}))),
)

_LOGS = (
    Difference(
        "extra-keys", "`Found extra keys in the config file`",
        "lists environment variables, at nearly every start",
        "lists keys of config.json that nothing reads",
        "the warning was inverted",
        (Lines("stdout", theirs=_TIME + r"azmlinfsrv - Found extra keys in the"
               r" config file [^\n]*\nExtra keys = [^\n]*"),
         Lines("stdout", ours=_TIME + r"azmlinfsrv - Found extra keys in the"
               r" config file [^\n]*\nExtra keys = \[('UNKNOWN_KEY', 'OTHER'"
               r"|'service_name')\]",
               cases=("config-unknown-keys/@start",
                      "config-lower-case-keys/@start")))),
    Difference(
        "model-dir-warning", "`Model directory is not set or does not exist`",
        "at every start without one", "if one is set and not there",
        "no model directory is nothing to warn of",
        (Lines("stdout", theirs=_TIME + r"azmlinfsrv\.trace - Model directory"
               r" is not set or does not exist: "),
         Lines("stdout", theirs=r"WARNING\|azmlinfsrv\.trace\|Model directory"
               r" is not set or does not exist: "),
         Lines("stdout", theirs=r'\{"level": "WARNING", [^\n]* "Model directory'
               r' is not set or does not exist: "\}'))),
    Difference(
        "model-ids", "`Error while fetching model IDs`",
        "at every start with a plain file in the model directory",
        "not computed unless telemetry is on",
        "nobody sees the ids without telemetry",
        (Lines("stdout", theirs=_TIME + r"azmlinfsrv\.trace - Error while"
               r" fetching model IDs\nTraceback \(most recent call last\):\n"
               r"NotADirectoryError: [^\n]*"),)),
    Difference(
        "lifecycle-lines", "lines of logger `gunicorn.error`", "gunicorn's",
        "same logger and stream; all by the host, texts are ours",
        "there is no gunicorn; loggers keep their names for those who filter",
        (Lines("stderr",
               _TIME + r"gunicorn\.error - (Starting gunicorn 23\.0\.0"
               r"|Using worker: sync|Listening at: [^\n]*"
               r"|Booting worker with pid: <worker>"
               r"|Worker exiting \(pid: <worker>\)|Handling signal: \w+"
               r"|Worker \(pid:<worker>\) exited with code \d+\."
               r"|Shutting down: Master)",
               _TIME + r"gunicorn\.error - (Using worker: \w+"
               r"|Listening at: [^\n]*|Booting worker with pid: <worker>"
               r"|Worker exiting \(pid: <worker>\)|Handling signal: \w+"
               r"|(worker-backoff|threads|run-timeout|run-returned) [^\n]*"
               r"|Shutting down: Master)"),
         Lines("stderr", theirs=r'(INFO\|gunicorn\.error\||\{"level": "INFO", '
               r'"name": "gunicorn\.error", "text": ")Worker exiting'
               r' \(pid: <worker>\)("\})?', cases=("logging-json*/@stop",)))),
    Difference(
        "banner-once", "what is printed at start, stdout buffered",
        "again by each worker and at the end", "once",
        "the buffer was copied into the workers",
        (Here(("buffered/@stop",), {"stdout": ".*Server Settings.*"},
              {"stdout": ""}),)),
    Difference(
        "probe-lines", "access lines of probes",
        "`GET / HTTP/1.1` alone is left out, also as somebody's user agent",
        "`GET /` and `HEAD /` are left out, any version; nothing else is",
        "the filter looked for its text anywhere in the line",
        (Here(("*/head /", "access-lines/probe old",
               "access-lines/probe head"),
              {"stdout": ".*gunicorn.access.* / HTTP/1.*"}, {"stdout": ""}),
         Here(("access-lines/agent like a probe",), {"stdout": "[^\n]*"},
              {"stdout": ".*gunicorn.access.*"}))),
    Difference(
        "raw-by-run", "`@rawhttp` on another function than `run`",
        "makes the script raw", "does not",
        "importing a helper that uses it was enough",
        (Here(("raw-helper-only/@start",),
              {"stdout": ".*decorated with @rawhttp.*"},
              {"stdout": ".*run.. is not decorated.*"}),
         Here(("raw-helper-only/post", "raw-helper-only/get"),
              {**_BODY, "body": '"LocalProxy"'}, {**_BODY, "body": '"str"'}))),
    Difference(
        "traceback-matching", "why a script could not be loaded",
        "guessed from words anywhere in the traceback, which may be hidden",
        "told from what really failed", "unrelated errors were misexplained",
        (Here(("import-mentions-main/@start",),
              {"stdout": ".*No score script found.*"},
              {"stdout": ".*ImportError: No module named 'main'.*"}),
         Here(("import-no-file/@start",),
              {"stdout": ".*No such file or directory\\.\n.*"},
              {"stdout": ".*"}),
         Here(("script-a-folder/@start", "script-no-ending/@start",
               "script-not-python/@start"),
              {"stdout": ".*'NoneType' object has no attribute 'loader'.*"},
              {"stdout": ".*is not a file that Python can import; it must end"
               " in .py.*"}))),
    Difference(
        "python-path", "`sys.path` of the script",
        "has the server's own folder, before the user's", "has not",
        "a user's `utils.py` or `config.py` was hidden by the server's",
        (Here(("main-missing*/@start",), {"stdout": ".*<package>/server.*"},
              {"stdout": "(?!.*<package>/server).*"}),
         Here(("own-utils/@start",),
              {"ready": "false", "exit": "3", "stdout": _ANY, "stderr": _ANY},
              {"ready": "true", "exit": None, "stdout": _ANY, "stderr": ""}),
         Here(("own-utils/@stop",), {"exit": "3"}, {"exit": "0"}),
         Here(("own-utils/post",), _nothing("not started"),
              {**_ANSWERED, "status": "200",
               "body": r'\["my utils", "my config"\]'}))),
)

_INPUT = (
    Difference(
        "form-bodies", "a form sent to a script that is not raw",
        "`run('')`, 413 beyond 500 kB", "`run` gets the body, as any other",
        "plain `curl -d` sends this type; the data was lost silently",
        (Here(("echo/form*", "echo/multipart*"),
              {**_BODY, "body": r'\{"got": ""\}'},
              {**_BODY, "body": r'\{"(got|bytes)": .+\}'},
              but=("echo/form empty", "echo/form too large",
                   "echo/multipart no boundary")),
         Here(("echo/form too large",),
              {**_BODY, "body": ".*capacity limit.*", "status": "413",
               "header x-ms-run-fn-exec-ms": None}, _SCORED))),
    Difference(
        "bad-json", "a body in schema mode that is not UTF-8, too deep, or "
        "holds too large an integer", "500, internal error", "400, with why",
        "it is the client's mistake",
        (Here(("schema/huge int", "schema/not utf-8", "schema/too deep"),
              {**_BODY, "body": ".*internal error.*", "status": "500"},
              {**_BODY, "body": ".*POST body could not be decoded as JSON: .*",
               "status": "400"}),)),
    Difference(
        "swagger-files", "a swagger file of the user's that cannot be read; a "
        "quote in SERVICE_NAME", "ends the server",
        "an error line; the document is generated",
        "a service need not end for its description",
        (Here(("swagger-own-broken/@start", "swagger-own-not-utf-8/@start",
               "swagger-quote-in-name/@start"),
              {"exit": "3", "stdout": _ANY, "stderr": ".*Traceback.*"},
              {"exit": "serving", "stdout": ".*ready for serving traffic",
               "stderr": ""}),)),
)

_REFUSED: Mapping[str, Pattern] = {
    **_ANSWERED, "body": r'\{"message": ".*"\}',
    "header content-type": "Content-Type: application/json",
    "header x-ms-run-function-failed": "x-ms-run-function-failed: False",
    "stderr": ".*Invalid request from ip=127.0.0.1: .*",
    "header x-ms-run-fn-exec-ms": None}

#: What the HTTP library refuses, it answers or closes in its own way.
_BY_LIBRARY: Mapping[str, Pattern] = {
    **dict.fromkeys((*_ANSWERED, "header x-request-id", "header connection",
                     "header x-ms-request-id", "header x-ms-server-version"),
                    WHATEVER),
    "status": WHATEVER}


def _page(status: str) -> Mapping[str, Pattern]:
    return {**_PAGE, "status": status, "ended": None, "version": "HTTP/1.[01]",
            "reason": _ANY, "framing": "length",
            "header x-ms-run-fn-exec-ms": None}


def _http(*names: str) -> tuple[str, ...]:
    return tuple(f"http/{name}" for name in names)


_HTTP = (
    Difference(
        "http-refusals", "a request that is no HTTP or over a limit",
        "an HTML page without ids; 500 for a malformed chunk",
        "JSON with ids where we see it first; a 4xx page, a closed connection "
        "or 505 where the HTTP library does (0.9.75 sends its head twice when "
        "Content-Length is no number)",
        "all errors are JSON as far as it is ours to say",
        (Here(_http("chunked in 1.0", "coding twice", "cr in value",
                    "empty name", "folded", "length and chunked",
                    "line too long", "lower case method", "name with space",
                    "nul in value", "odd method", "space before colon",
                    "two equal lengths", "two lengths", "two spaces"),
              _page("400"), {**_REFUSED, "status": "400"}),
         Here(_http("101 headers", "header too long"), _page("431"),
              {**_REFUSED, "status": "431"}),
         Here(_http("unknown coding"), _page("501"),
              {**_REFUSED, "status": "501"}),
         Here(_http("chunked not last"), _page("400"),
              {**_REFUSED, "status": "501"}),
         Here(_http("no colon", "version missing", "version odd", "version 2.0",
                    "http2 preface", "not http", "tls hello"),
              {**_BY_LIBRARY, "status": "400"},
              _BY_LIBRARY),
         Here(_http("length list", "negative length", "signed length",
                    "hex length", "empty length"),
              _page("400"), {**_page("400"), "body":
                             "<html>.*|HTTP/1.1 400 Bad Request\r\n.*",
                             "header content-type": None,
                             "header date": "Date: <date>",
                             "stdout": "", "stderr": ""}),
         Here(_http("chunk size bad", "chunk size negative", "chunk too long",
                    "chunk cut"),
              {**_BY_LIBRARY, "status": "500"},
              {**_BY_LIBRARY, "header x-ms-run-fn-exec-ms": None}))),
    Difference(
        "strict-http", "two or no `Host`, control bytes in values, a target "
        "without slash, `gzip, chunked`, an unknown `Expect`, `identity`",
        "accepted", "400, 417 or 501; `run` is not called",
        "what two servers read differently is how requests are smuggled",
        (Here(_http("control in value", "identity coding",
                    "target without slash", "gzip, chunked", "unknown expect"),
              {**_SCORED, **_STDERR, "header x-ms-run-function-failed": _ANY},
              {**_BODY, "status": "400|417|501", "stderr": _REFUSED["stderr"],
               "body": _REFUSED["body"], "header x-ms-run-fn-exec-ms": None,
               "header x-ms-run-function-failed": _ANY}),
         Here(_http("no host", "two hosts"),
              {**_BODY, **_STDERR, "status": "200", "header content-type":
               "Content-Type: text/html; charset=utf-8",
               "header x-ms-run-function-failed": None},
              {**_BODY, "status": "400", "stderr": _REFUSED["stderr"],
               "body": _REFUSED["body"], "header content-type":
               "Content-Type: application/json",
               "header x-ms-run-function-failed":
               "x-ms-run-function-failed: False"}))),
    Difference(
        "truncated-body", "a client that leaves in the middle of a request",
        "what came is scored", "not scored; the connection is closed",
        "half a request is none",
        (Here(_http("body cut"), {**_BY_LIBRARY, "status": "200"},
              {**_nothing("closed"), "header x-request-id": None,
               "header x-ms-request-id": None,
               "header x-ms-server-version": None}),)),
    Difference(
        "lenient-http", "a CRLF before the request line, an `Upgrade`, a "
        "SCRIPT_NAME header", "400 and 500", "served",
        "RFC 9112 says so of the first two; the third means nothing here",
        (Here(_http("leading crlf", "script name", "upgrade"),
              {**_BY_LIBRARY, "status": "400|500"},
              {**_BY_LIBRARY, "status": "200"}),)),
)

_OUTPUT = (
    Difference(
        "bytes-result", "`run` returns bytes, bytearray or memoryview",
        "500, not serialisable", "200, `application/octet-stream`",
        "there is one thing it can mean",
        (Here(("returns/bytes", "returns/empty bytes", "returns/bytearray",
               "returns/memoryview", "raw-values/bytes"), _NOT_JSON,
              _typed(_SCORED, "application/octet-stream")),)),
    Difference(
        "generator-result", "`run` returns or is a generator",
        "500, not serialisable", "200, streamed",
        "there is one thing it can mean",
        (Here(("generator/*", "stream/plain generator",
               "raw-values/generator"), {**_NOT_JSON, "framing": "length",
                                         "header transfer-encoding": None},
              _typed(_STREAMED, "(text/plain; charset=utf-8"
                     "|application/octet-stream)"),
              but=("*/@st*",)),)),
    Difference(
        "async-functions", "`async def init` and `run`", "never awaited",
        "run to their end", "there is one thing it can mean",
        (Here(("async/post", "returns/coroutine"),
              {**_NOT_JSON, "stderr": ".*never awaited.*"},
              {**_typed(_SCORED, "application/json"), "stderr": ""}),
         Here(("async/@start", "init-async/@start"),
              {"stderr": ".*'init' was never awaited.*"}, {"stderr": ""}),
         Lines("stdout", ours=_TIME + r"azmlinfsrv\.print - never printed",
               cases=("async/@start",)))),
    Difference(
        "http-exceptions", "`flask.abort(404)`, a bad `request.json` and other"
        " HTTP exceptions of a script", "500", "the status they ask for",
        "what else would a script raise them for",
        (Here(("flask-responses/abort*", "raw/json bad", "raw/json wrong type",
               "raw/json empty", "raw/json not utf-8", "raw/arg missing",
               "raw/form many parts", "raw/form too large", "sse/bad"),
              {**_BODY, "body": ".*scoring script.*", "status": "500",
               "header content-type": "Content-Type: application/json",
               "header x-ms-run-function-failed":
               "x-ms-run-function-failed: True"},
              {**_BODY, "status": "4\\d\\d", "header content-type": _ANY,
               "header x-ms-run-function-failed":
               "x-ms-run-function-failed: False"},
              but=("flask-responses/abort response",)),
         Here(("flask-responses/abort response",),
              {**_BODY, "status": "500", "header content-type": _ANY,
               "header x-ms-run-function-failed":
               "x-ms-run-function-failed: True"},
              {**_BODY, "status": "403", "header content-type": _ANY,
               "header x-ms-run-function-failed": None}))),
    Difference(
        "werkzeug-response", "`run` returns a Werkzeug response that is not "
        "Flask's", "500, not serialisable", "sent",
        "there is one thing it can mean",
        (Here(("flask-responses/werkzeug",),
              {**_NOT_JSON, "header x-ms-run-function-failed": _ANY},
              {**_typed(_SCORED, "text/plain; charset=utf-8"),
               "header x-ms-run-function-failed": None}),)),
    Difference(
        "json-errors", "SystemExit, KeyboardInterrupt and the like in `run`; "
        "a body or header of AMLResponse that cannot be sent",
        "an HTML page without ids, or a closed connection; 400 for a header "
        "name", "500 in JSON with ids; the traceback on stdout as any other",
        "all errors are JSON, the contract says",
        (Here(("failures/system exit*", "failures/keyboard", "failures/base",
               "failures/generator exit", "failures/cancelled"),
              _PAGE, _SCRIPT_FAILED),
         Here(("aml-responses/int", "aml-responses/bool"), _PAGE, _INTERNAL),
         Here(("aml-responses/header bad name",),
              {**_PAGE, "status": "400", "reason": "Bad Request"},
              {**_INTERNAL, "status": "500",
               "reason": "Internal Server Error"}),
         Here(("aml-responses/header unicode",), _nothing("closed"),
              {**_ANSWERED, **_INTERNAL, "status": "500"}),
         Here(("aml-responses/list of int",),
              {**_BODY, "body": ".*server encountered an internal error.*",
               "stderr": ".*Exception on /score.*"},
              {**_BODY, "body": ".*unexpected internal error.*",
               "stderr": ""}),
         Here(("aml-responses/status words",),
              {**_BODY, "status": "0", "reason": "abc", "header content-type":
               _ANY, "header x-ms-run-fn-exec-ms": _ANY},
              {**_BODY, "status": "500", "reason": "Internal Server Error",
               "header content-type": "Content-Type: application/json",
               "header x-ms-run-fn-exec-ms": None}))),
    Difference(
        "stream-errors", "an exception in a stream",
        "on stderr, logger `gunicorn.error`; an HTML page without ids before "
        "the first item, after SystemExit a second head in the middle of the "
        "body", "on stdout, logger `azmlinfsrv`; before the first item a 500 "
        "in JSON, later the body ends unfinished",
        "it is the script's error, as any other",
        (Here(("stream/fails first",), _PAGE, _SCRIPT_FAILED),
         Here(("stream/fails later", "stream/wrong item", "stream/exits",
               "aml-responses/failing stream"),
              {"stderr": ".*Error handling request.*", "stdout": _ANY,
               "broken by": "|HTTP/1.1 500 Internal Server Error"},
              {"stderr": "", "stdout": ".*Encountered Exception: Traceback.*",
               "broken by": ""}),)),
    Difference(
        "content-type-once", "AMLResponse with a type of the user's, spelt in "
        "lower case, or beside `json_str` or None", "two `Content-Type`",
        "the user's", "clients take one or the other",
        (Here(("aml-responses/content type json",
               "aml-responses/content type lower",
               "aml-responses/content type none"),
              {"header content-type": r".*\n.*"},
              {"header content-type": "Content-Type: [^\n]*"}),)),
    Difference(
        "own-headers-once", "`x-ms-server-version` or `Content-Length` set by "
        "the script, too", "sent twice", "sent once",
        "clients take one or the other",
        (Here(("aml-responses/header own version",
               ), {"header x-ms-server-version": r".*\n.*"},
              {"header x-ms-server-version": "[^\n]*"}),
         Here(("aml-responses/header own length",),
              {"header content-length": r".*\n.*"},
              {"header content-length": "[^\n]*"}))),
    Difference(
        "no-body-length", "logged length of a 204 with a body",
        "of the body that is not sent", "0", "nothing is sent",
        (Here(("aml-responses/status 204 body",),
              {"stdout": ".*204 <ms> 4\n.*"}, {"stdout": ".*204 <ms> 0\n.*"}),)),
    Difference(
        "swagger-version-text", "a version for `/swagger.json` that is not UTF-8",
        "shown as `%FF`", "shown as `\\ufffd`",
        "the answer is the same, 404",
        (Here(("swagger/not utf-8",), {**_BODY, "body": ".*%FF.*"},
              {**_BODY, "body": r".*\\ufffd.*"}),)),
    Difference(
        "print-sep-none", "`print(..., sep=None)`", "AttributeError, 500",
        "as Python's own print", "it is allowed",
        (Here(("prints/sep none",),
              {**_BODY, "body": ".*scoring script.*", "status": "500",
               "header x-ms-run-fn-exec-ms": None,
               "header x-ms-run-function-failed": _ANY},
              {**_SCORED, "body": '"done"',
               "header x-ms-run-function-failed":
               "x-ms-run-function-failed: False"}),)),
)

_WORKERS = (
    Difference(
        "lost-worker", "a worker that dies while it scores",
        "connection closed; exit code 3 ends the server",
        "502 with the signal or exit code, and a new worker; with kind "
        "`thread` the server ends, as the worker is a part of it",
        "a client should know, and one request should not end a service",
        (Here(("failures/exit ?", "failures/killed", "worker-exits-3/die"),
              _nothing("closed"), {
                  **_ANSWERED, "status": "502", **_message(
                      "The worker process (exited with code \\d|was killed by"
                      " SIGKILL) while it scored this request.*", "True")}),
         Here(("worker-exits-3/@stop",), {"exit": "3"}, {"exit": "0"}))),
    Difference(
        "user-timeouts", "a TimeoutError of the script's own",
        "`Scoring timeout after 3600000 ms`", "an error of the script's",
        "no time was up",
        (Here(("failures/timeout", "failures/socket timeout",
               "failures/from a pool timeout"),
              {**_BODY, "body": ".*Scoring timeout.*"},
              {**_BODY, "body": ".*scoring script.*"}),)),
    Difference(
        "timeout-on-time", "scoring timeout",
        "when Python comes back; `except Exception` swallows it",
        "answered and logged at the limit; then the script is interrupted",
        "C code and sleeping libraries held the client for as long as they "
        "liked",
        (Here(("scoring-timeout/too long", "scoring-timeout/busy",
               "scoring-timeout-by-config/too long"),
              {"stdout": ".*finally.*POST /score 500.*"},
              {"stdout": ".*POST /score 500.*finally.*"}),
         Here(("scoring-timeout-swallowed/swallowed",),
              {**_SCORED, "body": ".*swallowed TimeoutError.*",
               "header x-ms-run-function-failed": _ANY},
              {**_BODY, "body": ".*Scoring timeout after 400 ms.*",
               "status": "500", "header x-ms-run-fn-exec-ms": None,
               "header x-ms-run-function-failed":
               "x-ms-run-function-failed: True"}))),
    Difference(
        "timeout-stack", "what hung, in stderr", "nothing",
        "the stack of the thread that was over its limit",
        "it says where the time went",
        (Lines("stderr", ours=r"Current thread [^\n]*|  File [^\n]*",
               cases=("scoring-timeout*",)),)),
    Difference(
        "preload", "WORKER_PRELOAD",
        "the host loads the script; SIGHUP does not load it again; workers "
        "end as they are",
        "a process of its own loads it, and says what is shared and what a "
        "fork loses; SIGHUP loads it anew, and a broken script changes "
        "nothing; each worker calls `after_fork()`",
        "a host with threads cannot be forked, and should not die with a "
        "script",
        (Here(("preload/@start",),
              {"stdout": r".*\[<host>\] azmlinfsrv - Worker with pid <host> "
                         "ready.*"},
              {"stdout": r".*\[<worker>\] azmlinfsrv - Loaded in .*: [\d.]+ MB "
                         r"private, [\d.]+ MB shared with.*ready.*"},
              always=False),
         Here(("preload-raises/@start",),
              {"stdout": r".*\[<host>\] azmlinfsrv - User's init.*",
               "stderr": ""},
              {"stdout": r".*\[<worker>\] azmlinfsrv - User's init.*",
               "stderr": ".*Worker failed to boot.*"}, always=False),
         Lines("stderr", ours=_TIME + r"gunicorn\.error - preload[^\n]*",
               cases=("preload*/@start",)))),
    Difference(
        "gunicorn-settings", "GUNICORN_CMD_ARGS, gunicorn.conf.py", "obeyed",
        "a warning", "there is no gunicorn",
        (Lines("stdout", ours=_TIME + r"azmlinfsrv - (GUNICORN_CMD_ARGS"
               r"|gunicorn\.conf\.py) is ignored: gunicorn is not used\.",
               cases=("gunicorn-*/@start",)),)),
)

_SETTINGS = (
    Difference(
        "new-flags", "flags", "nine", "more, listed by `--help`",
        "there is more to set",
        (Lines("stdout", ours="(  --(host|socket|access_log|share_module"
               "|worker_(kind|min|max|preload)|gpu_workers|remote_\\w+"
               "|model_name|reload|supervisor|server_timing|raise_cancelled"
               "|(scoring|request|head)_timeout_ms|max_\\w+|queue_\\w+"
               "|body_\\w+|keepalive_timeout_ms|drain_timeout_ms|version))",
               cases=("flags-*",)),)),
    Difference(
        "config-keys", "AML_CORS_ORIGINS and other documented keys in "
        "config.json", "no effect", "work", "they are documented",
        (Here(("config-cors/post", "config-cors/title"),
              {"header access-control-allow-origin": None},
              {"header access-control-allow-origin":
               "Access-Control-Allow-Origin: https://a.example"}),
         Here(("config-cors/@start",),
              {"stdout": ".*origins: None.*"},
              {"stdout": ".*Enabling CORS for the following origins.*"}))),
    Difference(
        "empty-origins", "empty items in AML_CORS_ORIGINS, as in `a, ,`",
        "origins without text: `Vary: Origin`, a line in the log", "left out",
        "no browser is at an origin without a name",
        (Here(("cors-commas/no origin", "cors-commas/empty",
               "cors-commas/options only"),
              {"header vary": "Vary: Origin"}, {"header vary": None}),
         Lines("stdout", theirs=_TIME + r"azmlinfsrv - Enabling CORS for the"
               r" following origins: , , ", cases=("cors-commas/@start",)))),
    Difference(
        "swagger-prefix", "SERVICE_PATH_PREFIX=/", "the paths are `//`, "
        "`//score` and `//swagger.json`", "`/`, `/score`, `/swagger.json`",
        "there is nothing at the former",
        (Here(("swagger-empty-names/2",),
              {**_BODY, "body": '.*"//": .*"//score": .*"//swagger.json": .*'},
              {**_BODY, "body": '.*"/": .*"/score": .*"/swagger.json": .*'}),
         )),
    Difference(
        "config-file-text", "why a config file is refused",
        "the traceback of the server's own mistake", "what is wrong with it",
        "`'list' object has no attribute 'get'` helps nobody",
        (Here(("config-bad-json/@start", "config-bad-list/@start",
               "config-bad-null/@start", "config-bad-string/@start",
               "config-not-utf-8/@start"),
              {"stdout": ".*Invalid config file!.*"},
              {"stdout": ".*Invalid config file!.*ConfigFileError.*"}),)),
    Difference(
        "worker-settings-text", "WORKER_COUNT and WORKER_TIMEOUT that are no "
        "numbers", "a Python traceback, gunicorn's usage", "one line, same "
        "exit code", "a traceback is for programmers",
        (Here(("env-worker-count-word/@start",
               "env-worker-timeout-word/@start"),
              {"stderr": ".*(Traceback|<usage>).*"},
              {"stderr": "\n.*rror: WORKER_\\w+: .*"}),)),
    Difference(
        "insights-enabled", "AML_APP_INSIGHTS_ENABLED=True",
        "turned off: only `true` counts", "on", "a capital is easily written",
        (Here(("insights-capital/*",), {
            "stdout": _ANY, "body": _ANY, "header content-length": _ANY},
            {"stdout": _ANY, "body": _ANY, "header content-length": _ANY},
            always=False, but=("*/@stop", "*/title")),)),
)

DIFFERENCES: tuple[Difference, ...] = (
    *_CONNECTIONS, *_LOGS, *_INPUT, *_HTTP, *_OUTPUT, *_WORKERS, *_SETTINGS)


def table() -> str:
    """Give the list as a table in Markdown."""
    rows = ["| id | what | Microsoft's server | scorehost | why |",
            "|---|---|---|---|---|"]
    rows += [f"| `{item.id}` | {item.what} | {item.theirs} | {item.ours} "
             f"| {item.why} |" for item in DIFFERENCES]
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
