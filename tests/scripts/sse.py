"""Streams server-sent events, as chat models do."""

import json
from collections.abc import Iterator

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init() -> None:
    """Load nothing."""


def events(words: list[str]) -> Iterator[str]:
    """Give one event for each word, then the end."""
    for number, word in enumerate(words):
        yield f"id: {number}\ndata: {json.dumps({'token': word})}\n\n"
    yield "data: [DONE]\n\n"


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Stream the words of the prompt, headers set after construction."""
    prompt = request.get_json()["prompt"]
    response = AMLResponse(events(prompt.split()), 200)
    response.headers["Content-Type"] = "text/event-stream"
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    return response
