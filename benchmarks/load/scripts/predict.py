"""One row through the model of Azure ML's own first tutorial.

A ridge regression of the diabetes data, ten columns. It is fitted in init(),
on the data that scikit-learn ships, so that no pickle has to fit the version
that is installed beside each server.
"""

import json
from typing import Any

import numpy
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

Rows = list[list[float]]
model: Any = None


def init() -> None:
    """Fits the model."""
    global model
    table = load_diabetes()
    model = Ridge().fit(table.data, table.target)


def answer(rows: Rows) -> dict[str, list[float]]:
    """The model's prediction for each row."""
    return {"result": model.predict(numpy.array(rows)).tolist()}


def run(data: str) -> dict[str, list[float]]:
    """Reads the rows; the server writes the answer with json.dumps."""
    return answer(json.loads(data)["data"])
