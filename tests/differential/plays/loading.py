"""Finding and loading scripts, models and modules, when it succeeds."""

from __future__ import annotations

import json
from typing import Any

from ..model import Play, post, post_json
from .common import ECHO, simple

_MAIN = ECHO.replace('"got"', '"main"')
_MODEL = json.dumps({"slope": 2, "intercept": 0.5})
_MODELS = {
    "models/rent/1/model.json": json.dumps({"base": 100, "slope": 10}),
    "models/rent/2/model.json": json.dumps({"base": 120, "slope": 9}),
    "models/sale/5/model.json": json.dumps({"base": 0, "slope": 3000}),
}
_ONE = (post("post", "x"),)
_SIBLING = '''\
import sibling


def init():
    pass


def run(data):
    return sibling.NAME
'''
_PATHS = '''\
import os
import sys


def init():
    pass


def run(data):
    root = os.environ["AML_APP_ROOT"]
    inside = [os.path.relpath(p, root) for p in sys.path
              if p and os.path.realpath(p).startswith(os.path.realpath(root))]
    return sorted(set(inside))
'''
_HIDDEN = '''\
import config
import utils


def init():
    pass


def run(data):
    return [utils.NAME, config.NAME]
'''


def _entry(name: str, value: str, *files: str, **more: Any) -> Play:
    return Play(name, _ONE, flags=("--entry_script", value),
                files={file: ECHO for file in files}, **more)


PLAYS = (
    _entry("entry-dot-slash", "./score.py", "score.py"),
    _entry("entry-subfolder", "sub/score.py", "sub/score.py"),
    _entry("entry-absolute", "{dir}/sub/score.py", "sub/score.py"),
    _entry("entry-spaces", "my score.py", "my score.py"),
    _entry("entry-unicode", "ocena_ż.py", "ocena_ż.py"),
    _entry("entry-not-a-name", "my-score.v2.py", "my-score.v2.py"),
    Play("entry-parent", _ONE, files={"score.py": ECHO, "sub/x": ""},
         flags=("--entry_script", "../score.py"), cwd="sub"),
    Play("entry-equals", _ONE, files={"score.py": ECHO},
         flags=("--entry_script=score.py",)),
    Play("entry-abbreviated", _ONE, files={"score.py": ECHO},
         flags=("--entry", "score.py")),
    Play("entry-last-wins", _ONE, files={"score.py": ECHO},
         flags=("--entry_script", "none.py", "--entry_script", "score.py")),
    Play("entry-over-env", _ONE, files={"score.py": ECHO},
         flags=("--entry_script", "score.py"),
         env={"AZUREML_ENTRY_SCRIPT": "none.py"}),
    Play("app-root", _ONE, files={"base/score.py": _MAIN, "score.py": ECHO},
         flags=("--entry_script", "score.py"),
         env={"AML_APP_ROOT": "{dir}/base"}),
    Play("app-root-by-config", _ONE, files={
        "base/score.py": _MAIN, "score.py": ECHO,
        "c.json": '{"AZUREML_ENTRY_SCRIPT": "score.py"}'},
        flags=("--config_file", "c.json"),
        env={"AML_APP_ROOT": "{dir}/base"}),
    Play("main-by-default", _ONE, files={"main.py": _MAIN, "c.json": "{}"},
         flags=("--config_file", "c.json")),
    simple("sibling", _ONE, _SIBLING, files={"sibling.py": "NAME = 'here'\n"}),
    Play("sibling-by-app-root", _ONE, files={
        "base/score.py": _SIBLING, "base/sibling.py": "NAME = 'base'\n"},
        flags=("--entry_script", "base/score.py"),
        env={"AML_APP_ROOT": "{dir}/base"}),
    simple("paths", _ONE, _PATHS),
    simple("paths-source-directory", _ONE, _PATHS, files={"src/x.py": ""},
           env={"AZUREML_SOURCE_DIRECTORY": "src"}),
    Play("own-utils", _ONE, files={
        "score.py": _HIDDEN, "utils.py": "NAME = 'my utils'\n",
        "config.py": "NAME = 'my config'\n"},
        flags=("--entry_script", "score.py")),
    Play("multi-file", (
        post_json("good", {"items": {"pen": 12, "book": 1}, "customer": "gold",
                           "label": 2}),
        post_json("no label", {"items": {}, "customer": "x", "label": 9}),
        post_json("unknown item", {"items": {"car": 1}, "customer": "x"})),
        copies=("multi_file",), cwd="multi_file",
        flags=("--entry_script", "score.py")),
    Play("source-directory", (post_json("good", {"text": "Ala ma kota"}),),
         copies=("source_dir",), cwd="source_dir",
         flags=("--entry_script", "src/score.py"),
         env={"AZUREML_SOURCE_DIRECTORY": "src"}),
    Play("driver", (post("post", "x", ("X-Who", "me")),), "driver.py",
         copies=("inner_score.py",)),
    Play("slow-init", (post("post", "x"),), "slow_init.py"),
    Play("model-dir", (post_json("good", {"x": 2}), post_json("bad", {})),
         "model_dir.py", files={"models/model.json": _MODEL},
         flags=("--entry_script", "model_dir.py", "--model_dir", "models")),
    Play("model-dir-env", (post_json("good", {"x": 2}),), "model_dir.py",
         files={"models/model.json": _MODEL},
         env={"AZUREML_MODEL_DIR": "{dir}/models"}),
    Play("model-dir-flag-wins", (post_json("good", {"x": 2}),), "model_dir.py",
         files={"models/model.json": _MODEL},
         flags=("--model_dir=models", "--entry_script=model_dir.py"),
         env={"AZUREML_MODEL_DIR": "nowhere"}),
    Play("several-models", (
        post_json("default", {"size": 50}),
        post_json("named", {"model": "sale:5", "size": 50}),
        post_json("unknown", {"model": "sale:6", "size": 50})),
        "several_models.py", files=_MODELS, flags=(
            "--entry_script", "several_models.py", "--model_dir", "models")),
    simple("init-result-ignored", _ONE,
           ECHO.replace("    pass", "    return 5")),
    simple("init-async", _ONE, ECHO.replace("def init", "async def init")),
    simple("imports-odd", _ONE, (
        "import azureml_inference_server_http as s\n"
        "from azureml_inference_server_http import __version__\n"
        "from azureml_inference_server_http.log_config import (\n"
        "    AMLLogFormatter, RootAccessFilter)\n"
        "from azureml.contrib.services.aml_request import AMLRequest\n"
        "from azureml.contrib.services.aml_response import AMLResponse\n"
        "import azureml_inference_server_http.api.aml_response as other\n\n\n"
        "def init():\n    print(s._HAS_DEBUGPY_SUPPORT)\n\n\n"
        "def run(data):\n"
        "    return [__version__, AMLLogFormatter.__name__,\n"
        "            RootAccessFilter.__name__,\n"
        "            other.AMLResponse is AMLResponse,\n"
        "            AMLRequest.__mro__[1].__name__]\n")),
)
