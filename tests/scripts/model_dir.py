"""Loads its model from AZUREML_MODEL_DIR."""

import json
import os
from typing import Any

model: Any = None


def init() -> None:
    """Read the one file of the model."""
    global model
    path = os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.json")
    with open(path, encoding="utf-8") as file:
        model = json.load(file)
    print("loaded", os.path.basename(path))


def run(data: str) -> dict[str, Any]:
    """Score with the coefficients of the file."""
    x = json.loads(data)["x"]
    return {"y": model["slope"] * x + model["intercept"]}
