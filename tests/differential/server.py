"""Starting a real server on a play's folder and reading what it writes."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from . import wire
from .model import SCRIPTS, Play, Request

START_S = 60.0
STOP_S = 60.0

_FENCE = re.compile(r"HEAD (/|/swagger\.json)\?fence=\d+ ")

#: Comes last at every start, unless a logging.json silences it.
READY = "ready for serving traffic"


@dataclass(frozen=True)
class Target:
    """A server under observation: its command and what it needs to start."""

    command: tuple[str, ...]
    #: Further environment, for both the programs and the scripts.
    env: tuple[tuple[str, str], ...] = ()
    #: Flags that keep the server on loopback, where it has such flags.
    loopback_flags: tuple[str, ...] = ()


class Ports:
    """Free ports out of a range, each given out once at a time."""

    def __init__(self, first: int, last: int) -> None:
        self._cycle = itertools.cycle(range(first, last + 1))
        self._lock = threading.Lock()

    def take(self) -> int:
        """Give a port on which nothing listens."""
        with self._lock:
            for port in itertools.islice(self._cycle, 1000):
                if _is_free(port):
                    return port
        raise RuntimeError("no free port in the range")


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


class Server:
    """One running server, its folder, and its two streams."""

    def __init__(self, play: Play, target: Target, folder: Path,
                 ports: Ports) -> None:
        self.play = play
        self.target = target
        self.folder = folder
        self.app = folder / "app"
        self.port = ports.take()
        self.health_port = ports.take()
        self._process: Union[subprocess.Popen[bytes], None] = None
        self._fences = itertools.count(1)
        self._offsets = {"stdout": 0, "stderr": 0}

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The started process."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Lay out the folder and start the process."""
        lay_out(self.play, self.app)
        (self.folder / "tmp").mkdir()
        with (open(self.folder / "stdout", "wb") as out,
              open(self.folder / "stderr", "wb") as err):
            self._process = subprocess.Popen(
                self._command(), cwd=self.app / self.play.cwd,
                env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, start_new_session=True)

    def _command(self) -> list[str]:
        play = self.play
        flags: Sequence[str]
        if play.flags is None:
            flags = ("--entry_script", Path(play.script).name)
        else:
            flags = [self._fill(flag) for flag in play.flags]
        port = ["--port", str(self.port)] if play.port_flag else []
        loopback = [] if play.exits else self.target.loopback_flags
        return [*self.target.command, *flags, *port, *loopback]

    def _environment(self) -> dict[str, str]:
        env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            # One thread each: two servers run at a time.
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            **dict(self.target.env),
        }
        for name, value in self.play.env.items():
            env[name] = self._fill(value)
            if value == "<unset>":
                del env[name]
        return env

    def _fill(self, text: str) -> str:
        return (text.replace("{dir}", str(self.app))
                .replace("{health_port}", str(self.health_port))
                .replace("{port}", str(self.port)))

    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.process.poll() is None

    def wait_ready(self) -> bool:
        """Wait until a worker serves; False when the process ends before."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if not self.alive():
                return False
            if READY in self._text("stdout") or self.play.fence != "/":
                if self._fence():
                    return True
            time.sleep(0.02)
        return False

    def wait_ready_again(self, times: int) -> None:
        """Wait until workers have said `times` times that they are ready."""
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.alive():
            if self._text("stdout").count(READY) >= times:
                self._fence()
                return
            time.sleep(0.02)

    def times_ready(self) -> int:
        """Count how often a worker has said that it is ready."""
        return self._text("stdout").count(READY)

    def ask(self, request: Request) -> wire.Received:
        """Send one request and wait until all its log lines are in."""
        port = self.health_port if request.health else self.port
        ready = self.times_ready()
        got = wire.exchange(port, self._encode(request), request.method,
                            request.half_close)
        if request.reboots:
            self.wait_ready_again(ready + 1)
        self._wait_said(request.says)
        self._fence()
        return got

    def _encode(self, request: Request) -> bytes:
        return request.encode().replace(b"{port}", str(self.port).encode())

    def _fence(self) -> bool:
        """Send a request whose line in the log says that all before is in."""
        target = f"{self.play.fence or '/'}?fence={next(self._fences)}"
        data = f"HEAD {target} HTTP/1.1\r\nHost: fence\r\n\r\n".encode()
        if wire.exchange(self.port, data).status != 200:
            return False
        if self.play.fence:
            self._wait_said((f"{re.escape(target)} ",))
        return True

    def _wait_said(self, texts: Sequence[str]) -> None:
        """Wait for patterns among the new lines of either stream.

        Where one does not come it is missing in the answer, and seen there.
        """
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.alive():
            fresh = self._fresh("stdout") + self._fresh("stderr")
            if all(re.search(text.encode(), fresh) for text in texts):
                return
            time.sleep(0.002)

    def _text(self, stream: str) -> str:
        return (self.folder / stream).read_text("utf-8", "backslashreplace")

    def new_lines(self, stream: str) -> list[str]:
        """Take the lines written since the last call, without the fences."""
        fresh = self._fresh(stream)
        if self.alive():
            fresh = fresh[:fresh.rfind(b"\n") + 1]
        self._offsets[stream] += len(fresh)
        text = fresh.decode("utf-8", "backslashreplace")
        return [line for line in text.split("\n")[:-1] if not _is_fence(line)]

    def _fresh(self, stream: str) -> bytes:
        with open(self.folder / stream, "rb") as file:
            file.seek(self._offsets[stream])
            return file.read()

    def stop(self) -> Union[int, str]:
        """End the process by the play's signal and give its exit code."""
        if self.alive():
            self.process.send_signal(signal.Signals[self.play.stop_signal])
        return self.wait(STOP_S)

    def wait_end(self, seconds: float) -> Union[int, str]:
        """Give the exit code, or say that the server serves or runs on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.alive():
                return self.wait(1)
            if self.times_ready():
                return "serving"
            time.sleep(0.02)
        return "still running"

    def wait(self, seconds: float) -> Union[int, str]:
        """Give the exit code, or say that the process runs on."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return "still running"

    def kill(self) -> None:
        """End whatever is left of the process and of its children."""
        if self._process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for pid in _children_in(self.folder):
            os.kill(pid, signal.SIGKILL)


def _is_fence(line: str) -> bool:
    return _FENCE.search(line) is not None


def _children_in(folder: Path) -> Iterator[int]:
    """Give processes left behind that work in `folder`, whatever group."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            place = os.readlink(entry / "cwd")
        except OSError:
            continue
        if f"{place}/".startswith(f"{folder}/"):
            yield int(entry.name)


def lay_out(play: Play, app: Path) -> None:
    """Put the files of a play into its folder."""
    app.mkdir(parents=True)
    for name in filter(None, (play.script, *play.copies)):
        source = SCRIPTS / name
        if source.is_dir():
            shutil.copytree(source, app / source.name, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, app / source.name)
    for name, content in play.files.items():
        path = app / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
