"""Answers each method in its own way, as the documentation shows."""

from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse


def init() -> None:
    """Print, as the documentation does."""
    print("This is init()")


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Answer GET with the path, POST with the body turned round."""
    print(f"Request: [{request}]")
    if request.method == "GET":
        return AMLResponse(request.full_path, 200)
    if request.method == "POST":
        body = request.get_data(False)
        return AMLResponse(body[::-1], 200,
                           {"Content-Type": "application/octet-stream"})
    if request.method == "OPTIONS":
        return AMLResponse("", 204, {"Allow": "GET, POST"})
    if request.method == "HEAD":
        return AMLResponse("ignored body", 200, {"X-Head": "yes"})
    return AMLResponse("bad request", 500)
