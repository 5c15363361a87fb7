"""A script whose work is JSON in and JSON out: the sum of each row."""

import json

Rows = list[list[float]]


def init() -> None:
    """Nothing to load."""


def answer(rows: Rows) -> dict[str, list[float]]:
    """The sum of each row."""
    return {"result": [sum(row) for row in rows]}


def run(data: str) -> dict[str, list[float]]:
    """Reads the rows; the server writes the answer with json.dumps."""
    return answer(json.loads(data)["data"])
