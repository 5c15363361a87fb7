"""A server's process tree: starting it, its CPU time, its memory, its end.

Design notes. CPU time comes from a cgroup where one can be made, since it
counts every process that was ever in it, to the nanosecond: cpuacct of
version 1, else cpu.stat of version 2. Elsewhere it is added up from
/proc/PID/stat (user and system time of the process and of the children that
it has waited for), in which case this process adopts orphans, as a
subreaper, and adds what they had used when they ended.

A process belongs to a tree when it descends from the tree's root or is in
the session that the root opened. Everything is ended by its pid.
"""

import contextlib
import ctypes
import mmap
import os
import re
import resource
import signal
import struct
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TICK = os.sysconf("SC_CLK_TCK")
LIBC = ctypes.CDLL(None, use_errno=True)
STOP_SECONDS = 5.0
CLOCK = struct.Struct("d")
MAPPING = re.compile(r"^[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) (\S+) (\d+)")


@dataclass(frozen=True)
class Stat:
    """What is needed of /proc/PID/stat."""

    pid: int
    state: str
    parent: int
    session: int
    ticks: int  # user and system, with those of children waited for


def read_stat(pid: int) -> Stat | None:
    """None when the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Stat(pid, fields[0], int(fields[1]), int(fields[3]), ticks)


def all_stats() -> list[Stat]:
    """Every process of the machine."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [stat for pid in pids if (stat := read_stat(pid)) is not None]


def adopt_orphans() -> None:
    """Makes this process the parent of what its descendants leave behind,
    and lets it and them have as many descriptors as allowed."""
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


class Accounting:
    """CPU time of one tree, added up from /proc."""

    method = "/proc/PID/stat of the tree, with ended children (10 ms steps)"

    def __init__(self) -> None:
        self._ended: dict[int, int] = {}

    def enter(self) -> None:
        """Called in the child, before it becomes the server."""

    def cpu_seconds(self, root: int) -> float:
        """Used so far by the tree of `root`."""
        stats = tree_stats(root)
        me = os.getpid()
        for stat in stats:
            if stat.state == "Z" and stat.parent == me and stat.pid != root:
                self._ended[stat.pid] = stat.ticks
                os.waitpid(stat.pid, os.WNOHANG)
        living = sum(stat.ticks for stat in stats if stat.pid not in self._ended)
        return (living + sum(self._ended.values())) / TICK

    def close(self) -> None:
        """Nothing is held."""


class CgroupAccounting(Accounting):
    """CPU time of one tree, in a cgroup of its own."""

    def __init__(self, folder: Path, version: int) -> None:
        super().__init__()
        self._folder = folder
        self._version = version
        self.method = "cgroup cpuacct.usage" if version == 1 else "cgroup v2 cpu.stat usage_usec"
        folder.mkdir()

    def enter(self) -> None:
        (self._folder / "cgroup.procs").write_text("0")

    def cpu_seconds(self, root: int) -> float:
        if self._version == 1:
            return int((self._folder / "cpuacct.usage").read_text()) / 1e9
        line = (self._folder / "cpu.stat").read_text().splitlines()[0]
        return int(line.split()[1]) / 1e6

    def close(self) -> None:
        for _ in range(50):
            try:
                self._folder.rmdir()
                return
            except OSError:  # the kernel is not done with the last process
                time.sleep(0.02)


def _own_cgroups() -> list[tuple[Path, int]]:
    """Where a cgroup could be made: cpuacct first, then version 2."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    own = dict(
        (line.split(":", 2)[1], line.split(":", 2)[2])
        for line in Path("/proc/self/cgroup").read_text().splitlines()
    )
    found: list[tuple[Path, int]] = []
    for _, folder, kind, options, *_ in mounts:
        names = [name for name in own if "cpuacct" in name.split(",")]
        if kind == "cgroup" and "cpuacct" in options.split(",") and names:
            found.insert(0, (Path(folder + own[names[0]]), 1))
        if kind == "cgroup2" and "" in own:
            found.append((Path(folder + own[""]), 2))
    return found


def accounting() -> Accounting:
    """The best that this machine grants."""
    for folder, version in _own_cgroups():
        for number in range(1000):
            path = folder / f"scorehost-bench-{os.getpid()}-{number}"
            if path.exists():
                continue
            try:
                return CgroupAccounting(path, version)
            except OSError:
                break
    return Accounting()


def tree_stats(root: int) -> list[Stat]:
    """The processes of the tree, zombies included."""
    stats = all_stats()
    members = {stat.pid for stat in stats if stat.pid == root or stat.session == root}
    grown = True
    while grown:
        more = {s.pid for s in stats if s.parent in members and s.pid not in members}
        members |= more
        grown = bool(more)
    return [stat for stat in stats if stat.pid in members]


def _kb(lines: list[str], key: str) -> int:
    return sum(int(line.split()[1]) for line in lines if line.startswith(key + ":"))


def _rollup(pid: int, key: str) -> float:
    """One sum of smaps_rollup, in MB; 0 when the process is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return _kb(lines, key) * 1024 / 1e6


