"""Takes an image in the body and gives back a thumbnail of it as PNG."""

import io

from azureml_inference_server_http.api.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
from PIL import Image, UnidentifiedImageError


def init() -> None:
    """Load the image plugins once."""
    Image.init()


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Resize to the size in the query; refuse what is no image."""
    size = request.args.get("size", 8, type=int)
    try:
        image = Image.open(io.BytesIO(request.get_data()))
        image.load()
    except UnidentifiedImageError:
        return AMLResponse("not an image", 400)
    print(f"{image.format} {image.width}x{image.height} {image.mode}")
    image.thumbnail((size, size))
    out = io.BytesIO()
    image.convert("RGB").save(out, "PNG", compress_level=0)
    return AMLResponse(out.getvalue(), 200, {"Content-Type": "image/png"})
