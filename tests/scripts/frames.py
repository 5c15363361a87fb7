"""Works on a pandas DataFrame made from the body by hand."""

import json
from typing import Any

import pandas as pd


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Group the rows and give totals, or one of pandas' own values."""
    request = json.loads(data)
    frame = pd.DataFrame(request["rows"])
    print("columns:", list(frame.columns))
    kind = request.get("return", "dict")
    totals = frame.groupby("shop", sort=True)["amount"].sum()
    if kind == "frame":
        return frame
    if kind == "series":
        return totals
    if kind == "json":
        return totals.to_json()
    if kind == "scalar":
        return totals.max()
    if kind == "records":
        return frame.assign(double=frame["amount"] * 2).to_dict("records")
    return {str(shop): float(total) for shop, total in totals.items()}
