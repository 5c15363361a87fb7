"""Finding what differs between two answers, and what of it is listed.

An answer is taken apart into *aspects*: its status, its body, each of its
headers by name, each of its streams.  All of them have to be equal but for
what a listed difference covers.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from .model import Answer

Aspects = dict[str, str]

#: A regular expression for the whole text of an aspect; None: it is absent.
Pattern = Union[str, None]

#: Whatever the aspect is, there or not.
WHATEVER = "<whatever>"

STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class Here:
    """In some cases, some aspects look so there and so here."""

    cases: tuple[str, ...]
    theirs: Mapping[str, Pattern]
    ours: Mapping[str, Pattern]
    #: Each of the cases differs; else at least one of them does.
    always: bool = True
    #: Cases that `cases` matches and that are not meant.
    but: tuple[str, ...] = ()

    def covers(self, case: str) -> bool:
        """Tell whether this is about a case."""
        return matches(case, self.cases) and not matches(case, self.but)


@dataclass(frozen=True)
class Lines:
    """Log lines that only one side writes, or that each words its own way."""

    stream: str
    theirs: Pattern = None
    ours: Pattern = None
    cases: tuple[str, ...] = ("*",)
    but: tuple[str, ...] = ()

    def covers(self, case: str) -> bool:
        """Tell whether this is about a case."""
        return matches(case, self.cases) and not matches(case, self.but)


Part = Union[Here, Lines]


@dataclass(frozen=True)
class Difference:
    """A difference that is meant, as the README lists it."""

    id: str
    what: str
    theirs: str
    ours: str
    why: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Mismatch:
    """One aspect of one case that is not as it has to be."""

    case: str
    aspect: str
    theirs: Pattern
    ours: Pattern
    note: str = ""

    def __str__(self) -> str:
        lines = [f"{self.case}: {self.aspect}"
                 + (f" ({self.note})" if self.note else "")]
        if self.aspect in STREAMS:
            lines += difflib.unified_diff(
                (self.theirs or "").split("\n"), (self.ours or "").split("\n"),
                "reference", "ours", lineterm="", n=1)
        else:
            lines += [f"  reference: {self.theirs}", f"  ours:      {self.ours}"]
        return "\n".join(lines)


@dataclass
class Verdict:
    """What comparing some cases came to."""

    mismatches: list[Mismatch] = field(default_factory=list)
    #: Parts of listed differences that have been seen to differ.
    effective: set[int] = field(default_factory=set)
    #: Parts that cover a case that was compared.
    reached: set[int] = field(default_factory=set)


def matches(case: str, patterns: Iterable[str]) -> bool:
    """Tell whether a case's id matches one of some shell patterns."""
    return any(fnmatch.fnmatchcase(case, pattern) for pattern in patterns)


def without_roles(answer: Answer) -> Answer:
    """Give an answer in which host and worker are one process."""
    return {name: [line.replace("<host>", "<worker>") for line in value
                   if not line.endswith(") exited with code 3")]
            if name in STREAMS else value for name, value in answer.items()}


def aspects_of(answer: Answer) -> Aspects:
    """Take an answer apart."""
    aspects: Aspects = {}
    for name, value in answer.items():
        if name == "headers":
            for line in value:
                key = "header " + line.split(":", 1)[0].lower()
                aspects[key] = _joined(aspects.get(key), line)
        elif name in STREAMS:
            aspects[name] = "\n".join(value)
        else:
            aspects[name] = value if isinstance(value, str) else json.dumps(value)
    return aspects


def _joined(before: Union[str, None], line: str) -> str:
    return line if before is None else f"{before}\n{line}"


def compare(case: str, theirs: Answer, ours: Answer,
            listed: Iterable[Difference], verdict: Verdict) -> None:
    """Compare two answers to one case; add what is wrong to `verdict`."""
    left, right = aspects_of(theirs), aspects_of(ours)
    parts = [part for difference in listed for part in difference.parts
             if part.covers(case)]
    verdict.reached.update(map(id, parts))
    for part in parts:
        if isinstance(part, Lines):
            _without_lines(part, left, right, verdict)
    settled: set[str] = set()
    # What is said of a case itself goes before what is said of all.
    places = [part for part in parts if isinstance(part, Here)]
    for part in sorted(places, key=lambda part: not part.always):
        names = {*part.theirs, *part.ours} - settled
        settled |= _listed(case, part, names, left, right, verdict)
    for aspect in sorted({*left, *right} - settled):
        if left.get(aspect) != right.get(aspect):
            verdict.mismatches.append(Mismatch(
                case, aspect, left.get(aspect), right.get(aspect)))


def _without_lines(part: Lines, left: Aspects, right: Aspects,
                   verdict: Verdict) -> None:
    cut = []
    for side, pattern in ((left, part.theirs), (right, part.ours)):
        found: list[str] = []
        if pattern is not None and part.stream in side:
            side[part.stream], found = _cut(pattern, side[part.stream])
        cut.append(found)
    if cut[0] != cut[1]:
        verdict.effective.add(id(part))


def _cut(pattern: str, text: str) -> tuple[str, list[str]]:
    """Take whole lines out of a text; give the rest and what was taken."""
    whole = re.compile(rf"^(?:{pattern})\n", re.MULTILINE)
    found = [match.group() for match in whole.finditer(text + "\n")]
    return whole.sub("", text + "\n")[:-1], found


def _listed(case: str, part: Here, names: set[str], left: Aspects,
            right: Aspects, verdict: Verdict) -> set[str]:
    """Check one listed difference; give the aspects that it settles."""
    differs = any(left.get(name) != right.get(name) for name in names)
    if not differs:
        if part.always:
            verdict.mismatches.append(Mismatch(
                case, ", ".join(sorted(names)), _shown(names, left),
                _shown(names, right), "listed, but does not differ"))
        return set()
    settled = set()
    for name in names:
        fits = (_fits(part.theirs.get(name), left.get(name))
                and _fits(part.ours.get(name), right.get(name)))
        if fits:
            settled.add(name)
        elif part.always or left.get(name) != right.get(name):
            settled.add(name)
            verdict.mismatches.append(Mismatch(
                case, name, left.get(name), right.get(name),
                "not the difference that is listed"))
    verdict.effective.add(id(part))
    return settled


def _shown(names: set[str], aspects: Aspects) -> str:
    return json.dumps({name: aspects.get(name) for name in sorted(names)})


def _fits(pattern: Pattern, text: Any) -> bool:
    if pattern == WHATEVER:
        return True
    if pattern is None or text is None:
        return pattern is None and text is None
    return re.fullmatch(pattern, text, re.DOTALL) is not None


def idle_parts(listed: Iterable[Difference],
               verdict: Verdict) -> list[tuple[str, Part]]:
    """Give the parts of listed differences that were reached and made none."""
    return [(difference.id, part) for difference in listed
            for part in difference.parts
            if id(part) in verdict.reached and id(part) not in verdict.effective]
