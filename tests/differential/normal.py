"""Taking out of an observation what differs from run to run.

Identities, times, process ids, ports and paths become names in angle
brackets.  Equal things stay equal: the first new uuid of an answer is
``<uuid-1>`` wherever it occurs.  Tracebacks keep the frames of the script and
lose those of the server and of Python itself, which no two servers share.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .model import Answer
from .wire import Received

#: Longer bodies and log lines are recorded by length and digest.
LONG = 6000

_UUID = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")
_RECORD = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([DIWEC]) \[(\d+)\] ")
_SCORE_TIME = re.compile(r"( \d+) \d+\.\d{3}ms (\d+|N/A)(?=\"|$)")
_ACCESS_DATE = re.compile(r"\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d ([+-]\d{4})\]")
_HTTP_DATE = re.compile(
    r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
_COOKIE_DATE = re.compile(r"Expires=\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")
_FRAME = re.compile(r'^  File "([^"]*)", line \d+')
_MARKERS = re.compile(r"^[ ~^]+$")
_PID = re.compile(r"(\bpid:? ?|Listening at: .* \()(\d+)")
_HEAD = re.compile(r"<time> \w \[<\w+>\] ")
_REPEATED = re.compile(r"Previous line repeated \d+ more times")
_OPTION = re.compile(r"^  (-\w, )?--\w+")
_OWN_CLASS = re.compile(
    r"^(?:azureml_inference_server_http|scorehost)(?:\.\w+)*\.(\w+)(?=:|$)")
_MILLISECONDS = re.compile(r"^\d+\.\d{3}$")


class Normaliser:
    """What is known of one server process, to name it in its output."""

    def __init__(self, app: Path, host_pid: int, ports: dict[str, int]) -> None:
        # The process that was started, and the one that serves below it.
        self.host_pids = {str(host_pid)}
        self.app = str(app)
        self._plain = [(self.app, "<dir>"), (str(app.parent), "<home>")]
        self._patterns = [
            (re.compile(rf"(?<![\w.-]){port}(?![\w-])"), f"<{name}>")
            for name, port in ports.items()]
        self._patterns += [
            (re.compile(r"/[^\s'\":]*/(?:azureml_inference_server_http|scorehost)"
                        r"(?=/)"), "<package>"),
            (re.compile(r"/[^\s'\":]*/(site|dist)-packages\b"), "<packages>"),
            (re.compile(r"/[^\s'\":]*/lib/python3\.?\d+(?=[/.']|$)"), "<stdlib>"),
            (re.compile(r"/[^\s'\":]*/bin(?=[/'])"), "<bin>"),
        ]

    def text(self, text: str) -> str:
        """Name the paths, ports and addresses in `text`."""
        for known, name in self._plain:
            text = text.replace(known, name)
        for pattern, name in self._patterns:
            text = pattern.sub(name, text)
        return _ADDRESS.sub("<address>", text)

    def lines(self, raw: Iterable[str]) -> list[str]:
        """Normalise the lines of one stream."""
        return [self._shorten(self._line(line))
                for line in without_server_frames(
                    without_help_text(raw), self.app)]

    def _line(self, line: str) -> str:
        record = _RECORD.match(line)
        if record:
            if " gunicorn.error - Using worker: " in line:
                self.host_pids.add(record.group(2))
            line = (f"<time> {record.group(1)} [{self._role(record.group(2))}] "
                    + line[record.end():])
        line = _SCORE_TIME.sub(r"\1 <ms> \2", line)
        line = _ACCESS_DATE.sub(r"[<date> \1]", line)
        line = _REPEATED.sub("Previous line repeated <n> more times", line)
        line = self._name_pids(line)
        return self.text(_OWN_CLASS.sub(r"<server>.\1", line))

    def _role(self, pid: str) -> str:
        return "<host>" if pid in self.host_pids else "<worker>"

    def _name_pids(self, line: str) -> str:
        # Only where a process id is meant: elsewhere a small one could be
        # any number.
        return _PID.sub(lambda found: found.group(1)
                        + self._role(found.group(2)), line)

    @staticmethod
    def _shorten(line: str) -> str:
        if len(line) <= LONG:
            return line
        head = _HEAD.match(line)
        start = head.end() if head else 0
        text = line[start:]
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return (f"{line[:start]}{text[:40]}..."
                f" <{len(text)} characters, {digest}>")


def without_help_text(raw: Iterable[str]) -> Iterable[str]:
    """Keep the names of the flags of a help text, and nothing of its prose."""
    inside = ""
    for line in raw:
        option = _OPTION.match(line)
        if line.startswith("usage: "):
            inside = "usage"
            yield "<usage>"
        elif line in ("options:", "optional arguments:"):
            inside = "options"
            yield "options:"
        elif inside == "options" and option:
            yield option.group()
        elif not (inside and line.startswith("        ")):
            inside = ""
            yield line


def without_server_frames(raw: Iterable[str], app: str) -> Iterable[str]:
    """Drop the frames of tracebacks that are not in files under `app`."""
    dropping = False
    for line in raw:
        frame = _FRAME.match(line)
        if frame:
            dropping = not frame.group(1).startswith(app)
        elif not line.startswith("    "):
            dropping = False
        if dropping or (line.startswith("    ") and _MARKERS.match(line)):
            continue
        yield line


def answer_of(got: Received, names: Normaliser) -> Answer:
    """Turn what was received into what is compared and recorded."""
    if got.ended:
        return {"ended": got.ended}
    answer: Answer = {
        "status": got.status,
        "version": got.version,
        "reason": got.reason,
        "headers": sorted((_header(name, value, names)
                           for name, value in got.headers), key=_by_name),
        "framing": got.framing,
        "body": _body(got.body, names),
    }
    if not got.complete:
        answer["complete"] = False
        answer["broken by"] = got.broken_by
    if got.interim:
        answer["interim"] = got.interim
    return answer


def _by_name(line: str) -> str:
    return line.split(":", 1)[0].lower()


def _header(name: str, value: str, names: Normaliser) -> str:
    lower = name.lower()
    if lower == "date" and _HTTP_DATE.match(value):
        value = "<date>"
    elif lower == "x-ms-run-fn-exec-ms" and _MILLISECONDS.match(value):
        value = "<ms>"
    elif lower == "allow":
        value = ", ".join(sorted(value.split(", ")))
    elif lower == "set-cookie":
        value = _COOKIE_DATE.sub("Expires=<date>", value)
    return f"{name}: {names.text(value)}"


def _body(body: bytes, names: Normaliser) -> Any:
    if len(body) > LONG:
        return {"bytes": len(body),
                "sha256": hashlib.sha256(body).hexdigest()}
    try:
        return names.text(body.decode())
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def name_uuids(answer: Answer) -> Answer:
    """Number the new uuids of an answer in the order of their appearance."""
    seen: dict[str, str] = {}

    def named(text: str) -> str:
        return _UUID.sub(lambda found: seen.setdefault(
            found.group(), f"<uuid-{len(seen) + 1}>"), text)

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return named(value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return value

    result: Answer = walk(answer)
    return result
