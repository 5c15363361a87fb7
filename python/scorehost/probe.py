"""Whether a script loads in subinterpreters: tried, in a process to throw away.

The host, or `scorehost check`, calls run(). It starts this module once more
as a program, which has the C side load the script in two interpreters at
once, and writes one line of JSON about what they refused. An extension that
crashes there takes nothing with it.
"""

from __future__ import annotations

import os
import sys

# As for a worker: no folder of the user's stands before the library.
if __name__ == "__main__" and (sys.path[0] == "" or not getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import subprocess
    from typing import Any

#: How long a client would wait for us, at most.
DEADLINE_S = 20.0

#: When the program ends by itself, should its parent be gone.
_ALARM_S = 60


class Report:
    """What a probe saw."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.degraded: list[str] = []
        self.error = ""  # the script raised what it raises everywhere
        self.died = ""  # how the process ended: "ended by SIGSEGV"
        self.unable = ""  # no probe can be made here, and why
        self.files: list[str] = []
        self.output = ""

    def unfit(self, name: str) -> str:
        """In a clause, why the script of this name is for processes; empty if it is not."""
        from scorehost.verdicts import refusal

        if self.died:
            return f"loading {name} in subinterpreters {self.died}"
        if self.refused:
            return refusal(self.refused)
        if self.degraded:
            which = "its package does" if len(set(self.degraded)) == 1 else "their packages do"
            return f"{refusal(self.degraded)} and {which} without"
        return ""


def run(
    boot: Mapping[str, object], deadline_s: float = DEADLINE_S, *, listen: bool = False
) -> Report:
    """Probes the script of the environment, which a worker would load with this boot.

    With `listen` the report has what the script wrote meanwhile.
    """
    import json
    import subprocess

    report = Report()
    command = [sys.executable, *_flags(), "-m", "scorehost.probe"]
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if listen else subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        report.unable = str(error)
        return report
    try:
        out, err = child.communicate(json.dumps(boot).encode(), deadline_s)
        report.output = (err or b"").decode("utf-8", "replace")
        _read(report, out, child.returncode)
    except subprocess.TimeoutExpired:
        report.died = f"took longer than {deadline_s:g} s"
    finally:
        _end(child)
    return report


def _flags() -> list[str]:
    """The options that this Python was started with: -O, -W, -X and their kin."""
    import subprocess

    given: list[str] = getattr(subprocess, "_args_from_interpreter_flags")()
    return given


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ends the process, and what it started."""
    import signal

    try:
        os.killpg(child.pid, signal.SIGKILL)
    except OSError:
        pass  # nothing is left of it
    child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            pipe.close()


def _read(report: Report, out: bytes, code: int) -> None:
    """Fills the report from what the process wrote, and how it ended."""
    import json

    if code < 0:
        report.died = f"ended by {signal_name(-code)}"
        return
    try:
        found = json.loads(out)
        report.refused = _modules(found["refused"])
        report.degraded = _modules(found["degraded"])
        report.error = str(found.get("error") or "")
        report.unable = str(found.get("unable") or "")
        report.files = [str(path) for path in found.get("files", [])]
    except (ValueError, KeyError, TypeError):
        if code:
            report.died = f"ended with exit code {code}"
        else:
            report.died = "ended without a word"


def _modules(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    return [str(entry["module"]) for entry in entries]


def signal_name(number: int) -> str:
    """The name of a signal."""
    import signal

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# The program


def mapped_files() -> list[str]:
    """The shared objects that this process has loaded, but for Python's own.

    An extension stays mapped when the interpreter that asked for it is gone.
    """
    own = os.path.join(os.path.dirname(os.__file__), "lib-dynload", "")
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
    found: set[str] = set()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.split(maxsplit=5)[5:]
                found.update(item.rstrip("\n") for item in path if ".so" in item)
    except OSError:
        pass
    return sorted(path for path in found if not path.startswith((own, here)))


def answer(boot: str) -> dict[str, object]:
    """Has the C side look; returns what is written about it."""
    import json

    from scorehost import _core

    look = getattr(_core, "probe", None)
    if look is None:
        return {"refused": [], "degraded": [], "unable": "this build cannot"}
    try:
        found: dict[str, object] = json.loads(look(boot))
    except RuntimeError as error:
        return {"refused": [], "degraded": [], "unable": str(error)}
    files = found.get("files")
    found["files"] = [*(files if isinstance(files, list) else []), *mapped_files()]
    return found


def main() -> int:
    """Probes; the boot text comes on stdin, the report goes to what was stdout."""
    import json
    import signal

    signal.alarm(_ALARM_S)
    boot = sys.stdin.read()
    # What the script prints, and what C libraries print, is no report.
    out = os.dup(1)
    os.dup2(2, 1)
    with open(out, "w", encoding="ascii") as file:
        file.write(json.dumps(answer(boot)) + "\n")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # an interpreter that does not end is no reason to wait


if __name__ == "__main__":
    main()
