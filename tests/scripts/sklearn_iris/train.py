"""Trains a small classifier on the iris data that scikit-learn ships, and stores it.

    python train.py FOLDER        writes FOLDER/iris.joblib
"""

import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def main(folder: str) -> None:
    iris = load_iris()
    model = LogisticRegression(max_iter=1000).fit(iris.data, iris.target)
    Path(folder).mkdir(parents=True, exist_ok=True)
    joblib.dump((model, list(iris.target_names)), Path(folder) / "iris.joblib")
    print(f"trained on {len(iris.data)} flowers: {model.score(iris.data, iris.target):.0%} right")


if __name__ == "__main__":
    main(sys.argv[1])
