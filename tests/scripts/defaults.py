"""Has a second parameter, with a default."""


def init() -> None:
    """Load nothing."""


def run(data: str, threshold: float = 0.5) -> dict[str, object]:
    """Give back both."""
    return {"data": data, "threshold": threshold}
