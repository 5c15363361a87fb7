"""Takes uploaded images from a form and describes each."""

import io

from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml.contrib.services.aml_response import AMLResponse
from PIL import Image


def init() -> None:
    """Load nothing."""


@rawhttp
def run(request: AMLRequest) -> AMLResponse:
    """Describe the files of the field `image`."""
    found = []
    for upload in request.files.getlist("image"):
        image = Image.open(io.BytesIO(upload.read()))
        mean = sum(image.convert("L").tobytes()) / (image.width * image.height)
        found.append({"name": upload.filename, "size": list(image.size),
                      "mean": mean})
    return AMLResponse({"images": found, "note": request.form.get("note")},
                       200, json_str=True)
