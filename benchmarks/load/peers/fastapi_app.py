"""FastAPI as its tutorial writes it: a model for the body, a dict back.

Where the body has no shape (no-op, large), it is read as it is.
"""

from typing import Any

import script
from fastapi import FastAPI, Request
from pydantic import BaseModel

module = script.load()
app = FastAPI()


class Rows(BaseModel):
    """The body of a scoring request."""

    data: list[list[float]]


@app.get("/")
async def health() -> str:
    """The probe."""
    return "Healthy"


async def score_rows(rows: Rows) -> dict[str, list[float]]:
    """The road of JSON and of scikit-learn."""
    result: dict[str, list[float]] = module.answer(rows.data)
    return result


async def score_bytes(request: Request) -> Any:
    """The road of a body without a shape."""
    return module.run((await request.body()).decode())


if hasattr(module, "answer"):
    app.post("/score")(score_rows)
else:
    app.post("/score")(score_bytes)
