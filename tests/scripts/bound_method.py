"""Serves the method of an object made at import."""

import json


class Predictor:
    """A model behind an interface."""

    weights: list[float]

    def setup(self) -> None:
        """Load the weights."""
        self.weights = [0.5, 1.5]

    def predict(self, data: str) -> float:
        """Give the weighted sum."""
        return sum(w * x for w, x in zip(self.weights, json.loads(data)))


predictor = Predictor()
init = predictor.setup
run = predictor.predict
