"""Finding the servers that run on this machine, for `scorehost reload`.

What is asked is /proc: whose command line is a server's, and who holds a
listening socket.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator

_PROC = "/proc"
_PROGRAMS = ("azmlinfsrv", "scorehost-host")
_LISTEN = "0A"  # of a socket's states


class NoServer(Exception):
    """There is no such server, or it may not be told; the text says what to do."""


class Server:
    """A running server."""

    def __init__(self, pid: int, words: list[str]) -> None:
        self.pid = pid
        self.words = words

    @property
    def name(self) -> str:
        """What it was started as."""
        names = map(os.path.basename, self.words)
        return next((name for name in names if name in _PROGRAMS), "scorehost")


def command_line(pid: int) -> list[str]:
    """The words that a process was started with; empty when it is gone."""
    try:
        with open(f"{_PROC}/{pid}/cmdline", "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return text.removesuffix("\0").split("\0") if text else []


def is_server(words: list[str]) -> bool:
    """Whether a command line is a server's: the program itself, or Python running it."""
    name, *rest = words or [""]
    if os.path.basename(name).startswith("python"):
        name, *rest = _without_options(rest) or [""]
    name = os.path.basename(name)
    if name in (*_PROGRAMS, "scorehost.azmlinfsrv"):
        return True
    return name in ("scorehost", "scorehost.cli") and rest[:1] == ["serve"]


def _without_options(words: list[str]) -> list[str]:
    """What Python was told to run, after options of its own."""
    while words and words[0][:1] == "-":
        if words[0] == "-m":
            return words[1:]
        words = words[2:] if words[0] in ("-W", "-X") else words[1:]
    return words


def parent(pid: int) -> int:
    """Who started a process; 0 when it is gone."""
    try:
        with open(f"{_PROC}/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def servers() -> list[Server]:
    """All that run here; of a supervisor and its host, the supervisor."""
    found = {}
    for name in os.listdir(_PROC):
        words = command_line(int(name)) if name.isdigit() else []
        if is_server(words):
            found[int(name)] = words
    heads = [pid for pid in found if parent(pid) not in found]
    return [Server(pid, found[pid]) for pid in sorted(heads)]


def listening(port: int) -> set[str]:
    """The inodes of the sockets that listen on a port."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        try:
            with open(f"{_PROC}/net/{name}", encoding="ascii") as file:
                rows = [line.split() for line in file][1:]
        except OSError:
            continue  # a machine without IPv6
        for row in rows:
            if row[3] == _LISTEN and int(row[1].rpartition(":")[2], 16) == port:
                inodes.add(row[9])
    return inodes


def sockets(pid: int) -> Iterator[str]:
    """The inodes of the sockets that a process has open."""
    try:
        names = os.listdir(f"{_PROC}/{pid}/fd")
    except OSError:
        return  # it is gone, or somebody else's
    for name in names:
        try:
            target = os.readlink(f"{_PROC}/{pid}/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def tree(pid: int) -> list[int]:
    """A process and those below it."""
    return [pid, *(below for child in _children(pid) for below in tree(child))]


def _children(pid: int) -> list[int]:
    try:
        with open(f"{_PROC}/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def pick(pid: int | None, port: int | None) -> Server:
    """The server that is meant; NoServer when it cannot be told."""
    if pid is not None:
        return _by_pid(pid)
    if port is not None:
        return _by_port(port)
    found = servers()
    if not found:
        raise NoServer("no server runs on this machine: start one with scorehost serve")
    if len(found) > 1:
        raise NoServer(f"several servers run; say which, by PID or --port:\n{_list(found)}")
    return found[0]


def _list(found: Iterable[Server]) -> str:
    return "\n".join(f"  {server.pid}  {' '.join(server.words)[:100]}" for server in found)


def _by_pid(pid: int) -> Server:
    words = command_line(pid)
    if not words:
        raise NoServer(f"there is no process {pid}")
    if is_server(words):
        return Server(pid, words)
    text = f"process {pid} is no server of ours: {' '.join(words)[:100]}"
    above = parent(pid)
    if is_server(command_line(above)):
        text += f"\nIt belongs to one, though: scorehost reload {above}"
    raise NoServer(text)


def _by_port(port: int) -> Server:
    inodes = listening(port)
    if not inodes:
        raise NoServer(f"nothing listens on port {port}")
    for server in servers():
        if any(inode in inodes for each in tree(server.pid) for inode in sockets(each)):
            return server
    raise NoServer(
        f"what listens on port {port} is no server of ours, or belongs to another user"
    )


def reload(server: Server) -> None:
    """Tells a server to load its script anew; NoServer when it cannot be told."""
    try:
        os.kill(server.pid, signal.SIGHUP)
    except ProcessLookupError:
        raise NoServer(f"process {server.pid} has just ended") from None
    except PermissionError:
        raise NoServer(f"process {server.pid} belongs to another user: use sudo") from None
