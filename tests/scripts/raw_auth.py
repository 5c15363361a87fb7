"""Checks a token and the content type before it scores."""

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Answer 401, 405, 415, 422 or the sum."""
    if request.method != "POST":
        return AMLResponse("POST only", 405, {"Allow": "POST"})
    if request.headers.get("Authorization") != "Bearer secret":
        return AMLResponse({"error": "who are you?"}, 401,
                           {"WWW-Authenticate": 'Bearer realm="score"'},
                           json_str=True)
    if not request.is_json:
        return AMLResponse("JSON only", 415)
    numbers = request.get_json(silent=True)
    if not isinstance(numbers, list):
        return AMLResponse({"error": "a list, please"}, 422, json_str=True)
    return AMLResponse({"sum": sum(numbers)}, 200, {"X-Count":
                       str(len(numbers))}, json_str=True)
