"""A real Flask request for scripts that ask for one.

Imported in raw mode, and in the other modes once the script or one of its
libraries has imported Flask: then ``flask.request`` and its kin work inside
``run()``.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import flask
from werkzeug.routing import Rule
from werkzeug.wsgi import FileWrapper

from scorehost import reply
from scorehost.inputs import headers_dict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from scorehost._core import Call

# The names that scripts can see: request.endpoint, current_app.name.
_APP_NAME = "azureml_inference_server_http.server.create_app"
_SERVER_SOFTWARE = "gunicorn/23.0.0"
_ROUTES = {
    "/score": ("main.handle_score", ("GET", "HEAD", "POST", "OPTIONS")),
    "/swagger.json": ("main.get_swagger_specification", ("GET", "HEAD", "OPTIONS")),
    "/": ("main.health_probe", ("GET", "HEAD", "OPTIONS")),
}
_SECURE = (
    ("X-Forwarded-Protocol", "ssl"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Ssl", "on"),
)

#: What ``run()`` gets in raw mode.
request = flask.request


@functools.lru_cache(maxsize=None)
def app() -> flask.Flask:
    """Makes the application whose contexts ``run()`` is called in.

    It routes nothing: its rules are there for what a script can ask of them.
    """
    made = flask.Flask(_APP_NAME, root_path=os.getcwd(), static_folder=None)
    for path, (endpoint, methods) in _ROUTES.items():
        made.url_map.add(Rule(path, endpoint=endpoint, methods=methods))
    return made


def environ(call: Call) -> dict[str, Any]:
    """Returns the WSGI environment of a request."""
    headers = headers_dict(call.headers)
    env: dict[str, Any] = {
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": os.environ.get("WORKER_COUNT", "1") != "1",
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
        "wsgi.input": io.BytesIO(call.body),
        "wsgi.url_scheme": _scheme(call, headers),
        "SERVER_SOFTWARE": _SERVER_SOFTWARE,
        "REQUEST_METHOD": call.method,
        "QUERY_STRING": _printable(call.query),
        "RAW_URI": call.target,
        "SERVER_PROTOCOL": call.version,
        "REMOTE_ADDR": call.peer[0],
        "REMOTE_PORT": str(call.peer[1]),
        "SERVER_NAME": call.server[0],
        "SERVER_PORT": str(call.server[1]),
        "PATH_INFO": call.path.encode("utf-8", "surrogateescape").decode("latin-1"),
        "SCRIPT_NAME": "",
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        env[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value
    return env


def _printable(query: bytes) -> str:
    """Returns the query for WSGI; bytes that are not UTF-8 are percent-encoded.

    Werkzeug decodes the query strictly, and a client must not be able to
    make it raise.
    """
    try:
        query.decode("utf-8")
    except UnicodeDecodeError:
        return "".join(chr(byte) if byte < 0x80 else f"%{byte:02X}" for byte in query)
    return query.decode("latin-1")


def _scheme(call: Call, headers: dict[str, str]) -> str:
    allowed = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(",")
    trusted = not call.peer[0] or "*" in allowed  # without an address: a Unix socket
    if not trusted and call.peer[0] not in [item.strip() for item in allowed]:
        return call.scheme
    if any(headers.get(name) == value for name, value in _SECURE):
        return "https"
    return call.scheme


@contextmanager
def context(call: Call) -> Iterator[Callable[[reply.Reply], reply.Reply]]:
    """Pushes a request context; yields what must be done to the reply at its end."""
    with app().request_context(environ(call)) as pushed:
        flask.g.request_id = call.request_id
        flask.g.client_request_id = call.client_request_id
        yield functools.partial(_after_request, pushed)


def _after_request(pushed: Any, made: reply.Reply) -> reply.Reply:
    """Lets the script's ``flask.after_this_request`` functions change the headers."""
    functions = getattr(pushed, "_after_request_functions", None)
    if not functions:
        return made
    status, headers, body, flags, run_ns = made
    if not flags & reply.OWN_TYPE:
        headers = [("Content-Type", "application/json"), *headers]
    response = flask.Response(None if flags & reply.STREAM else body, status=status)
    response.headers.clear()
    response.headers.extend(headers)
    for function in functions:
        response = function(response)
    if not flags & reply.STREAM:
        body = response.get_data()
    changed = [pair for pair in response.headers.items() if pair[0] != "Content-Length"]
    return response.status_code, changed, body, flags | reply.OWN_TYPE, run_ns
