"""Keeps a background thread that does the work, fed by a queue."""

import queue
import threading
from typing import Any

Job = tuple[str, "queue.Queue[str]"]

jobs: "queue.Queue[Job]" = queue.Queue()


def work() -> None:
    """Serve the queue for ever."""
    while True:
        text, answer = jobs.get()
        print("worker thread has", text)
        answer.put(text.upper())


def init() -> None:
    """Start the thread."""
    threading.Thread(target=work, name="model", daemon=True).start()


def run(data: str) -> dict[str, Any]:
    """Hand the work over and wait for its result."""
    answer: "queue.Queue[str]" = queue.Queue()
    jobs.put((data, answer))
    names = sorted(t.name for t in threading.enumerate() if t.name == "model")
    return {"result": answer.get(timeout=5), "threads": names}
