"""Scripts that fail while they serve."""

from __future__ import annotations

from ..model import Play, post
from .common import each_key

_DEATHS = {"reboots": True}

PLAYS = (
    Play("failures", (
        *each_key("failures.py", "FAILURES", {
            "exit 7": _DEATHS, "exit 0": _DEATHS, "killed": _DEATHS,
        }),
        post("still serving", "hello"),
    ), "failures.py"),
    Play("worker-exits-3", (
        post("serving", "x"), post("die", "die", reboots=True),
    ), files={"score.py": "import os\n\n\ndef init():\n    pass\n\n\n"
              "def run(data):\n    if data == 'die':\n        os._exit(3)\n"
              "    return data\n"}, flags=("--entry_script", "score.py")),
)
