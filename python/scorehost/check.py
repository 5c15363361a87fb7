"""`scorehost check`: what a script is, what it does, and which worker fits it.

The script is loaded in a process of its own, never in this one, by the same
code that serves it. What is found out is a plain dict, which `--json` prints
and `scorehost.checktext` writes for people.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from typing import Any

from scorehost import failures, hostconfig, kinds, probe, settings

#: The oldest Python whose subinterpreters can be asked.
_FIRST_PROBED = (3, 12, 4)

_TYPES = {".json": "application/json", ".csv": "text/csv", ".txt": "text/plain"}
_BINARY = "application/octet-stream"

#: An init() that takes longer is not called once more by the probe.
_MAX_INIT_MS = 5000

#: How much of what the script wrote is kept.
_MAX_OUTPUT = 64 * 1024

_FRAME = re.compile(r'^ +File "([^"]+)", line (\d+) in (\S+)', re.M)


class Usage(Exception):
    """The command line makes no sense; the text says why."""


class Order:
    """What is to be checked, and how."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.sample = ""
        self.headers: list[str] = []
        self.model_dir = ""
        self.worker_kind = ""
        self.init = True
        self.timeout_s = 600.0

    def flags(self) -> dict[str, object]:
        """The flags of azmlinfsrv that say the same."""
        found: dict[str, object] = {"entry_script": self.script}
        if self.model_dir:
            found["model_dir"] = self.model_dir
        if self.worker_kind:
            found["worker_kind"] = self.worker_kind
        return found


def read_sample(text: str, headers: list[str]) -> dict[str, object] | None:
    """A sample given as a file or as JSON, and headers; Usage for what is neither."""
    pairs = [[part.strip() for part in header.partition(":")[::2]] for header in headers]
    if not all(name and ":" in header for (name, _), header in zip(pairs, headers)):
        raise Usage("--header: write NAME:VALUE")
    if not text:
        return None
    if os.path.isfile(text):
        try:
            with open(text, "rb") as file:
                data = file.read()
        except OSError as error:
            raise Usage(f"--sample: {error}") from None
        kind = _TYPES.get(os.path.splitext(text)[1].lower(), _BINARY)
    else:
        try:
            json.loads(text)
        except ValueError as error:
            raise Usage(f"--sample is no file that is there, and no JSON: {error}") from None
        data, kind = text.encode(), "application/json"
    if any(name.lower() == "content-type" for name, _ in pairs):
        kind = ""
    return {"body": base64.b64encode(data).decode("ascii"), "type": kind, "headers": pairs}


def examine(order: Order) -> dict[str, Any]:
    """Does it all; the report. Usage when there is nothing to look at."""
    if not os.path.isfile(order.script):
        raise Usage(f"there is no file {order.script}")
    if order.model_dir and not os.path.isdir(order.model_dir):
        raise Usage(f"--model_dir: there is no folder {order.model_dir}")
    sample = read_sample(order.sample, order.headers)
    file_path, file = _prepare(order)
    keys, problems = hostconfig.new_keys(os.environ, order.flags(), file)
    conf, _ = settings.load(os.environ, file)  # what is wrong here, the dry run says
    boot: dict[str, object] = {
        "argv": [sys.argv[0], "--entry_script", order.script],
        "config_file": file_path,
        "path0": sys.path[0],
    }
    report = _dry_run({"boot": boot, "init": order.init, "sample": sample}, order.timeout_s)
    report.setdefault("failure", None)
    for key, reason in problems:
        report["failure"] = failures.told("settings", f"{key}: {reason}", f"Set {key} right.")
    _choose(report, keys, conf, boot)
    _add_warnings(report)
    report["script"] = os.path.realpath(order.script)
    report["good"] = report["failure"] is None
    return report


def _prepare(order: Order) -> tuple[str, dict[str, object]]:
    """Settles the environment as the server does; the configuration file and its path."""
    environ, given = os.environ, order.flags()
    environ.pop("AZUREML_DEBUG_PORT", None)  # nobody waits for a debugger here
    hostconfig.set_places(environ, given)
    path = settings.find_file(environ)
    try:
        file = settings.read_file(path)
    except settings.ConfigFileError:
        file = {}
    hostconfig.set_ports(environ, given, file)
    hostconfig.set_names(environ, given)
    return os.path.abspath(path) if path else "", file


# The dry run


