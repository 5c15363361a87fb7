"""Turns every failure into a normal answer, as much sample code does."""

import json
from typing import Any


def init() -> None:
    """Load nothing."""


def run(raw_data: str) -> Any:
    """Give the text of the exception in place of a result."""
    try:
        data = json.loads(raw_data)["data"]
        return json.dumps({"result": [max(row) for row in data]})
    except Exception as error:
        return str(error)
