"""Serves a scikit-learn classifier, fitted at start on data it ships."""

import json
from typing import Any

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

model: Any = None
names: list[str] = []


def init() -> None:
    """Fit the pipeline."""
    global model, names
    iris = load_iris()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    model.fit(iris.data, iris.target)
    names = [str(name) for name in iris.target_names]
    print("fitted on", len(iris.target), "rows")


def run(raw_data: str) -> dict[str, Any]:
    """Classify rows of four measures."""
    rows = np.array(json.loads(raw_data)["data"])
    classes = model.predict(rows)
    sure = model.predict_proba(rows).max(axis=1)
    return {"classes": [names[number] for number in classes],
            "sure": [round(float(value), 2) for value in sure]}
