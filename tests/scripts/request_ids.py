"""Finds the request's identity in its headers, to log it."""

import logging
from typing import Any

logger = logging.getLogger("azmlinfsrv.user")


def init() -> None:
    """Load nothing."""


def run(data: str, request_headers: dict[str, str]) -> dict[str, Any]:
    """Answer with what the client called itself."""
    client = request_headers.get("X-Ms-Client-Request-Id", "none")
    logger.info("scoring for %s", client)
    return {"client": client, "trace": request_headers.get("Traceid")}
