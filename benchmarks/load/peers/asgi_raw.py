"""uvicorn without a framework: the least that an ASGI application can do."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import script

run = script.load().run
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def _body(receive: Receive) -> bytes:
    """The whole body; one message when it is small."""
    message = await receive()
    if not message.get("more_body"):
        return message.get("body", b"")
    parts = [message["body"]]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answers `/` at once, and anything else with what run() returns."""
    if scope["type"] != "http":
        return
    if scope["path"] == "/":
        answer = b"Healthy"
    else:
        answer = json.dumps(run((await _body(receive)).decode())).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
