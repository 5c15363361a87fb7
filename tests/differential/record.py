"""The recorded answers of the reference: reading and writing them.

The answers under the base Python stand in ``recorded/reference.json``; those
that another Python changes (its error texts, the packages to be had for it)
in a file of its own.  Lines that most answers have in common are folded.

Run as a program to record anew::

    python -m differential.record [--python PYTHON]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Union

from . import reference
from .model import Answer
from .plays import PLAYS
from .run import collect_apart

FOLDER = Path(__file__).resolve().parent / "recorded"
BASE = "3.11"

Answers = dict[str, Answer]
Blocks = dict[str, list[str]]

#: Runs of lines to fold: name, case and list they stand in, first and last.
_FOLDED = (
    ("<banner: head>", "echo/@start", "stdout", "<time> I", "-----"),
    ("<banner: middle>", "echo/@start", "stdout", "Config File", "Worker T"),
    ("<banner: end>", "echo/@start", "stdout", "Application Insights Enabled",
     "Initializing logger"),
    ("<worker: init>", "echo/@start", "stdout",
     "<time> I [<worker>] azmlinfsrv.user_script - run() is not",
     "<time> I [<worker>] azmlinfsrv - Worker with pid"),
    ("<gunicorn: start>", "echo/@start", "stderr", "<time> I", "<time> I [<w"),
    ("<gunicorn: stop>", "echo/@stop", "stderr", "<time> I [<host>]",
     "<time> I [<host>] gunicorn.error - Shutting"),
    ("<headers: 200>", "echo/json", "headers", "Date", "x-request-id"),
    ("<headers: 500>", "failures/value", "headers", "Date", "x-request-id"),
)


def path_for(minor: str) -> Path:
    """Give the file for a Python's minor version."""
    name = "reference.json" if minor == BASE else f"python-{minor}.json"
    return FOLDER / name


def load(minor: Union[str, None] = None) -> Answers:
    """Read what the reference answers under a Python version.

    For a version that nothing was recorded for, the nearest older one counts.
    """
    answers = _read(path_for(BASE))
    other = _nearest(minor or reference.minor())
    if other and other != BASE:
        for case, answer in _read(path_for(other)).items():
            answers[case] = answer
    return answers


def _nearest(minor: str) -> str:
    known = [_number(path.stem.partition("-")[2]) + (path.stem[7:],)
             for path in FOLDER.glob("python-*.json")]
    known.append(_number(BASE) + (BASE,))
    fitting = [item for item in known if item[:2] <= _number(minor)]
    return max(fitting or known)[2]


def _number(minor: str) -> tuple[int, int]:
    major, _, rest = minor.partition(".")
    return int(major), int(rest)


def save(answers: Answers, minor: str) -> None:
    """Write answers: all for the base Python, what differs for another."""
    if minor != BASE:
        base = _read(path_for(BASE))
        answers = {case: answer for case, answer in answers.items()
                   if base.get(case) != answer}
        blocks: Blocks = {}
    else:
        blocks = _blocks(answers)
    folded = {case: fold(answer, blocks) for case, answer in answers.items()}
    document = {"blocks": blocks, "answers": folded}
    text = json.dumps(document, indent=0, sort_keys=True, ensure_ascii=False)
    path_for(minor).write_text(text + "\n", encoding="utf-8")


def _read(path: Path) -> Answers:
    document = json.loads(path.read_text(encoding="utf-8"))
    blocks = document["blocks"]
    return {case: unfold(answer, blocks)
            for case, answer in document["answers"].items()}


def _blocks(answers: Answers) -> Blocks:
    blocks = {}
    for name, case, key, first, last in _FOLDED:
        lines = answers[case][key]
        begin = next(n for n, line in enumerate(lines)
                     if line.startswith(first))
        end = next(n for n, line in enumerate(lines)
                   if n > begin and line.startswith(last))
        blocks[name] = lines[begin:end + 1]
    return blocks


def fold(answer: Answer, blocks: Blocks) -> Answer:
    """Replace known runs of lines in the lists of an answer by their names."""
    return {key: _fold_list(value, blocks) if isinstance(value, list) else value
            for key, value in answer.items()}


def _fold_list(lines: Sequence[Any], blocks: Blocks) -> list[Any]:
    out: list[Any] = []
    at = 0
    while at < len(lines):
        for name, block in blocks.items():
            if lines[at:at + len(block)] == block:
                out.append(name)
                at += len(block)
                break
        else:
            out.append(lines[at])
            at += 1
    return out


def unfold(answer: Answer, blocks: Blocks) -> Answer:
    """Undo fold()."""
    return {key: _unfold_list(value, blocks) if isinstance(value, list)
            else value for key, value in answer.items()}


def _unfold_list(lines: Iterable[Any], blocks: Blocks) -> list[Any]:
    out: list[Any] = []
    for line in lines:
        block = blocks.get(line) if isinstance(line, str) else None
        out += [line] if block is None else block
    return out


def main() -> int:
    """Record the answers of the reference."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--from", dest="source", type=Path,
                        help="answers that differential.collect wrote")
    parser.add_argument("--play", action="append", default=[],
                        help="record these anew and keep the others")
    arguments = parser.parse_args()
    minor = reference.minor(arguments.python)
    if arguments.source:
        answers = json.loads(arguments.source.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory() as folder:
            answers = collect_apart(reference.command(arguments.python),
                                    Path(folder), arguments.play)
    if arguments.play:
        known = {name for play in PLAYS for name in play.case_names()}
        kept = {case: answer for case, answer in load(minor).items()
                if case in known}
        answers = {**kept, **answers}
    save(answers, minor)
    print(f"{len(answers)} answers of Python {minor}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
