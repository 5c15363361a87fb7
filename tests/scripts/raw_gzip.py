"""Unpacks compressed bodies and compresses its answers."""

import gzip
import json

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Sum a list that may come gzipped; answer gzipped if that is wanted."""
    body = request.get_data()
    if request.content_encoding == "gzip":
        body = gzip.decompress(body)
    answer = json.dumps({"sum": sum(json.loads(body))}).encode()
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return AMLResponse(gzip.compress(answer, mtime=0), 200, {
            "Content-Type": "application/json", "Content-Encoding": "gzip"})
    return AMLResponse(answer, 200, {"Content-Type": "application/json"})
