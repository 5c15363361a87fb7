"""Uses Flask directly: request, g, responses of all kinds."""

import io
from typing import Any, Callable

import flask
import werkzeug


def streamed() -> flask.Response:
    """Stream with the request still at hand."""
    def parts() -> Any:
        yield "path "
        yield flask.request.path
    return flask.Response(flask.stream_with_context(parts()))


KINDS: dict[str, Callable[[], Any]] = {
    "make_response": lambda: flask.make_response("made", 201),
    "response": lambda: flask.Response("body", 200, {"X-A": "b"}),
    "response 500": lambda: flask.Response("body", 500),
    "response type": lambda: flask.Response("a,b", mimetype="text/csv"),
    "jsonify": lambda: flask.jsonify(b=2, a=[1, "ż"]),
    "redirect": lambda: flask.redirect("/elsewhere"),
    "send_file": lambda: flask.send_file(
        io.BytesIO(b"col\n1\n"), mimetype="text/csv", as_attachment=True,
        download_name="table.csv"),
    "werkzeug": lambda: werkzeug.Response("w"),
    "tuple": lambda: ("body", 202),
    "response tuple": lambda: (flask.Response("r"), 202),
    "abort 404": lambda: flask.abort(404),
    "abort 400 text": lambda: flask.abort(400, "my text"),
    "abort response": lambda: flask.abort(flask.Response("mine", 403)),
    "exception": lambda: werkzeug.exceptions.Conflict("clash"),
    "request": lambda: [flask.request.method, flask.request.path,
                        flask.request.headers.get("X-Tenant")],
    "request args": lambda: flask.request.args.to_dict(),
    "request data": lambda: flask.request.get_data(as_text=True),
    "request json": lambda: flask.request.get_json(force=True, silent=True),
    "g": lambda: [len(flask.g.request_id), flask.g.client_request_id],
    "has context": lambda: [flask.has_request_context(),
                            flask.has_app_context()],
    "app": lambda: type(flask.current_app._get_current_object()).__name__,
    "url_for": lambda: flask.url_for("main.handle_score"),
    "after request": lambda: flask.after_this_request(
        lambda r: (r.headers.set("X-After", "1"), r)[1]) and "hooked",
    "stream": streamed,
}


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Answer in the way that the body names."""
    return KINDS[data]()
