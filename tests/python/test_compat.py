"""The names that scripts import, and what they offer."""

from __future__ import annotations

import inspect
import logging
import sys
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules, as a user's own unit test would import them."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    for name in [name for name in sys.modules if name.startswith("azureml")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "scorehost.compat", raising=False)
    import scorehost.compat  # noqa: F401

    yield sys.modules
    for name in [name for name in sys.modules if name.startswith("azureml")]:
        del sys.modules[name]


def test_the_package(api: dict[str, ModuleType]) -> None:
    import azureml_inference_server_http as server

    assert server.__version__ == "1.5.1"
    assert server._HAS_DEBUGPY_SUPPORT is True


def test_rawhttp_returns_the_function(api: dict[str, ModuleType]) -> None:
    from azureml.contrib.services import aml_request
    from azureml_inference_server_http.api.aml_request import rawhttp

    assert aml_request._rawHttpRequested is False

    def run(request: Any) -> None: ...

    assert rawhttp(run) is run
    assert aml_request._rawHttpRequested is True


def test_aml_request_is_for_annotations(api: dict[str, ModuleType]) -> None:
    import flask
    from azureml.contrib.services.aml_request import AMLRequest

    assert issubclass(AMLRequest, flask.Request)
    with pytest.raises(TypeError):
        AMLRequest()
    with pytest.raises(TypeError):
        AMLRequest({})
    with flask.Flask("x").test_request_context("/"):
        assert not isinstance(flask.request, AMLRequest)


def test_aml_response(api: dict[str, ModuleType]) -> None:
    import flask
    from azureml.contrib.services.aml_response import AMLResponse

    assert issubclass(AMLResponse, flask.Response)
    names = ["message", "status_code", "response_headers", "json_str", "run_function_failed"]
    assert list(inspect.signature(AMLResponse).parameters) == names
    assert AMLResponse.default_mimetype == "text/html"
    response = AMLResponse(message="x", status_code=201)
    assert (response.data, response.status_code, response.mimetype) == (b"x", 201, "text/html")
    assert response.headers["x-ms-run-function-failed"] == "False"
    assert AMLResponse("x", 200, run_function_failed=True).headers[
        "x-ms-run-function-failed"
    ] == "True"


def test_log_config(api: dict[str, ModuleType]) -> None:
    from azureml_inference_server_http import log_config

    formatter = log_config.AMLLogFormatter("%(asctime)s %(message)s", None, "%")
    record = logging.makeLogRecord({"created": 0.0, "msecs": 5.0, "msg": "x"})
    assert formatter.format(record) == "1970-01-01 00:00:00,005 x"
    assert isinstance(log_config.RootAccessFilter(), logging.Filter)
