"""Takes a while to load."""

import time


def init() -> None:
    """Pretend to load a large model."""
    print("loading")
    time.sleep(0.6)
    print("loaded")


def run(data: str) -> str:
    """Answer at once."""
    return "quick"
