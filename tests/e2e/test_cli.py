"""The command `scorehost` beside servers that really run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Make
from .host import Host, Port
from .wire import until

PROGRAM = [sys.executable, "-m", "scorehost.cli"]


def call(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run([*PROGRAM, *arguments], cwd=folder, env=env, capture_output=True,
                          text=True, timeout=250, check=False)


@pytest.mark.parametrize("arguments", [("echo.py",), ("--entry_script", "echo.py")])
def test_serve_is_the_same_server(
    host: Make, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SCOREHOST_COMMAND", " ".join([*PROGRAM, "serve"]))
    server = host("", *arguments, copies=("echo.py",))
    response = server.post("[1]")
    assert response.status == 200
    assert response.get("x-ms-server-version") == "azmlinfsrv/1.5.1"
    assert server.stop() == 0


def told_to_reload(server: Host, *arguments: str) -> None:
    """Tell it, and wait until a worker has loaded the script anew."""
    done = call("reload", *arguments, folder=server.folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"(pid {server.process.pid})" in done.stdout
    server.wait_said("Handling signal: hup")


@pytest.mark.kinds("process", "interpreter", why="threads load a script anew in a new host alone")
@pytest.mark.parametrize("how", ["pid", "port"])
def test_reload(host: Make, how: str) -> None:
    server = host("", "--entry_script", "score.py",
                  files={"score.py": "def init(): pass\ndef run(data): return 1\n"})
    assert server.post("0").json == 1
    (server.app / "score.py").write_text("def init(): pass\ndef run(data): return 2\n")
    pid, port = str(server.process.pid), str(server.port)
    told_to_reload(server, *([pid] if how == "pid" else ["--port", port]))
    server.wait_ready(2)
    until("the new script", lambda: server.post("0").json == 2)


@pytest.mark.kinds("process", why="the others have no process")
def test_a_worker_is_not_reloaded(host: Make) -> None:
    server = host("echo.py")
    (worker,) = server.workers()
    done = call("reload", str(worker), folder=server.folder)
    assert done.returncode == 1
    assert f"process {worker} is no server of ours" in done.stderr
    assert server.workers() == [worker]


def test_a_port_that_nobody_serves(tmp_path: Path) -> None:
    port = Port()  # bound, and nobody listens
    done = call("reload", "--port", str(port.number), folder=tmp_path)
    port.close()
    assert done.returncode == 1
    assert done.stderr == f"Error: nothing listens on port {port.number}\n"


@pytest.mark.kinds("process", "thread", why="its script needs NumPy")
def test_check_and_the_server_agree(host: Make) -> None:
    """What is a good sample there is a good request here, byte for byte."""
    server = host("schema_numpy.py")
    sample = '{"data": [[1, 2, 3]]}'
    script = str(server.app / "schema_numpy.py")
    done = call("check", script, "--sample", sample, folder=server.folder)
    assert done.returncode == 0, done.stdout
    served = server.post(sample, ("Content-Type", "application/json")).body.decode()
    assert f"\n  {served}\n" in done.stdout


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="a probe decides there")
def test_auto_says_what_it_chose_when_asked(host: Make) -> None:
    server = host("echo.py", "--worker_kind", "auto", "--worker_count", "2")
    line = "from Python 3.14 on: using 2 worker processes"
    assert any(text.endswith(line) for text in server.texts("azmlinfsrv"))
    quiet = host("echo.py")
    assert line not in quiet.stdout
