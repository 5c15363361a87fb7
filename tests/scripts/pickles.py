"""Pickles and copies objects of its own classes."""

import copy
import pickle
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Model:
    """A model of the script's own class."""

    weights: list[float] = field(default_factory=lambda: [1.0])


def init() -> None:
    """Load nothing."""


def run(data: str) -> Any:
    """Copy a model, or pickle it, which needs its module to be findable."""
    model = copy.deepcopy(Model([2.0]))
    if data == "copy":
        return model.weights
    if data == "module":
        return Model.__module__
    clone: Model = pickle.loads(pickle.dumps(model))
    return clone.weights
