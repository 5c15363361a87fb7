"""Normalises and measures texts in any script."""

import json
import unicodedata
from typing import Any


def init() -> None:
    """Load nothing."""


def run(data: str) -> dict[str, Any]:
    """Describe one text."""
    text = json.loads(data)["text"]
    composed = unicodedata.normalize("NFC", text)
    return {"characters": len(text), "composed": composed,
            "upper": composed.upper(), "categories": sorted(
                {unicodedata.category(char) for char in text})}
