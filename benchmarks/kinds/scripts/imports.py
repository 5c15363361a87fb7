"""What nearly every script imports, and nothing else."""

import json
import logging
import re

WORD = re.compile(r"\w+")
log = logging.getLogger(__name__)


def init() -> None:
    """Nothing to load."""


def run(data: str) -> int:
    """Counts the words of a JSON text."""
    return len(WORD.findall(json.dumps(json.loads(data))))
