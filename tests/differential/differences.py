"""What the server under test does otherwise than the reference, on purpose.

The one list: the suite lets nothing else pass, each entry has to differ
indeed, and the table in the package's README is made of it::

    python -m differential.differences
"""

from __future__ import annotations

from .compare import Difference, Here, Lines

_EVERY = ("*",)

#: Cases of a form sent to a script that is not raw.
_FORMS = ("echo/form*", "echo/multipart*")

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "keep-alive", "connections",
        "closes after each response",
        "stays open; pipelining works",
        "a connection per request costs more than most requests",
        (Here(_EVERY, {"header connection": "Connection: close"},
              {"header connection": None}, always=False),)),
    Difference(
        "server-header", "`Server`",
        "`gunicorn`", "`scorehost`", "it is not gunicorn",
        (Here(_EVERY, {"header server": "Server: gunicorn"},
              {"header server": "Server: scorehost"}, always=False),)),
    Difference(
        "reason-phrases", "reason phrases",
        "in capitals, as in `404 NOT FOUND`", "as in `404 Not Found`",
        "they are the HTTP library's; clients go by the code",
        (Here(_EVERY, {"reason": "[A-Z' -]+"}, {"reason": "[A-Z][A-Za-z' -]+"},
              always=False),)),
    Difference(
        "extra-keys", "`Found extra keys in the config file`",
        "lists environment variables, at nearly every start",
        "lists keys of config.json that nothing reads",
        "the warning was inverted",
        (Lines("stdout", theirs=r"<time> W \[<worker>\] azmlinfsrv - Found extra"
               r" keys in the config file [^\n]*\nExtra keys = [^\n]*"),)),
    Difference(
        "model-dir-warning", "`Model directory is not set or does not exist: `",
        "at every start without one", "only if one is set and not there",
        "no model directory is nothing to warn of",
        (Lines("stdout", theirs=r"<time> W \[<worker>\] azmlinfsrv\.trace - "
               r"Model directory is not set or does not exist: "),)),
    Difference(
        "lifecycle-lines", "lines of logger `gunicorn.error`",
        "gunicorn's", "the same logger and stream; texts are ours",
        "there is no gunicorn",
        (Lines("stderr", r"<time> \w \[<\w+>\] gunicorn\.error - "
               r"(Starting gunicorn 23\.0\.0|Using worker: sync|Listening at: [^\n]*"
               r"|Booting worker with pid: <worker>"
               r"|Worker exiting \(pid: <worker>\)|Handling signal: \w+"
               r"|Shutting down: Master)",
               r"<time> \w \[<\w+>\] gunicorn\.error - "
               r"(Using worker: \w+|Listening at: [^\n]*"
               r"|Booting worker with pid: <worker>"
               r"|Worker exiting \(pid: <worker>\)|Handling signal: \w+"
               r"|Shutting down: Master)"),)),
    Difference(
        "ids-everywhere", "ids and `x-ms-server-version`",
        "not on 404, 405 and errors of its HTML kind", "on every response",
        "a request that is refused is looked for in logs, too",
        (Here(_EVERY, {"header x-request-id": None}, {
            "header x-request-id": "x-request-id: .+"}, always=False),
         Here(_EVERY, {"header x-ms-request-id": None}, {
             "header x-ms-request-id": "x-ms-request-id: .+"}, always=False),
         Here(_EVERY, {"header x-ms-server-version": None}, {
             "header x-ms-server-version":
             "x-ms-server-version: azmlinfsrv/1.5.1"}, always=False))),
    Difference(
        "allow-on-405", "`Allow` on 405", "missing", "there",
        "RFC 9110 asks for it",
        (Here(_EVERY, {"header allow": None}, {
            "header allow": "Allow: [A-Z, ]+"}, always=False),)),
    Difference(
        "http-version", "version of the response",
        "the request's, even 1.2", "HTTP/1.1",
        "it is the version of the server, as RFC 9112 has it",
        (Here(_EVERY, {"version": r"HTTP/1\.[02]"}, {"version": r"HTTP/1\.1"},
              always=False),)),
    Difference(
        "form-bodies", "a form sent to a plain script",
        "`run('')`, 413 beyond 500 kB", "`run` gets the body, as any other",
        "plain `curl -d` sends this type; the data was lost silently",
        (Here(_FORMS, {"body": r'\{"got": ""\}', "stdout": ".*",
                       "header content-length": ".*"},
              {"body": r'\{"(got|bytes)": .+\}', "stdout": ".*",
               "header content-length": ".*"},
              but=("echo/form empty", "echo/form too large",
                   "echo/multipart no boundary")),
         Here(("echo/form too large",),
              {"status": "413", "body": ".*capacity limit.*", "stdout": ".*",
               "header content-length": ".*",
               "header x-ms-run-fn-exec-ms": None},
              {"status": "200", "body": r'\{"bytes": 500014, .*',
               "stdout": ".*", "header content-length": ".*",
               "header x-ms-run-fn-exec-ms": ".*"}))),
)


def table() -> str:
    """Give the list as a table in Markdown."""
    rows = ["| id | what | Microsoft's server | scorehost | why |",
            "|---|---|---|---|---|"]
    rows += [f"| `{item.id}` | {item.what} | {item.theirs} | {item.ours} "
             f"| {item.why} |" for item in DIFFERENCES]
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
