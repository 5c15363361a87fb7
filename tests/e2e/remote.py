"""A running remote worker, and a host that has no workers of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from .conftest import Make
from .host import Host, children
from .wire import PATIENCE_S, until


class Remote:
    """One start of a remote worker, beside a host's script."""

    def __init__(
        self, host: Host, endpoint: str, name: str, *arguments: str, script: str = "lab.py"
    ) -> None:
        self.folder = host.folder
        self.name = name
        self.process = self._start(host, ["--connect", endpoint, "--entry_script", script,
                                          "--name", name, *arguments])

    def _start(self, host: Host, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with (
            open(self.folder / f"{self.name}.stdout", "ab") as out,
            open(self.folder / f"{self.name}.stderr", "ab") as err,
        ):
            return subprocess.Popen(
                [sys.executable, "-m", "scorehost.remote", *arguments],
                cwd=host.app, env=host.env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )

    @property
    def stdout(self) -> str:
        """All that it has written to stdout."""
        return (self.folder / f"{self.name}.stdout").read_text("utf-8", "backslashreplace")

    @property
    def stderr(self) -> str:
        """All that it has written to stderr."""
        return (self.folder / f"{self.name}.stderr").read_text("utf-8", "backslashreplace")

    @property
    def pid(self) -> int:
        """The process that runs the script; the one that we started guards it."""
        found: list[int] = until("a worker", lambda: children(self.process.pid))
        return found[0]

    def wait_said(self, text: str, times: int = 1) -> None:
        """Wait until a text stands in what it wrote to stderr."""
        until(f"{text!r} of {self.name}", lambda: self.stderr.count(text) >= times)

    def wait_joined(self, times: int = 1) -> Remote:
        """Wait until it is with a host."""
        self.wait_said("remote-joined", times)
        return self

    def kill(self) -> None:
        """Kill the process that runs the script."""
        os.kill(self.pid, signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal; returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        """End whatever is left of it."""
        for pid in (*children(self.process.pid), self.process.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()


class Farm:
    """A host to which remote workers come."""

    def __init__(self, make: Make, folder: Path) -> None:
        self.make = make
        self.folder = folder
        self.endpoint = f"ipc://{folder}/line"
        self.remotes: list[Remote] = []
        self.hosts: list[Host] = []

    @property
    def host(self) -> Host:
        """The host that was started last."""
        return self.hosts[-1]

    def start(
        self, *arguments: str, script: str = "lab.py", env: Mapping[str, str] | None = None
    ) -> Host:
        """Start a host without workers, in the environment that they will have, too."""
        host = self.make(script, "--worker_count", "0", "--remote_listen", self.endpoint,
                         *arguments, wait=False, env=env)
        self.hosts.append(host)
        host.wait_listening()
        assert host.is_alive(), host.stderr
        return host

    def start_tcp(self, *arguments: str, script: str = "lab.py") -> Host:
        """Start one that listens on a port of loopback."""
        self.endpoint = f"tcp://127.0.0.1:{free_port()}"
        return self.start(*arguments, script=script)

    def spawn(self, name: str, *arguments: str, script: str = "lab.py") -> Remote:
        """Start a worker."""
        remote = Remote(self.host, self.endpoint, name, *arguments, script=script)
        self.remotes.append(remote)
        return remote

    def join(self, name: str, *arguments: str, script: str = "lab.py") -> Remote:
        """Start a worker, and wait until it has come."""
        remote = self.spawn(name, *arguments, script=script).wait_joined()
        until("serving", lambda: self.host.ask("GET", "/").status == 200)
        return remote

    def close(self) -> None:
        """End the workers."""
        for remote in self.remotes:
            remote.close()


def free_port() -> int:
    """A port of loopback that is free just now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        number: int = sock.getsockname()[1]
        return number


def farms(make: Make, folder: Path) -> Iterator[Farm]:
    """For a fixture: a farm that ends with it."""
    farm = Farm(make, folder)
    try:
        yield farm
    finally:
        farm.close()
