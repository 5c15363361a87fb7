"""Waiting for a debugger before the script is loaded (AZUREML_DEBUG_PORT)."""

from __future__ import annotations

import sys


def _say(text: str) -> None:
    """Writes a bare line: these stand before any log format is known."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def attach(port: int) -> None:
    """Connects to a debug adapter on this machine and waits for its client.

    SystemExit(3), the code of a failed boot, when debugpy is not installed: a
    worker started anew would not have it either.
    """
    _say("!! Starting the inference server in DEBUGGING mode because AZUREML_DEBUG_PORT is set.")
    _say("!! This environment variable should not be set in a production environment.")
    try:
        import debugpy  # type: ignore[import-not-found,unused-ignore]
    except ModuleNotFoundError as error:
        if error.name != "debugpy":
            raise
        _say("** Cannot connect to a debugger because debugpy is not installed.")
        raise SystemExit(3) from None
    _say(f"** Connecting to debugger at port {port}...")
    debugpy.connect(("127.0.0.1", port))
    debugpy.wait_for_client()
