"""Our server answers as the reference does, but for what is listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .compare import Verdict, compare, idle_parts
from .differences import BY_STRICT_LIBRARY, DIFFERENCES, table
from .model import Answer
from .plays import PLAYS
from .record import Answers

README = (Path(__file__).resolve().parents[2]
          / "python" / "scorehost" / "README.md")
CASES = [name for play in PLAYS for name in play.case_names()]
Judge = Callable[[str, Answer, Answer], Verdict]


@pytest.mark.parametrize("case", CASES)
def test_we_answer_as_the_reference_did(
        case: str, recorded: Answers, our_answers: Answers,
        judge: Judge, strict_library: bool) -> None:
    """Status, body, headers, log lines and exit code of one case."""
    if strict_library and case in BY_STRICT_LIBRARY:
        ours = our_answers[case]
        assert ours.get("status") in BY_STRICT_LIBRARY[case]
        if ours.get("status") != 200:
            assert not any(" 200 " in line for line in ours.get("stdout", ()))
        return
    verdict = judge(case, recorded[case], our_answers[case])
    assert not verdict.mismatches, "\n".join(map(str, verdict.mismatches))


def test_each_listed_difference_differs(
        recorded: Answers, our_answers: Answers) -> None:
    """A listed difference that is none any more has to go from the list."""
    verdict = Verdict()
    for case, answer in our_answers.items():
        compare(case, recorded[case], answer, DIFFERENCES, verdict)
    idle = idle_parts(DIFFERENCES, verdict)
    assert not idle, "\n".join(f"{name}: {part}" for name, part in idle)


@pytest.mark.parametrize("play", [play.name for play in PLAYS])
def test_the_reference_answers_as_it_did(
        play: str, recorded: Answers, reference_answers: Answers) -> None:
    """The record is true, as far as the reference can be asked again."""
    verdict = Verdict()
    for case, answer in reference_answers.items():
        if case.startswith(f"{play}/"):
            compare(case, recorded[case], answer, (), verdict)
    assert not verdict.mismatches, "\n".join(map(str, verdict.mismatches))


def test_the_readme_has_the_table() -> None:
    """Who reads the README finds each difference, and no other."""
    text = README.read_text(encoding="utf-8")
    rows = table().splitlines()
    begin = text.find(rows[0])
    assert begin >= 0, f"{README} has no table of differences"
    shown = text[begin:].split("\n\n")[0].splitlines()
    assert shown == rows, "python -m differential.differences prints the table"
