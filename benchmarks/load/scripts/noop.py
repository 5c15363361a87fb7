"""A script that does nothing: what is left is what the server costs."""


def init() -> None:
    """Nothing to load."""


def run(data: str) -> str:
    """Answers at once."""
    return "ok"
