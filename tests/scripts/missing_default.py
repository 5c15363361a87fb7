"""Has a second parameter without a default, which no host can fill."""


def init() -> None:
    """Load nothing."""


def run(data: str, threshold: float) -> dict[str, object]:
    """Never reached."""
    return {"data": data, "threshold": threshold}
