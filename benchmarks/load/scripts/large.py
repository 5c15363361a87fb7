"""A script that is given a large body and only looks at its length."""


def init() -> None:
    """Nothing to load."""


def run(data: str) -> int:
    """The length of the text: the body has arrived and was decoded."""
    return len(data)
