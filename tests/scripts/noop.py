"""The least a scoring script can be."""


def init() -> None:
    """Load nothing."""


def run(data: str) -> None:
    """Answer nothing."""
