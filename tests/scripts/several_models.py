"""Holds several models and picks one by the request."""

import glob
import json
import os
from typing import Any

models: dict[str, Any] = {}


def init() -> None:
    """Load all models under the model folder, by name and version."""
    root = os.environ["AZUREML_MODEL_DIR"]
    for path in sorted(glob.glob(os.path.join(root, "*", "*", "*.json"))):
        name, version = path.split(os.sep)[-3:-1]
        with open(path, encoding="utf-8") as file:
            models[f"{name}:{version}"] = json.load(file)
    print("models:", ", ".join(sorted(models)))


def run(data: str) -> dict[str, Any]:
    """Score with the model that the request names."""
    request = json.loads(data)
    name = request.get("model", "rent:2")
    if name not in models:
        raise KeyError(f"no model {name}")
    model = models[name]
    return {"model": name, "price": model["base"] + model["slope"]
            * float(request["size"])}
