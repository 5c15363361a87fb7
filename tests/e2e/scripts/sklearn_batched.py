"""Classifiers of scikit-learn: a forest, whose answers do not hang on how many rows there are."""

import os

import numpy as np
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import scorehost


def init():
    global forest, line
    flowers = load_iris()
    forest = RandomForestClassifier(20, random_state=1).fit(flowers.data, flowers.target)
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    line.fit(flowers.data, flowers.target)


@scorehost.batch(max_batch_size=32)
@scorehost.tensor(
    inputs={"x": ("FP64", [-1, 4])},
    outputs={
        "label": ("INT64", [-1]),
        "forest": ("FP64", [-1, 3], ["setosa", "versicolor", "virginica"]),
        "line": ("FP64", [-1, 3]),
        "where": ("INT64", [-1]),
    },
)
def run(x):
    return {
        "label": forest.predict(x),
        "forest": forest.predict_proba(x),
        "line": line.predict_proba(x),
        "where": np.full(len(x), os.getpid()),
    }
