"""Drives another script: its `init` is used, and the other's `run`."""

import inner_score as driver_module

driver_name = "driver"


def init() -> None:
    """Prepare the inner script."""
    driver_module.init()
    print("driver is ready")


def run(data: str) -> str:
    """Never called: the inner script's is."""
    return driver_name
