"""Tells all that the raw request object says of itself."""

from typing import Any, Callable

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse

VIEWS: dict[str, Callable[[Any], Any]] = {
    "method": lambda r: r.method,
    "path": lambda r: r.path,
    "full_path": lambda r: r.full_path,
    "url": lambda r: r.url,
    "base_url": lambda r: r.base_url,
    "root_url": lambda r: r.root_url,
    "host": lambda r: r.host,
    "host_url": lambda r: r.host_url,
    "scheme": lambda r: r.scheme,
    "is_secure": lambda r: r.is_secure,
    "query_string": lambda r: repr(r.query_string),
    "args": lambda r: r.args.to_dict(flat=False),
    "headers": lambda r: [list(pair) for pair in r.headers],
    "data": lambda r: repr(r.data),
    "get_data": lambda r: r.get_data(as_text=True),
    "get_data twice": lambda r: [r.get_data(cache=False, as_text=True),
                                 r.get_data(as_text=True)],
    "stream": lambda r: repr(r.stream.read()),
    "stream by lines": lambda r: [repr(line) for line in r.stream],
    "json": lambda r: r.json,
    "get_json": lambda r: r.get_json(),
    "get_json force": lambda r: r.get_json(force=True),
    "get_json silent": lambda r: r.get_json(silent=True),
    "is_json": lambda r: r.is_json,
    "form": lambda r: r.form.to_dict(flat=False),
    "data after form": lambda r: [len(r.form), repr(r.data)],
    "values": lambda r: r.values.to_dict(flat=False),
    "files": lambda r: {name: [[f.filename, f.content_type, f.read().decode()]
                               for f in r.files.getlist(name)]
                        for name in r.files},
    "cookies": lambda r: dict(r.cookies),
    "authorization": lambda r: r.authorization and [
        r.authorization.type, r.authorization.username,
        r.authorization.password, r.authorization.token],
    "content_type": lambda r: r.content_type,
    "content_length": lambda r: r.content_length,
    "content_encoding": lambda r: r.content_encoding,
    "mimetype": lambda r: [r.mimetype, dict(r.mimetype_params)],
    "remote_addr": lambda r: r.remote_addr,
    "remote_user": lambda r: r.remote_user,
    "access_route": lambda r: list(r.access_route),
    "user_agent": lambda r: r.user_agent.string,
    "referrer": lambda r: r.referrer,
    "endpoint": lambda r: r.endpoint,
    "blueprint": lambda r: r.blueprint,
    "view_args": lambda r: r.view_args,
    "url_rule": lambda r: str(r.url_rule),
    "accept": lambda r: [str(r.accept_mimetypes), r.accept_mimetypes.best],
    "accept_languages": lambda r: list(r.accept_languages),
    "if_none_match": lambda r: str(r.if_none_match),
    "date": lambda r: str(r.date),
    "range": lambda r: str(r.range),
    "max_content_length": lambda r: r.max_content_length,
    "max_form_memory_size": lambda r: r.max_form_memory_size,
    "type": lambda r: type(r).__name__,
    "class": lambda r: r.__class__.__mro__[1].__name__,
    "isinstance": lambda r: isinstance(r, AMLRequest),
    "trace_id": lambda r: r.trace_id,
    "header missing": lambda r: r.headers["X-None"],
    "arg missing": lambda r: r.args["none"],
    "arg typed": lambda r: r.args.get("n", default=-1, type=int),
    "header any case": lambda r: r.headers["x-tEnAnT"],
    "environ": lambda r: {name: r.environ[name] for name in (
        "REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SCRIPT_NAME",
        "SERVER_PROTOCOL", "SERVER_NAME", "REMOTE_ADDR", "wsgi.url_scheme",
        "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once")},
    "environ version": lambda r: list(r.environ["wsgi.version"]),
    "environ headers": lambda r: {
        name: value for name, value in sorted(r.environ.items())
        if name.startswith("HTTP_X_")},
    "raw uri": lambda r: r.environ["RAW_URI"],
    "server port": lambda r: type(r.environ["SERVER_PORT"]).__name__,
}


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Show the view that the header X-View names."""
    view = VIEWS[request.headers["X-View"]]
    return AMLResponse(view(request), 200, json_str=True)
