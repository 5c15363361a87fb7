"""mosec with one worker and its own batching, on the arguments given.

A batch waits for company for 1 ms.
"""

import json
from time import perf_counter

import device
import numpy as np
from mosec import Server, Worker


class Model(Worker):
    """Rows of many requests in one call of the device."""

    def __init__(self) -> None:
        super().__init__()
        device.init()

    def deserialize(self, data: bytes) -> list[float]:
        """The one row of a request."""
        return json.loads(data)["x"][0]

    def forward(self, data: list[list[float]]) -> list[float]:
        """A batch."""
        begun = perf_counter()
        y = np.array(data, dtype="float32").sum(axis=1)
        device.wait(begun, len(data))
        return y.tolist()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Model, num=1, max_batch_size=64, max_wait_time=1, route="/score")
    server.run()
