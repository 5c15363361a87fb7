"""A scoring script as Azure ML knows it: which iris is it?

In:  {"data": [[sepal length, sepal width, petal length, petal width], ...]} in cm
Out: {"species": ["setosa", ...], "probability": [0.98, ...]}
"""

import json
import os

import joblib

model = None
names = []


def init():
    global model, names
    model, names = joblib.load(os.path.join(os.environ["AZUREML_MODEL_DIR"], "iris.joblib"))


def run(raw_data):
    probabilities = model.predict_proba(json.loads(raw_data)["data"])
    return {
        "species": [str(names[i]) for i in probabilities.argmax(axis=1)],
        "probability": [round(float(p), 4) for p in probabilities.max(axis=1)],
    }
