"""Our server answers as the reference does, but for what is listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .compare import Verdict, compare, idle_parts
from .differences import DIFFERENCES
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
        judge: Judge) -> None:
    """Status, body, headers, log lines and exit code of one case."""
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


def test_the_readme_lists_each_difference() -> None:
    """Who reads the README finds each difference by its id."""
    text = README.read_text(encoding="utf-8")
    missing = [item.id for item in DIFFERENCES if f"`{item.id}`" not in text]
    assert not missing, f"not in {README.name}: {missing}"


def test_the_readme_lists_nothing_else() -> None:
    """A row of the README's table is a difference that the suite knows."""
    text = README.read_text(encoding="utf-8")
    known = {item.id for item in DIFFERENCES}
    rows = [line.split("`")[1] for line in text.splitlines()
            if line.startswith("| `")]
    unknown = [name for name in rows if name not in known
               and "differential" in text and _is_id(name)]
    assert not unknown, f"not in differences.py: {unknown}"


def _is_id(name: str) -> bool:
    return name.islower() and "-" in name and not name.startswith("-")
