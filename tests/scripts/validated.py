"""Checks its input and answers 400 itself."""

import json
from typing import Any

from azureml_inference_server_http.api.aml_response import AMLResponse

FIELDS = {"age": int, "name": str}


def init() -> None:
    """Load nothing."""


def refuse(text: str) -> AMLResponse:
    """Make an answer for a client's mistake."""
    return AMLResponse({"error": text}, 400, json_str=True)


def run(data: str) -> Any:
    """Answer a plain value when all is well, else an AMLResponse."""
    try:
        record = json.loads(data)
    except json.JSONDecodeError:
        return refuse("not JSON")
    for name, kind in FIELDS.items():
        if not isinstance(record.get(name), kind):
            return refuse(f"{name} must be {kind.__name__}")
    return {"ok": record["name"], "group": record["age"] // 10 * 10}
