"""Stands in a source folder, given by AZUREML_SOURCE_DIRECTORY."""

import json
from typing import Any

from features.text import tokens


def init() -> None:
    """Load nothing."""
    print("initialised from the source folder")


def run(data: str) -> Any:
    """Count the tokens of a text."""
    return {"tokens": tokens(json.loads(data)["text"])}
