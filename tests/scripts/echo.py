"""Gives back what it was sent."""


def init() -> None:
    """Load nothing."""


def run(data: str) -> dict[str, str]:
    """Wrap the body, as text, in a JSON object."""
    return {"got": data}
