"""Uses @rawhttp on a helper, not on `run`."""

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp


def init() -> None:
    """Load nothing."""


@rawhttp
def helper(request: AMLRequest) -> str:
    """Never called by the host."""
    return str(request.method)


def run(data: object) -> str:
    """Tell what it was given."""
    return type(data).__name__
