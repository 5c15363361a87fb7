"""How the server ends."""

from __future__ import annotations

from ..model import Play, post
from .common import ECHO, simple

_AT_EXIT = '''\
import atexit

atexit.register(print, "at exit")


def init():
    pass


def run(data):
    return data
'''

PLAYS: tuple[Play, ...] = (
    *(simple(f"ended-by-{name.lower()}", (post("post", "x"),), ECHO,
             stop_signal=name) for name in ("SIGTERM", "SIGINT", "SIGQUIT")),
    simple("at-exit", (post("post", "x"),), _AT_EXIT),
)