def _dry_run(spec: dict[str, object], timeout_s: float) -> dict[str, Any]:
    """Runs the process and gathers what it tells."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(
            [sys.executable, *probe._flags(), "-m", "scorehost.dryrun", str(writing)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            start_new_session=True,
        )
        os.close(writing)
        try:
            report = _listen(child, reading, json.dumps(spec).encode(), timeout_s)
        finally:
            probe._end(child)
            os.close(reading)
        report["output"] = _tail(output.fileno())
    if report["phase"] != "done" and "failure" not in report:
        report["failure"] = _how_it_ended(report, child.returncode, timeout_s)
    return report


def _listen(
    child: subprocess.Popen[bytes], reading: int, spec: bytes, timeout_s: float
) -> dict[str, Any]:
    """Reads facts until all are told, the process has ended, or time is up."""
    import select

    assert child.stdin is not None
    try:
        child.stdin.write(spec)
        child.stdin.close()
    except BrokenPipeError:
        pass  # it ended at once: its exit code is told
    report: dict[str, Any] = {"phase": "start", "memory": {}}
    until = time.monotonic() + timeout_s
    rest = b""
    while report["phase"] != "done":
        left = until - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            report["late"] = True
            return report
        data = os.read(reading, 1 << 16)
        if not data:
            child.wait()
            return report
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            _merge(report, json.loads(line))
    return report


def _merge(report: dict[str, Any], facts: dict[str, Any]) -> None:
    report["memory"].update(facts.pop("memory", {}))
    report.update(facts)


def _tail(fd: int) -> str:
    """The end of what the script wrote."""
    size = os.lseek(fd, 0, os.SEEK_END)
    data = os.pread(fd, _MAX_OUTPUT, max(0, size - _MAX_OUTPUT))
    return data.decode("utf-8", "replace")


_DOING = {
    "start": "Starting Python",
    "settings": "Reading the settings",
    "import": "Importing the script",
    "init": "init()",
    "schema": "Reading the schema",
    "run": "run()",
}


def _how_it_ended(report: dict[str, Any], code: int, timeout_s: float) -> dict[str, object]:
    """The failure of a dry run that did not come to its end."""
    phase = str(report["phase"])
    doing = _DOING.get(phase, phase)
    if report.pop("late", False):
        told = f"{doing} took longer than {timeout_s:g} s"
        return failures.told(phase, told, "Make it quicker, or allow more: --timeout SECONDS.")
    if code >= 0:
        told = f"{doing} ended the process with exit code {code}"
        return failures.told(phase, told, "Raise an exception instead of ending the process.")
    name = probe.signal_name(-code)
    hint = "It crashed in native code: look at the extension modules that the line uses."
    if name == "SIGKILL":
        hint = "Something killed it; most often memory ran out: look at dmesg."
    failure = failures.told(phase, f"{doing} ended the process by {name}", hint)
    failure["where"] = _last_frame(str(report["output"]))
    return failure


def _last_frame(output: str) -> dict[str, object] | None:
    """Where a crash was, as faulthandler writes it."""
    for file, line, function in _FRAME.findall(output):
        if failures.is_users(file):
            name = function.removeprefix("<module>")
            return {"file": file, "line": int(line), "function": name}
    return None


# The kind


def _choose(
    report: dict[str, Any],
    keys: dict[str, object],
    conf: settings.Settings,
    boot: dict[str, object],
) -> None:
    """Adds which kind fits and why, and what subinterpreters make of the script."""
    seen = _probe(report, boot)
    choice = kinds.choose(keys, conf, boot, probed=seen)
    name = os.path.basename(kinds.script_file(conf))
    reason = seen.unable or seen.error or seen.unfit(name)
    report["kind"] = {"chosen": choice.kind, "reason": choice.reason}
    report["subinterpreters"] = {
        "loads": None if seen.unable or seen.error else not reason,
        "reason": reason or f"{name} loads in subinterpreters",
        "refused": seen.refused,
        "degraded": seen.degraded,
    }
    if choice.kind == kinds.INTERPRETER and reason and report["failure"] is None:
        told = f"The script cannot run in interpreters: {reason}"
        report["failure"] = failures.told("kind", told, "Use --worker_kind process, or auto.")


def _probe(report: dict[str, Any], boot: dict[str, object]) -> probe.Report:
    """Probes a script that can be imported, where that is possible."""
    if "import_ms" in report and sys.version_info >= _FIRST_PROBED:
        # Many models are imported with what loads them: look there, too.
        is_quick = report.get("init_ms", _MAX_INIT_MS) < _MAX_INIT_MS
        return probe.run(boot | {"init": is_quick and report["failure"] is None})
    seen = probe.Report()
    if "import_ms" in report:
        seen.unable = "subinterpreters need CPython 3.12.4 or newer"
    else:
        seen.error = "the script cannot be imported"
    return seen


def _add_warnings(report: dict[str, Any]) -> None:
    """Adds what can be told from here alone."""
    warnings = report.setdefault("warnings", [])
    prints = report.get("prints_in_run", 0)
    if prints:
        warnings.append(
            f"run() prints {prints} time(s): each becomes a line in the log of every request."
        )
    if report["subinterpreters"]["degraded"] and report["kind"]["chosen"] == kinds.INTERPRETER:
        names = ", ".join(report["subinterpreters"]["degraded"])
        warnings.append(f"In interpreters these go on in slower Python: {names}.")
