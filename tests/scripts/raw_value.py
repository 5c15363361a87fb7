"""Is raw, but returns plain values."""

from typing import Any

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest, request_headers: dict[str, str]) -> Any:
    """Give a value of the kind that the query names."""
    kind = request.args.get("kind", "none")
    return {"none": None, "str": "text", "dict": {"a": 1}, "int": 5,
            "bytes": b"abc", "headers": request_headers.get("X-Tenant"),
            "generator": (str(n) for n in range(3))}[kind]
