"""Loads the scoring script that the environment names, for every peer alike.

Each peer runs the same functions as the hosts of score.py do, so that the
difference between two rows of the table is the server.
"""

import importlib.util
import os
from types import ModuleType


def load() -> ModuleType:
    """Imports the file in BENCH_SCRIPT and calls its init()."""
    spec = importlib.util.spec_from_file_location("bench_script", os.environ["BENCH_SCRIPT"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.init()
    return module
