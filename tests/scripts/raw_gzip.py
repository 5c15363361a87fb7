"""Unpacks gzipped bodies and packs its answers."""

import gzip
import json
import zlib

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Sum a list that may come gzipped; answer deflated if that is wanted."""
    body = request.get_data()
    if request.content_encoding == "gzip":
        body = gzip.decompress(body)
    answer = json.dumps({"sum": sum(json.loads(body))}).encode()
    if "deflate" in request.headers.get("Accept-Encoding", ""):
        # Stored, not compressed: the same bytes with every zlib.
        return AMLResponse(zlib.compress(answer, 0), 200, {
            "Content-Type": "application/json", "Content-Encoding": "deflate"})
    return AMLResponse(answer, 200, {"Content-Type": "application/json"})
