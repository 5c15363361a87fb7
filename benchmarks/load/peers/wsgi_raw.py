"""WSGI without a framework, for FastPySGI."""

import json
from collections.abc import Callable
from typing import Any

import script

run = script.load().run
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def app(environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
    """Answers `/` at once, and anything else with what run() returns."""
    if environ["PATH_INFO"] == "/":
        answer = b"Healthy"
    else:
        answer = json.dumps(run(environ["wsgi.input"].read().decode())).encode()
    start_response(
        "200 OK",
        [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))],
    )
    return [answer]
