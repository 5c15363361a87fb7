"""Scoring that takes too long."""

from __future__ import annotations

from ..model import Play, post_json

_SHORT = {"SCORING_TIMEOUT_MS": "400"}
#: Written when the script is back, which may be long after the answer.
_LATE = {"says": ("finally", "within the allocated time: 400ms\n")}
#: The same, where the reference's script has nothing to tell.
_SWALLOWED = {"says": ("finally", "within the allocated time: 400ms\n"
                       "|POST /score 200 ")}

PLAYS = (
    Play("scoring-timeout", (
        post_json("in time", {"seconds": 0.01}),
        post_json("too long", {"seconds": 1.2}, **_LATE),
        post_json("after it", {"seconds": 0}),
        post_json("busy", {"seconds": 1.2, "busy": True}, **_LATE),
        post_json("after busy", {"seconds": 0}),
        post_json("bad", {"seconds": -1}),
    ), "sleeps.py", env=_SHORT),
    Play("scoring-timeout-swallowed", (
        post_json("swallowed", {"seconds": 1.2, "swallow": True},
                  **_SWALLOWED),
        post_json("after it", {"seconds": 0}),
    ), "sleeps.py", env=_SHORT),
    Play("scoring-timeout-by-config", (
        post_json("too long", {"seconds": 1.2}, **_LATE),
    ), "sleeps.py", files={"config.json": '{"SCORING_TIMEOUT_MS": 400}'}),
)
