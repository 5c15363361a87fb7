"""Sets up logging of its own, to stdout, as much sample code does."""

import logging
import sys

logger = logging.getLogger(__name__)


def init() -> None:
    """Send this module's records to stdout at level DEBUG."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.info("model ready")


def run(data: str) -> int:
    """Log at each level, with arguments and with an exception."""
    logger.debug("body of %d characters", len(data))
    logger.warning("careful with %r", data)
    try:
        return int(data)
    except ValueError:
        logger.exception("not a number")
        return -1
