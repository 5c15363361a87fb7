"""Environment and config files, when the server starts with them."""

from __future__ import annotations

import json
from typing import Any

from ..model import Play, get, post
from .common import ECHO, simple

_SEES = '''\
import os

NAMES = ["AZUREML_ENTRY_SCRIPT", "AZUREML_MODEL_DIR", "WORKER_COUNT",
         "SERVICE_NAME", "SCORING_TIMEOUT_MS", "AML_CORS_ORIGINS",
         "AML_APP_INSIGHTS_ENABLED", "AML_APP_INSIGHTS_KEY",
         "TRANSPORT_PROTOCOL", "UNKNOWN_KEY"]


def init():
    pass


def run(data):
    root = os.environ["AML_APP_ROOT"]
    return {name: os.environ.get(name, "-").replace(root, "ROOT")
            for name in NAMES}
'''
_TITLE = get("title", "/swagger.json")
_ONE = (post("post", "x"), _TITLE)
_KEY = "11111111-2222-3333-4444-555555555555"


def _config(name: str, values: object, *, file: str = "config.json",
            flags: "tuple[str, ...]" = (), env: "dict[str, str] | None" = None,
            **more: Any) -> Play:
    text = values if isinstance(values, str) else json.dumps(values)
    return simple(f"config-{name}", _ONE, _SEES, files={file: text},
                  flags=flags, env=env or {}, **more)


PLAYS = (
    simple("no-config", _ONE, _SEES),
    _config("beside-app", {"SERVICE_NAME": "from file",
                           "SCORING_TIMEOUT_MS": 5000}),
    _config("explicit", {"SERVICE_NAME": "explicit"}, file="other.json",
            flags=("--config_file", "other.json")),
    _config("explicit-missing", {"SERVICE_NAME": "found instead"},
            flags=("--config_file", "missing.json")),
    simple("config-explicit-empty", _ONE, _SEES, files={
        "empty.json": "", "config.json": '{"SERVICE_NAME": "instead"}'},
        flags=("--config_file", "empty.json")),
    simple("config-only-one", _ONE, _SEES, files={
        "one.json": '{"SERVICE_NAME": "one"}',
        "config.json": '{"SERVICE_NAME": "two", "SERVICE_VERSION": "9"}'},
        flags=("--config_file", "one.json")),
    _config("env-wins", {"SERVICE_NAME": "file"}, env={"SERVICE_NAME": "env"}),
    _config("by-env", {"SERVICE_NAME": "by env"}, file="c.json",
            env={"AZUREML_CONFIG_FILE": "c.json"}),
    _config("empty-object", {}),
    _config("unknown-keys", {"UNKNOWN_KEY": 1, "OTHER": "x",
                             "SERVICE_NAME": "known"}),
    _config("null", {"SERVICE_NAME": None, "SCORING_TIMEOUT_MS": None}),
    _config("int-forms", {"SCORING_TIMEOUT_MS": " 1_000 "}),
    _config("int-float", {"SCORING_TIMEOUT_MS": 2000.0}),
    # True is 1: a millisecond is too little for a request that scores.
    simple("config-int-bool", (_TITLE,), files={
        "config.json": '{"SCORING_TIMEOUT_MS": true}'}),
    _config("bool-forms", {"APP_INSIGHTS_LOG_RESPONSE_ENABLED": "off"}),
    _config("lower-case-keys", {"service_name": "lower"}),
    _config("entry-inside", {"AZUREML_ENTRY_SCRIPT": "other.py",
                             "SERVICE_NAME": "e"}),
    Play("config-entry", (post("post", "x"),), files={
        "other.py": ECHO, "c.json": '{"AZUREML_ENTRY_SCRIPT": "other.py"}'},
        flags=("--config_file", "c.json")),
    Play("config-by-script", _ONE, files={
        "inner/score.py": _SEES, "inner/config.json":
        '{"SERVICE_NAME": "beside the script"}'},
        flags=("--entry_script", "inner/score.py")),
    simple("config-source-directory", (post("post", "x"),),
           "import extra\n\n\ndef init():\n    pass\n\n\n"
           "def run(data):\n    return extra.NAME\n",
           files={"src/extra.py": "NAME = 'extra'\n",
                  "config.json": '{"AZUREML_SOURCE_DIRECTORY": "src"}'}),
    _config("cors", {"AML_CORS_ORIGINS": "https://a.example"}),
    _config("model-dir", {"AZUREML_MODEL_DIR": "models"}),
    simple("env-odd-numbers", _ONE, env={"SCORING_TIMEOUT_MS": " 5_000 "}),
    simple("env-timeout-zero", _ONE, env={"SCORING_TIMEOUT_MS": "0"}),
    simple("env-log-level", _ONE, env={"AZUREML_LOG_LEVEL": "DEBUG"}),
    simple("env-debug-names", _ONE, env={"AML_DBG_MODEL_INFO": "1",
                                         "AML_DBG_RESOURCE_INFO": "1"}),
    simple("env-debug-one", _ONE, env={"AML_DBG_RESOURCE_INFO": ""}),
    simple("env-server-port", _ONE, env={"SERVER_PORT": "9"}),
    simple("env-worker-timeout", _ONE, env={"WORKER_TIMEOUT": "60"}),
    simple("env-worker-timeout-zero", _ONE, env={"WORKER_TIMEOUT": "0"}),
    simple("env-worker-count", (_TITLE,), env={"WORKER_COUNT": "1"}),
    simple("flag-worker-count", (_TITLE,), flags=("--worker_count", "+1"),
           env={"WORKER_COUNT": "x"}),
    simple("flag-rest", (post("post", "x"),), _SEES, flags=("--rest",)),
    simple("insights-off", _ONE, _SEES, env={"AML_APP_INSIGHTS_KEY": _KEY}),
    simple("insights-capital", _ONE, _SEES, env={
        "AML_APP_INSIGHTS_ENABLED": "True", "AML_APP_INSIGHTS_KEY": _KEY}),
    simple("insights-bad-key", _ONE, _SEES, env={
        "AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": "abc"}),
    simple("insights-no-key", _ONE, _SEES,
           env={"AML_APP_INSIGHTS_ENABLED": "true"}),
    simple("insights-flag-bad", _ONE, _SEES, flags=(
        "--appinsights_instrumentation_key", "not-a-key")),
    simple("health-port", (
        get("health", "/", health=True), get("main", "/"),
        post("score on health", "x", health=True), post("score", "x"),
        get("missing", "/nothing", health=True)),
        flags=("--health_port", "{health_port}"),
        env={"SEPERATE_HEALTH_ENDPOINT": "true"}),
    simple("health-port-unused", (post("post", "x"),),
           flags=("--health_port", "{health_port}")),
    simple("health-capital", (post("post", "x"),),
           flags=("--health_port", "{health_port}"),
           env={"SEPERATE_HEALTH_ENDPOINT": "True"}),
    simple("health-env", (post("post", "x"),), env={"HEALTH_PORT": "9"}),
    simple("buffered", (post("post", "x"),), ECHO.replace(
        "    pass", '    print("init")'), env={"PYTHONUNBUFFERED": "<unset>"}),
    simple("preload", (post("post", "x"),), env={"WORKER_PRELOAD": "true"}),
    simple("gunicorn-args", (post("post", "x"),),
           env={"GUNICORN_CMD_ARGS": "--keep-alive 5"}),
    simple("gunicorn-conf", (post("post", "x"),),
           files={"gunicorn.conf.py": "keepalive = 3\n"}),
)
