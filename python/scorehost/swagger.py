"""The documents behind /swagger.json: the user's own files, or made here."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from scorehost.settings import Settings

log = logging.getLogger("azmlinfsrv.swagger")

_VERSIONS = ("2", "3", "3.1")
_FILES = {
    "2": ("swagger.json", "swagger2.json"),
    "3": ("swagger3.json",),
    "3.1": ("swagger3.1.json",),
}
# What the schema decorators call the versions.
_SCHEMA_VERSIONS = {"2": "2.0", "3": "3.0", "3.1": "3.1"}
_OPENAPI = {"3": "3.0.3", "3.1": "3.1.0"}

_HEALTH = "Simple health check endpoint to ensure the service is up at any given point."
_SCORE = "Run web service's model and get the prediction output"
_SPEC = "Get the Swagger specification."
_INPUT = "The input payload for executing the real-time machine learning service."
_HEALTHY = (
    "If service is up and running, this response will be returned with the content 'Healthy'"
)
_SCORED = (
    "The service processed the input correctly and provided a result prediction, if applicable."
)
_SPEC_GIVEN = "The Swagger specification."
_FAILED = "The service failed to execute due to an error."
_ERROR_SCHEMA = {"type": "object", "properties": {"message": {"type": "string"}}}
_BEARER = {
    "Bearer": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "description": "For example: Bearer abc123",
    }
}


def build(
    settings: Settings,
    decorated: Any | None,
    declared: tuple[dict[str, Any], dict[str, Any]] | None = None,
) -> dict[str, bytes]:
    """Returns the documents by version, those alone that are to be had.

    ``decorated`` is run() when it has schema decorators, else None;
    ``declared`` are the schemas of a script that takes tensors.
    """
    found = {version: _users(settings.app_root, version) for version in _VERSIONS}
    missing = [version for version in _VERSIONS if not found[version]]
    if missing:
        supported = _supported(decorated)
        schemas = _schemas(decorated, declared)
        for version in missing:
            if _SCHEMA_VERSIONS[version] in supported:
                found[version] = _generated(version, settings, schemas)
    _announce([version for version in _VERSIONS if found[version]])
    # A client reads them as JSON: what is not ASCII is escaped.
    return {key: json.dumps(value).encode() for key, value in found.items() if value}


def _announce(versions: list[str]) -> None:
    skipped = [version for version in _VERSIONS if version not in versions]
    if not versions:
        log.info("No swagger is prepared.")
    elif skipped:
        log.info(
            "Swaggers are prepared for versions [%s] and skipped for versions [%s].",
            ", ".join(versions),
            ", ".join(skipped),
        )
    else:
        log.info("Swaggers are prepared for the following versions: [%s].", ", ".join(versions))


def _users(app_root: str, version: str) -> Any:
    for name in _FILES[version]:
        path = os.path.join(app_root, name)
        if not os.path.isfile(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
        except (OSError, ValueError, RecursionError) as exc:
            log.error("The swagger file %s is left out, it cannot be read: %s", path, exc)
            continue
        log.info("Loaded user's swagger file for version [%s] from %s", version, path)
        if document:
            return document
    return None


def _supported(decorated: Any | None) -> Sequence[str]:
    if decorated is None:
        return tuple(_SCHEMA_VERSIONS.values())
    versions: Sequence[str] = sys.modules["inference_schema.schema_util"].get_supported_versions(
        decorated
    )
    return versions


def _schemas(decorated: Any | None, declared: tuple[Any, Any] | None) -> dict[str, Any]:
    if declared is not None:
        given, result = declared
    elif decorated is None:
        given = result = {"type": "object", "example": {}}
    else:
        util = sys.modules["inference_schema.schema_util"]
        given, result = util.get_input_schema(decorated), util.get_output_schema(decorated)
    return {"ServiceInput": given, "ServiceOutput": result, "ErrorResponse": _ERROR_SCHEMA}


def _generated(version: str, settings: Settings, schemas: dict[str, Any]) -> dict[str, Any]:
    name = settings.service_name
    info = {
        "title": name,
        "description": f"API specification for the Azure Machine Learning service {name}",
        "version": settings.service_version,
    }
    prefix = settings.service_path_prefix.strip("/")
    prefix = "/" + prefix if prefix else ""
    if version == "2":
        return _version_2(info, prefix, schemas)
    return _version_3(_OPENAPI[version], info, prefix, schemas)


def _paths(prefix: str, health: Any, score: Any, spec: Any) -> dict[str, Any]:
    return {
        f"{prefix}/": {"get": health},
        f"{prefix}/score": {"post": score},
        f"{prefix}/swagger.json": {"get": spec},
    }


def _version_2(info: dict[str, str], prefix: str, schemas: dict[str, Any]) -> dict[str, Any]:
    def refer(name: str) -> dict[str, str]:
        return {"$ref": f"#/definitions/{name}"}

    def responses(success: dict[str, Any]) -> dict[str, Any]:
        failure = {"description": _FAILED, "schema": refer("ErrorResponse")}
        return {"200": success, "default": failure}

    text = {"type": "string"}
    healthy = {
        "description": _HEALTHY,
        "schema": text,
        "examples": {"application/json": "Healthy"},
    }
    payload = {
        "name": "serviceInputPayload",
        "in": "body",
        "description": _INPUT,
        "schema": refer("ServiceInput"),
    }
    version = {"name": "version", "in": "query", "required": False, **_VERSION_SCHEMA}
    return {
        "swagger": "2.0",
        "info": info,
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": _BEARER,
        "paths": _paths(
            prefix,
            _operation("ServiceHealthCheck", _HEALTH, {"responses": responses(healthy)}),
            _operation(
                "RunMLService",
                _SCORE,
                {
                    "security": [{"Bearer": []}],
                    "parameters": [payload],
                    "responses": responses(
                        {"description": _SCORED, "schema": refer("ServiceOutput")}
                    ),
                },
            ),
            _operation(
                "GetSwaggerSpec",
                _SPEC,
                {
                    "parameters": [version],
                    "responses": responses({"description": _SPEC_GIVEN, "schema": text}),
                },
            ),
        ),
        "definitions": schemas,
    }


_VERSION_SCHEMA: dict[str, Any] = {"type": "integer", "enum": [2, 3]}


def _operation(name: str, description: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "description": description, **rest}


def _version_3(
    openapi: str, info: dict[str, str], prefix: str, schemas: dict[str, Any]
) -> dict[str, Any]:
    def content(schema: dict[str, Any], mime: str = "application/json") -> dict[str, Any]:
        return {"content": {mime: {"schema": schema}}}

    def refer(name: str) -> dict[str, Any]:
        return content({"$ref": f"#/components/schemas/{name}"})

    def responses(description: str, body: dict[str, Any]) -> dict[str, Any]:
        failure = {"description": _FAILED, **refer("ErrorResponse")}
        return {"responses": {"200": {"description": description, **body}, "default": failure}}

    healthy = content({"type": "string", "example": "Healthy"}, "text/plain")
    payload = {"requestBody": {"description": _INPUT, **refer("ServiceInput")}}
    version = {"name": "version", "in": "query", "required": False, "schema": _VERSION_SCHEMA}
    spec = responses(_SPEC_GIVEN, content({"type": "string"}, "text/plain"))
    scored = responses(_SCORED, refer("ServiceOutput"))
    return {
        "openapi": openapi,
        "info": info,
        "security": [{"Bearer": []}],
        "paths": _paths(
            prefix,
            _operation("ServiceHealthCheck", _HEALTH, responses(_HEALTHY, healthy)),
            _operation("RunMLService", _SCORE, {"security": [{"Bearer": []}], **payload, **scored}),
            _operation("GetSwaggerSpec", _SPEC, {"parameters": [version], **spec}),
        ),
        "components": {"schemas": schemas, "securitySchemes": _BEARER},
    }
