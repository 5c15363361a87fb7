"""LitServe with one worker and its own batching, on 127.0.0.1:PORT.

What is there goes at once (batch_timeout=0).
"""

import sys
from time import perf_counter
from typing import Any

import device
import litserve
import numpy as np


class Model(litserve.LitAPI):
    """Rows of many requests in one call of the device."""

    def setup(self, device_name: str) -> None:
        """In the worker, once."""
        device.init()

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The one row of a request."""
        return np.array(request["x"][0], dtype="float32")

    def predict(self, x: Any) -> Any:
        """A batch, which LitServe has stacked."""
        begun = perf_counter()
        y = np.asarray(x).sum(axis=1)
        device.wait(begun, len(x))
        return y

    def encode_response(self, output: Any) -> dict[str, float]:
        """One row's share of it."""
        return {"y": float(output)}


if __name__ == "__main__":
    api = Model(max_batch_size=64, batch_timeout=0.0, api_path="/score")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,
    )
