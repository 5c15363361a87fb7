"""Defines coroutines where functions are expected."""


async def init() -> None:
    """Never awaited."""
    print("never printed")


async def run(data: str) -> str:
    """Never awaited, either."""
    return data
