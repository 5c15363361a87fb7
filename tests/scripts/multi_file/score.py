"""Is one of several files, with a package beside it and a data file."""

import json
from typing import Any

import helpers
from shop import pricing
from shop.discounts import discount

labels: list[str] = []


def init() -> None:
    """Read a file by a path relative to the working directory."""
    with open("data/labels.txt", encoding="utf-8") as file:
        labels.extend(file.read().split())
    helpers.note("labels", len(labels))


def run(data: str) -> dict[str, Any]:
    """Price an order."""
    order = json.loads(data)
    total = pricing.total(order["items"]) * (1 - discount(order["customer"]))
    return {"total": round(total, 2), "label": labels[order["label"]]}
