"""Takes as long as the request says, in several ways."""

import json
import time
from typing import Any


def init() -> None:
    """Load nothing."""


def busy(seconds: float) -> int:
    """Count until the time is over."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        count += 1
    return count


def run(data: str) -> Any:
    """Sleep or compute; optionally swallow whatever is raised meanwhile."""
    request = json.loads(data)
    wait = busy if request.get("busy") else time.sleep
    try:
        wait(request["seconds"])
    except ValueError:
        return "bad number"
    except Exception as error:
        if not request.get("swallow"):
            raise
        return f"swallowed {type(error).__name__}"
    finally:
        print("finally")
    return "done"
