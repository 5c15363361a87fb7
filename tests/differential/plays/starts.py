"""Starts that end by themselves: bad flags, bad settings, bad scripts."""

from __future__ import annotations

import json
from typing import Any

from ..model import Play
from .common import ECHO, broken, ending

_S = "--entry_script"
_SCORE = {"score.py": ECHO}
_RAW = "from azureml_inference_server_http.api.aml_request import rawhttp\n"
_SCHEMA = (
    "from inference_schema.schema_decorators import input_schema\n"
    "from inference_schema.parameter_types.standard_py_parameter_type "
    "import StandardPythonParameterType\n")
_INIT = "def init():\n    pass\n\n\n"


def _run(signature: str) -> str:
    return f"{_INIT}def run({signature}):\n    return 1\n"


def _init(body: str, top: str = "") -> str:
    return f"{top}def init():\n    {body}\n\n\ndef run(data):\n    return 1\n"


def _flags(name: str, *flags: str, **more: Any) -> Play:
    return ending(f"flags-{name}", *flags, files=dict(_SCORE),
                  port_flag=False, **more)


_FLAGS = (
    _flags("none"), _flags("help", "--help"), _flags("short-help", "-h"),
    _flags("help-and-more", _S, "score.py", "--help"),
    _flags("unknown", _S, "score.py", "--unknown"),
    _flags("unknown-short", "-x"),
    _flags("positional", "score.py"),
    _flags("positional-after", _S, "score.py", "more"),
    _flags("missing-value", _S),
    _flags("missing-port", _S, "score.py", "--port"),
    _flags("ambiguous", "--a", "x"),
    _flags("empty-entry", _S, ""),
    _flags("entry-by-env-only", env={"AZUREML_ENTRY_SCRIPT": "score.py"}),
    _flags("empty-config", "--config_file", ""),
    _flags("rest-with-value", _S, "score.py", "--rest=1"),
    *(_flags(f"port {value}", _S, "score.py", "--port", value)
      for value in ("0", "65536", "-1", "abc", "", "1.5", "0x10", "5001 x")),
    *(_flags(f"health-port {value}", _S, "score.py", "--health_port", value)
      for value in ("0", "70000", "x")),
    *(_flags(f"worker-count {value}", _S, "score.py", "--worker_count", value)
      for value in ("0", "-2", "two", "1.0")),
)

_SETTINGS = (
    broken("env-timeout-word", ECHO, env={"SCORING_TIMEOUT_MS": "abc"}),
    broken("env-timeout-empty", ECHO, env={"SCORING_TIMEOUT_MS": ""}),
    broken("env-timeout-fraction", ECHO, env={"SCORING_TIMEOUT_MS": "1.5"}),
    broken("env-debug-port-word", ECHO, env={"AZUREML_DEBUG_PORT": "x"}),
    broken("env-bool-word", ECHO, env={
        "APP_INSIGHTS_LOG_RESPONSE_ENABLED": "maybe"}),
    broken("env-two-bad", ECHO, env={
        "SCORING_TIMEOUT_MS": "abc",
        "APP_INSIGHTS_LOG_RESPONSE_ENABLED": "maybe"}),
    broken("env-worker-count-word", ECHO, env={"WORKER_COUNT": "two"}),
    broken("env-worker-count-negative", ECHO, env={"WORKER_COUNT": "-1"}),
    broken("env-worker-timeout-word", ECHO, env={"WORKER_TIMEOUT": "abc"}),
    broken("env-worker-timeout-negative", ECHO, env={"WORKER_TIMEOUT": "-1"}),
    *(broken(f"config-bad-{name}", ECHO, files={"config.json": text})
      for name, text in {
          "json": "{", "list": "[]", "string": '"x"', "null": "null",
          "int": json.dumps({"SCORING_TIMEOUT_MS": "abc"}),
          "int-fraction": json.dumps({"SCORING_TIMEOUT_MS": 1.5}),
          "int-list": json.dumps({"SCORING_TIMEOUT_MS": [1]}),
          "str": json.dumps({"SERVICE_NAME": 5}),
          "bool": json.dumps({"APP_INSIGHTS_LOG_RESPONSE_ENABLED": []}),
          "two": json.dumps({"SERVICE_NAME": 5, "SCORING_TIMEOUT_MS": "x"}),
      }.items()),
    broken("config-not-utf-8", ECHO, files={"config.json": b'{"a": "\xff"}'}),
)

_FINDING = (
    ending("script-missing", _S, "none.py"),
    ending("script-a-folder", _S, "sub", files={"sub/x": ""}),
    ending("script-not-python", _S, "score.txt", files={"score.txt": ECHO}),
    ending("script-no-ending", _S, "score", files={"score": ECHO}),
    ending("main-missing", "--config_file", "c.json", files={"c.json": "{}"}),
    ending("main-missing-root", "--config_file", "c.json",
           files={"c.json": "{}"}, env={"AML_APP_ROOT": "/no/such/place"}),
    ending("config-entry-missing", "--config_file", "c.json", files={
        "c.json": '{"AZUREML_ENTRY_SCRIPT": "none.py"}'}),
)

