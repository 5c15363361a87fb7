"""How each server is started."""

import os
import shlex
import subprocess
from pathlib import Path

from rig.loads import Load
from rig.servers import FLOORS, Server, microsoft
from rig.venvs import program, venv

from suite.loads import SCRIPTS, WIDE_BYTES

HERE = Path(__file__).resolve().parent.parent
PEERS = HERE / "peers"
QUIET = ("--access_log", "off")


def scorehost(command: str, name: str, title: str, *flags: str) -> Server:
    """Ours with one worker process."""
    words = shlex.split(command)
    if "/" in words[0]:  # the server runs in a folder of its own
        words[0] = os.path.abspath(words[0])

    def argv(load: Load, port: int) -> list[str]:
        where = ["--entry_script", str(load.script), "--host", "127.0.0.1", "--port", str(port)]
        return [*words, *where, "--worker_kind", "process", *flags]

    return Server(name, title, "ours", argv)


def floor(cache: Path) -> Server:
    """The bare recv loop."""
    path = program(cache, FLOORS / "recv_body.c", [])
    room = str(WIDE_BYTES + 4096)
    argv = [str(path)]
    return Server(
        "floor", "bare recv loop", "floor", lambda load, port: [*argv, str(port), room]
    )


def replaced(cache: Path, python: str) -> Server:
    """Microsoft's, as it ships."""
    return microsoft(cache, python)[0]


def peers(cache: Path, python: str) -> list[Server]:
    """Those that batch."""
    interpreter = environment(cache, python) / "bin" / "python"
    env = {"PYTHONPATH": str(SCRIPTS)}

    def mosec(load: Load, port: int) -> list[str]:
        where = ["--address", "127.0.0.1", "--port", str(port)]
        quiet = ["--log-level", "error", "--timeout", "30000"]
        return [str(interpreter), str(PEERS / "mosec_batch.py"), *where, *quiet]

    def litserve(load: Load, port: int) -> list[str]:
        return [str(interpreter), str(PEERS / "litserve_batch.py"), str(port)]

    return [
        Server("mosec", "mosec, max_wait_time 1 ms", "peer", mosec, env=env),
        Server("litserve", "LitServe, batch_timeout 0", "peer", litserve, env=env),
    ]


def environment(cache: Path, python: str) -> Path:
    """What the peers and benchmarks/micro/ run in."""
    return venv(cache, "batching", PEERS / "batching.txt", python)


def python_of(command: str) -> str | None:
    """The Python below a scorehost's environment: the peers get the same."""
    beside = Path(shlex.split(command)[-1]).with_name("python")
    if not beside.exists():
        return None
    code = "import sys; print(sys._base_executable)"
    asked = subprocess.run([str(beside), "-c", code], capture_output=True, text=True, check=False)
    return asked.stdout.strip() or None
