"""Scores a batch record by record, each failing on its own."""

import json
from typing import Any


def init() -> None:
    """Load nothing."""


def score(record: dict[str, Any]) -> float:
    """Score one record."""
    return float(record["amount"]) / float(record["income"])


def run(mini_batch: str) -> list[dict[str, Any]]:
    """Give a score or an error for each record."""
    results: list[dict[str, Any]] = []
    for number, record in enumerate(json.loads(mini_batch)):
        try:
            results.append({"id": number, "score": score(record)})
        except (KeyError, ValueError, ZeroDivisionError, TypeError) as error:
            print(f"record {number}: {error!r}")
            results.append({"id": number, "error": str(error)})
    return results
