"""The documents that describe a script: valid by a validator of OpenAPI, and as the server is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV2SpecValidator, OpenAPIV30SpecValidator

from .conftest import Make
from .host import Host

pytestmark = pytest.mark.kinds("process", "thread", why="NumPy does not load in interpreters")

MODELS = ("v2_rows", "v2_types", "tensor_affine", "numpy_schema", "tensors", "batches")
ODD = json.dumps({"a": ["FP32", []], "b": ["BYTES", [0]], "c": ["BOOL", [-1] * 32]})


@pytest.fixture(scope="module", params=(*MODELS, "echo_tensors"))
def server(module_host: Make, request: pytest.FixtureRequest) -> Host:
    host = module_host(f"{request.param}.py", env={"TENSORS": ODD})
    host.model = request.param  # type: ignore[attr-defined]
    return host


def model_of(server: Host) -> str:
    return str(server.model)  # type: ignore[attr-defined]


def test_the_models_document_is_openapi(server: Host) -> None:
    path = f"/v2/models/{model_of(server)}"
    document = server.ask("GET", f"{path}/openapi.json").json
    assert document["openapi"].startswith("3.0.")
    OpenAPIV30SpecValidator(document).validate()
    assert document["info"]["title"] == model_of(server)
    for found, operations in document["paths"].items():
        for method in operations:
            body = b"{}" if method == "post" else None
            response = server.ask(method.upper(), found, body)
            expected = (200,) if method == "get" else (400,)
            assert response.status in expected, (method, found, response.body)


def test_what_it_says_of_tensors_is_what_the_model_says(server: Host) -> None:
    path = f"/v2/models/{model_of(server)}"
    document = server.ask("GET", f"{path}/openapi.json").json
    told = server.ask("GET", path).json
    schemas = document["components"]["schemas"]
    inputs = schemas["InferRequest"]["properties"]["inputs"]
    assert inputs["minItems"] == inputs["maxItems"] == len(told["inputs"])
    for declared, schema in zip(told["inputs"], inputs["items"]["oneOf"]):
        about = schema["properties"]
        assert about["name"]["enum"] == [declared["name"]]
        assert about["datatype"]["enum"] == [declared["datatype"]]
        assert about["shape"]["minItems"] == about["shape"]["maxItems"] == len(declared["shape"])


@pytest.mark.parametrize(
    ("version", "validator"), [("2", OpenAPIV2SpecValidator), ("3", OpenAPIV30SpecValidator)]
)
def test_the_swagger_documents_are_valid(server: Host, version: str, validator: Any) -> None:
    document = server.ask("GET", f"/swagger.json?version={version}").json
    validator(document).validate()