_IMPORTS = tuple(broken(f"import-{name}", text) for name, text in {
    "syntax": "def init(:\n    pass\n",
    "indentation": "def init():\npass\n",
    "no-module": "import no_such_module\n" + ECHO,
    "no-name": "from json import no_such_name\n" + ECHO,
    "raises": "raise ValueError('at import')\n" + ECHO,
    "exits": "import sys\nsys.exit(0)\n" + ECHO,
    "interrupts": "raise KeyboardInterrupt\n" + ECHO,
    "no-file": "open('missing.txt')\n" + ECHO,
    "mentions-main": "raise ImportError(\"No module named 'main'\")\n" + ECHO,
    "nul-byte": "x = '\0'\n" + ECHO,
    "chained": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n"
               "    raise RuntimeError('worse') from e\n" + ECHO,
    "prints-first": "print('before')\nraise ValueError('after')\n" + ECHO,
    "not-utf-8-declared": "# coding: no-such-coding\n" + ECHO,
    "empty": "",
    "unicode-text": "raise ValueError('zażółć \U0001f600')\n",
    "many-lines": "raise ValueError('one\\ntwo\\n  three')\n",
}.items())

_SHAPES = tuple(broken(f"shape-{name}", text) for name, text in {
    "no-init": "def run(data):\n    return 1\n",
    "no-run": _INIT,
    "no-parameter": _run(""),
    "args": _run("*args"), "kwargs": _run("**kwargs"),
    "data-and-kwargs": _run("data, **kwargs"),
    "positional-only": _run("data, /"),
    "only-headers": _run("request_headers"),
    "run-not-callable": _INIT + "run = 5\n",
    "run-none": _INIT + "run = None\n",
    "init-not-callable": "init = 5\n\n\ndef run(data):\n    return 1\n",
    "init-with-parameter":
        "def init(x):\n    pass\n\n\ndef run(data):\n    return 1\n",
    "run-a-class": _INIT + "class run:\n    pass\n",
    "run-builtin": _INIT + "run = len\n",
    "raw-and-schema": (_RAW + _SCHEMA + _INIT + "@rawhttp\n@input_schema("
                       "'data', StandardPythonParameterType('a'))\n"
                       "def run(data):\n    return 1\n"),
    "schema-not-a-type": (_SCHEMA + _INIT + "@input_schema('data', 'a')\n"
                          "def run(data):\n    return 1\n"),
    "driver-without-run": ("import json as driver_module\n" + ECHO.replace(
        "def run(data):", "def other(data):")),
}.items())

_INITS = (
    broken("init-raises", _init("raise ValueError('model')")),
    broken("init-exits", _init("sys.exit(0)", "import sys\n\n\n")),
    broken("init-exits-text", _init("sys.exit('why')", "import sys\n\n\n")),
    broken("init-interrupts", _init("raise KeyboardInterrupt")),
    broken("init-no-file", _init("open('missing.pkl')")),
    broken("init-no-env", _init("os.environ['NOT_SET']", "import os\n\n\n")),
    broken("init-prints", _init("print('loading'); 1 / 0")),
    broken("init-chained", _init(
        "load()", "def load():\n    try:\n        {}['k']\n"
        "    except KeyError:\n        raise RuntimeError('no k')\n\n\n")),
    broken("init-model-listing", _init("raise ValueError('model')"), files={
        "models/a/1/weights.bin": b"w", "models/a/2/x.txt": "",
        "models/b.json": "{}", "models/.hidden": "", "models/empty/.keep": "",
    }, env={"AZUREML_MODEL_DIR": "{dir}/models"}),
    broken("init-model-listing-long", _init("raise ValueError('model')"),
           files={f"models/{n:03d}.bin": "" for n in range(230)},
           env={"AZUREML_MODEL_DIR": "models"}),
    broken("init-model-dir-missing", _init("raise ValueError('model')"),
           env={"AZUREML_MODEL_DIR": "/no/such/models"}),
    broken("init-os-exit-3", _init("os._exit(3)", "import os\n\n\n")),
    broken("init-os-exit-1", _init("os._exit(1)", "import os\n\n\n"),
           endless_s=4.0, logs=False),
)

_PORTS = (
    ending("health-port-same", _S, "score.py", "--health_port", "{port}",
           files=dict(_SCORE), env={"SEPERATE_HEALTH_ENDPOINT": "true"}),
    broken("preload-raises", _init("raise ValueError('model')"),
           env={"WORKER_PRELOAD": "true"}),
)

PLAYS = (*_FLAGS, *_SETTINGS, *_FINDING, *_IMPORTS, *_SHAPES, *_INITS, *_PORTS)
