"""A classifier of scikit-learn whose requests are batched."""

import scorehost
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

MODEL = LogisticRegression(max_iter=500)


def init():
    flowers = load_iris()
    MODEL.fit(flowers.data, flowers.target)


@scorehost.batch(max_batch_size=32)
@scorehost.tensor(
    inputs={"x": ("FP64", [-1, 4])},
    outputs={"label": ("INT64", [-1]), "chance": ("FP64", [-1, 3])},
)
def run(x):
    return {"label": MODEL.predict(x), "chance": MODEL.predict_proba(x)}
