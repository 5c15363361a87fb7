"""Warns at import, at init and at each call."""

import warnings

warnings.warn("old module", DeprecationWarning, stacklevel=1)


def init() -> None:
    """Warn of an old model."""
    warnings.warn("old model", UserWarning, stacklevel=1)


def run(data: str) -> str:
    """Warn once for each place and text."""
    warnings.warn(f"old data {data}", UserWarning, stacklevel=1)
    warnings.warn("old call", RuntimeWarning, stacklevel=1)
    return data
