"""Takes an image as base64 in JSON and measures it."""

import base64
import io
import json
from typing import Any

from PIL import Image


def init() -> None:
    """Load nothing."""


def run(data: str) -> dict[str, Any]:
    """Give size and mean colour of the image."""
    raw = base64.b64decode(json.loads(data)["image"])
    image = Image.open(io.BytesIO(raw)).convert("RGB")
    pixels = image.tobytes()
    count = len(pixels) // 3
    mean = [sum(pixels[channel::3]) / count for channel in range(3)]
    return {"width": image.width, "height": image.height, "mean": mean}
