"""The table: all plays, by what they are about."""

from __future__ import annotations

from ..model import Play
from . import (cors, failing, http, ids, loading, logs, plain, raw, schema,
               settings, signals, starts, swagger, timeouts)

PLAYS: tuple[Play, ...] = tuple(
    play
    for part in (plain, failing, logs, raw, schema, http, ids, cors, swagger,
                 loading, settings, timeouts, signals, starts)
    for play in part.PLAYS)


def _check_names() -> None:
    names = [name for play in PLAYS for name in play.case_names()]
    twice = {name for name in names if names.count(name) > 1}
    assert not twice, f"cases named twice: {sorted(twice)}"


_check_names()