def _mappings(pid: int) -> list[tuple[str, list[str]]]:
    """Each mapping's identity ("" for anonymous memory) and its lines."""
    found: list[tuple[str, list[str]]] = []
    try:
        lines = Path(f"/proc/{pid}/smaps").read_text().splitlines()
    except OSError:
        return found
    for line in lines:
        head = MAPPING.match(line)
        if head is not None:
            offset, device, inode = head.groups()
            found.append(("" if inode == "0" else f"{device}:{inode}:{offset}", []))
        elif found:
            found[-1][1].append(line)
    return found


def alone_mb(pids: list[int]) -> float:
    """What these processes would hold with nobody else on the machine: pages
    of a file count once, and in full, however many other processes have it
    mapped. PSS is less wherever another Python runs beside."""
    total = 0
    shared: dict[str, int] = {}
    for pid in pids:
        for identity, lines in _mappings(pid):
            if not identity:
                total += _kb(lines, "Pss")
                continue
            total += _kb(lines, "Private_Clean") + _kb(lines, "Private_Dirty")
            common = _kb(lines, "Shared_Clean") + _kb(lines, "Shared_Dirty")
            shared[identity] = max(shared.get(identity, 0), common)
    return (total + sum(shared.values())) * 1024 / 1e6


@dataclass(frozen=True)
class Memory:
    """In MB (10^6): of the first process alone, and of the whole tree."""

    root_pss: float
    tree_pss: float
    root_alone: float
    tree_alone: float
    processes: int


class Tree:
    """A server that runs."""

    def __init__(
        self, argv: list[str], env: dict[str, str], cpus: set[int], log: Path, cwd: Path
    ) -> None:
        self._accounting = accounting()
        self.method = self._accounting.method
        self.log = log
        clock = mmap.mmap(-1, CLOCK.size)  # shared with the child
        try:
            self._process = self._spawn(argv, env, self._in_child(cpus, clock), cwd)
        except OSError:
            self._accounting.close()
            raise
        self.root = self._process.pid
        self.begun: float = CLOCK.unpack_from(clock)[0]

    def _spawn(
        self, argv: list[str], env: dict[str, str], prepare: Callable[[], None], cwd: Path
    ) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as output:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,
                preexec_fn=prepare,
            )

    def _in_child(self, cpus: set[int], clock: mmap.mmap) -> Callable[[], None]:
        def prepare() -> None:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.sched_setaffinity(0, cpus)
            self._accounting.enter()
            # Only now: moving into a cgroup can take the kernel 20 ms.
            CLOCK.pack_into(clock, 0, time.monotonic())

        return prepare

    def pids(self) -> list[int]:
        """Those that live, the root first."""
        living = [stat.pid for stat in tree_stats(self.root) if stat.state != "Z"]
        return sorted(living, key=lambda pid: pid != self.root)

    def alive(self) -> bool:
        """Whether the first process still runs."""
        return self._process.poll() is None

    def cpu_seconds(self) -> float:
        """User and system time of every process that was ever in the tree."""
        return self._accounting.cpu_seconds(self.root)

    def settle(self, limit_s: float = 3.0) -> None:
        """Waits until the server has finished what a client left behind."""
        deadline = time.monotonic() + limit_s
        before = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.05)
            now = self.cpu_seconds()
            if now - before < 0.005:
                return
            before = now

    def signal(self, number: int) -> None:
        """Sends a signal to each process of the tree, by pid."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def memory(self) -> Memory:
        """As it stands now."""
        pids = self.pids()
        return Memory(
            root_pss=_rollup(self.root, "Pss"),
            tree_pss=sum(_rollup(pid, "Pss") for pid in pids),
            root_alone=alone_mb([self.root]),
            tree_alone=alone_mb(pids),
            processes=len(pids),
        )

    def stop(self) -> None:
        """Asks the root to end, then ends what is left."""
        members = self.pids()
        self._process.terminate()
        self.signal(signal.SIGCONT)  # whoever is stopped hears nothing
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and self.pids():
            self._process.poll()
            time.sleep(0.02)
        for pid in {*self.pids(), *[pid for pid in members if self._ours(pid)]}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._reap()
        self._accounting.close()

    def _ours(self, pid: int) -> bool:
        """Whether a pid noted earlier is still a process of this tree."""
        stat = read_stat(pid)
        if stat is None or stat.state == "Z":
            return False
        return stat.session == self.root or stat.parent == os.getpid()

    def _reap(self) -> None:
        """Waits for orphans that came to this process."""
        for stat in tree_stats(self.root):
            if stat.parent == os.getpid():
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(stat.pid, 0)
