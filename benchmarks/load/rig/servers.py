"""How each server is started, and what may be asked of it."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rig.loads import HERE, Load
from rig.venvs import program, venv

PEERS = HERE / "peers"
FLOORS = HERE / "floors"

PEER_NAMES = ["fastapi", "asgi", "mosec", "fastpysgi", "flask"]

Argv = Callable[[Load, int], list[str]]


@dataclass(frozen=True)
class Server:
    """One row of the tables."""

    name: str
    title: str
    kind: str  # "ours", "peer" or "floor"
    argv: Argv
    crowd: bool = False  # idle connections may stand beside busy ones
    env: dict[str, str] = field(default_factory=dict)
    but: tuple[str, ...] = ()  # loads that it cannot have

    def serves(self, load: Load) -> bool:
        """A floor has no script to run, an interpreter no NumPy."""
        return load.name not in self.but and (self.kind != "floor" or load.floors)


def scorehost(command: str, prefix: str, interpreters: bool) -> list[Server]:
    """Ours with each kind of worker, and as it ships beside Microsoft's
    server, which logs. Interpreters need CPython 3.12.4 or later."""
    words = shlex.split(command)
    if "/" in words[0]:  # the server runs in a folder of its own
        words[0] = os.path.abspath(words[0])

    def argv(kind: str, *more: str) -> Argv:
        def build(load: Load, port: int) -> list[str]:
            flags = ["--entry_script", str(load.script), "--port", str(port)]
            return [*words, *flags, "--host", "127.0.0.1", "--worker_kind", kind, *more]

        return build

    quiet = ("--access_log", "off")
    interpreter = Server(
        f"{prefix}-interpreter",
        f"{prefix}, interpreter worker",
        "ours",
        argv("interpreter", *quiet),
        crowd=True,
        but=("predict",),
    )
    return [
        *([interpreter] if interpreters else []),
        Server(
            f"{prefix}-process",
            f"{prefix}, process worker",
            "ours",
            argv("process", *quiet),
            crowd=True,
        ),
        Server(
            f"{prefix}-thread",
            f"{prefix}, thread worker",
            "ours",
            argv("thread", *quiet),
            crowd=True,
        ),
        Server(
            f"{prefix}-process-logs",
            f"{prefix}, logs as shipped",
            "ours",
            argv("process"),
        ),
    ]


def floors(cache: Path) -> list[Server]:
    """Two programs in C that answer a constant."""
    bare = program(cache, FLOORS / "bare_epoll.c", [])
    library = program(cache, FLOORS / "mhd_constant.c", ["-lmicrohttpd"])
    return [
        Server(
            "floor-epoll",
            "floor: bare epoll loop",
            "floor",
            lambda load, port: [str(bare), str(port)],
            crowd=True,
        ),
        Server(
            "floor-mhd",
            "floor: libmicrohttpd, constant",
            "floor",
            lambda load, port: [str(library), str(port)],
            crowd=True,
        ),
    ]


def microsoft(cache: Path, python: str) -> list[Server]:
    """The server that ours replaces. It cannot bind to loopback alone."""
    command = str(venv(cache, "microsoft", PEERS / "microsoft.txt", python) / "bin/azmlinfsrv")

    def argv(load: Load, port: int) -> list[str]:
        return [command, "--entry_script", str(load.script), "--port", str(port)]

    return [Server("microsoft", "Microsoft's 1.5.1, logs as shipped", "peer", argv)]


def peers(cache: Path, python: str) -> list[Server]:
    """The others, each with one worker and without access lines."""
    folder = venv(cache, "peers", PEERS / "peers.txt", python) / "bin"
    interpreter = str(folder / "python")

    def uvicorn(app: str) -> Argv:
        # Idle connections stay for as long as a measurement lasts.
        quiet = ["--no-access-log", "--log-level", "warning", "--timeout-keep-alive", "75"]
        return lambda load, port: [
            *(str(folder / "uvicorn"), app, "--host", "127.0.0.1", "--port", str(port)),
            *quiet,
        ]

    def gunicorn(load: Load, port: int) -> list[str]:
        kind = ["--worker-class", "gthread", "--threads", "4", "--keep-alive", "75"]
        bind = ["--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
        return [str(folder / "gunicorn"), *kind, *bind, "flask_app:app"]

    def mosec(load: Load, port: int) -> list[str]:
        quiet = ["--log-level", "warning", "--timeout", "30000"]
        address = ["--address", "127.0.0.1", "--port", str(port)]
        return [interpreter, str(PEERS / "mosec_main.py"), *address, *quiet]

    def fastpysgi(load: Load, port: int) -> list[str]:
        return [interpreter, str(PEERS / "fastpysgi_main.py"), str(port)]

    def peer(name: str, title: str, argv: Argv, crowd: bool = True) -> Server:
        return Server(name, title, "peer", argv, crowd, {"PYTHONPATH": str(PEERS)})

    return [
        peer("fastapi", "uvicorn[standard] + FastAPI", uvicorn("fastapi_app:app")),
        peer("asgi", "uvicorn[standard], raw ASGI", uvicorn("asgi_raw:app")),
        peer("mosec", "mosec, one worker", mosec),
        peer("fastpysgi", "FastPySGI, raw WSGI", fastpysgi),
        peer("flask", "gunicorn (gthread) + Flask", gunicorn, crowd=False),
    ]
