"""Helps the script beside it."""


def note(what: str, value: object) -> None:
    """Print one fact."""
    print(f"{what}={value}")
