"""Is driven by another script."""

ready = False


def init() -> None:
    """Called by the driver."""
    global ready
    ready = True


def run(payload: str, request_headers: dict[str, str]) -> list[object]:
    """Called by the host."""
    return ["inner", ready, payload, request_headers.get("X-Who")]
