"""Takes over the root logger with ``basicConfig(force=True)``."""

import logging
import sys


def init() -> None:
    """Replace whatever handlers the root logger had."""
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, force=True,
                        format="ROOT %(levelname)s %(message)s")


def run(data: str) -> str:
    """Log through the root logger and print."""
    logging.info("info %s", data)
    logging.debug("debug %s", data)
    print("printed", data)
    return data
