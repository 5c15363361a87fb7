"""mosec with one worker process, batches of one, on the arguments given."""

import json
from typing import Any

import script
from mosec import Server, Worker


class Score(Worker):
    """Runs the script; mosec's own (de)serialisation is JSON as well."""

    def __init__(self) -> None:
        super().__init__()
        self.run = script.load().run

    def deserialize(self, data: bytes) -> str:
        """The script parses the text itself."""
        return data.decode()

    def forward(self, data: str) -> Any:
        """One request, one call."""
        return self.run(data)

    def serialize(self, data: Any) -> bytes:
        """What mosec does by default."""
        return json.dumps(data).encode()


if __name__ == "__main__":
    server = Server()
    server.append_worker(Score, num=1, route="/score")
    server.run()
