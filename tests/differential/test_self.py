"""The suite notices what it is there to notice."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from . import normal, wire
from .compare import Difference, Here, Lines, Verdict, compare, idle_parts
from .model import Answer, Play, Request
from .plays import PLAYS
from .record import Answers, fold, unfold
from .server import lay_out

CASE = "echo/json"

Change = Callable[[Answer], None]


def _set(key: str, value: object) -> Change:
    def change(answer: Answer) -> None:
        answer[key] = value
    return change


def _header(change: Callable[[list[str]], None]) -> Change:
    return lambda answer: change(answer["headers"])


CHANGES: dict[str, tuple[str, Change]] = {
    "status": ("status", _set("status", 201)),
    "body": ("body", _set("body", "{}")),
    "reason": ("reason", _set("reason", "Ok")),
    "framing": ("framing", _set("framing", "chunked")),
    "closed": ("ended", _set("ended", "closed")),
    "header gone": ("header content-type",
                    _header(lambda lines: lines.remove(
                        "Content-Type: application/json"))),
    "header new": ("header x-new", _header(
        lambda lines: lines.append("X-New: 1"))),
    "header twice": ("header x-request-id", _header(
        lambda lines: lines.append("x-request-id: <uuid-1>"))),
    "header value": ("header server", _header(
        lambda lines: lines.__setitem__(
            lines.index("Server: gunicorn"), "Server: other"))),
    "header spelling": ("header server", _header(
        lambda lines: lines.__setitem__(
            lines.index("Server: gunicorn"), "server: gunicorn"))),
    "log line gone": ("stdout", lambda answer: answer["stdout"].pop()),
    "log lines swapped": ("stdout",
                          lambda answer: answer["stdout"].reverse()),
    "stderr": ("stderr", lambda answer: answer["stderr"].append("oops")),
}


def _verdict(theirs: Answer, ours: Answer,
             *listed: Difference) -> Verdict:
    verdict = Verdict()
    compare(CASE, theirs, ours, listed, verdict)
    return verdict


def _difference(*parts: "Here | Lines") -> Difference:
    return Difference("made-up", "", "", "", "", parts)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_answer_is_noticed(name: str, recorded: Answers) -> None:
    """Each aspect of an answer counts, and only the changed one is named."""
    aspect, change = CHANGES[name]
    changed = copy.deepcopy(recorded[CASE])
    change(changed)
    found = _verdict(recorded[CASE], changed).mismatches
    assert [item.aspect for item in found] == [aspect]
    assert aspect in str(found[0])


def test_equal_answers_are_equal(recorded: Answers) -> None:
    """No case of the record differs from itself."""
    for case, answer in recorded.items():
        verdict = Verdict()
        compare(case, answer, copy.deepcopy(answer), (), verdict)
        assert not verdict.mismatches


def test_a_listed_difference_passes(recorded: Answers) -> None:
    """What is listed, and looks as listed, is no mismatch."""
    ours = {**recorded[CASE], "status": 202}
    listed = _difference(Here((CASE,), {"status": "200"}, {"status": "20[12]"}))
    verdict = _verdict(recorded[CASE], ours, listed)
    assert not verdict.mismatches
    assert not idle_parts([listed], verdict)


@pytest.mark.parametrize("always", (True, False))
def test_a_listed_difference_has_to_look_as_listed(
        always: bool, recorded: Answers) -> None:
    """Another difference in the same place is a mismatch."""
    ours = {**recorded[CASE], "status": 500}
    listed = _difference(Here((CASE,), {"status": "200"}, {"status": "202"},
                              always=always))
    found = _verdict(recorded[CASE], ours, listed).mismatches
    assert [item.note for item in found] == ["not the difference that is listed"]


def test_a_listed_difference_has_to_differ(recorded: Answers) -> None:
    """What is listed for a case and does not differ there is a mismatch."""
    listed = _difference(Here((CASE,), {"status": "200"}, {"status": "200"}))
    verdict = _verdict(recorded[CASE], recorded[CASE], listed)
    assert [item.note for item in verdict.mismatches] \
        == ["listed, but does not differ"]


def test_a_difference_of_some_cases_may_not_be_idle(
        recorded: Answers) -> None:
    """What may differ in many cases has to differ in one."""
    here = Here(("*",), {"reason": "OK"}, {"reason": "Okay"}, always=False)
    lines = Lines("stdout", theirs="no such line")
    listed = _difference(here, lines)
    verdict = _verdict(recorded[CASE], recorded[CASE], listed)
    assert not verdict.mismatches
    assert [part for _, part in idle_parts([listed], verdict)] == [here, lines]


def test_listed_lines_are_left_out(recorded: Answers) -> None:
    """Lines of one side alone are taken out whole, and only those."""
    ours = copy.deepcopy(recorded[CASE])
    ours["stdout"].insert(0, "one more line")
    listed = _difference(Lines("stdout", ours="one more .*"))
    verdict = _verdict(recorded[CASE], ours, listed)
    assert not verdict.mismatches
    assert not idle_parts([listed], verdict)
    ours["stdout"].insert(0, "and yet one more line")
    assert _verdict(recorded[CASE], ours, listed).mismatches


def test_every_case_is_recorded(recorded: Answers) -> None:
    """The record has the table's cases and no others."""
    cases = {name for play in PLAYS for name in play.case_names()}
    assert set(recorded) == cases


def test_no_case_of_the_record_names_its_machine() -> None:
    """Nothing in the record depends on where it was made."""
    for path in (Path(__file__).parent / "recorded").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        for word in ("/tmp/", "/root/", "/home/", "site-packages", "venv"):
            assert word not in text, f"{word} in {path.name}"


def test_folding_loses_nothing() -> None:
    """What is folded comes back as it was."""
    blocks = {"<x>": ["a", "b"]}
    answer: Answer = {"stdout": ["a", "a", "b", "c", "b"], "exit": 0}
    assert fold(answer, blocks)["stdout"] == ["a", "<x>", "c", "b"]
    assert unfold(fold(answer, blocks), blocks) == answer


def test_equal_ids_stay_equal() -> None:
    """New uuids are told apart by number within one answer."""
    one, two = (f"{n}b671a64-40d5-491e-99b0-da01ff1f3341" for n in (1, 2))
    named = normal.name_uuids({"headers": [one, two, one]})
    assert named == {"headers": ["<uuid-1>", "<uuid-2>", "<uuid-1>"]}


def test_only_what_is_a_port_or_a_pid_is_named() -> None:
    """A number that happens to be the port or the pid keeps its place."""
    names = normal.Normaliser(Path("/home/x/app"), 12, {"port": 21000})
    stamp = "2026-01-02 03:04:05,678"
    assert names.lines([
        f"{stamp} I [12] azmlinfsrv - POST /score 200 0.123ms 12",
        f"{stamp} I [13] a - Booting worker with pid: 13",
        "id d21000d1-0000 at :21000/"]) == [
            "<time> I [<host>] azmlinfsrv - POST /score 200 <ms> 12",
            "<time> I [<worker>] a - Booting worker with pid: <worker>",
            "id d21000d1-0000 at :<port>/"]


def test_frames_of_the_script_are_kept() -> None:
    """Of a traceback, what is the script's stays and the rest goes."""
    text = ["Traceback (most recent call last):",
            '  File "/lib/server.py", line 1, in serve', "    run(data)",
            "    ^^^^^^^^^",
            '  File "/app/score.py", line 2, in run', "    return 1 / 0",
            "           ~~^~~", "ZeroDivisionError: division by zero"]
    assert list(normal.without_server_frames(text, "/app")) == [
        text[0], text[4], text[5], text[7]]


def test_a_request_is_sent_as_written() -> None:
    """Host and length are added where they are missing, nothing else."""
    request = Request("r", "POST", "/x", (("A", "b"),), b"12")
    assert request.encode() == (b"POST /x HTTP/1.1\r\nHost: score.example\r\n"
                                b"A: b\r\nContent-Length: 2\r\n\r\n12")
    assert Request("r", raw=b"as it is").encode() == b"as it is"


def test_answers_can_be_written_as_json(recorded: Answers) -> None:
    """A received answer becomes plain JSON, whatever its bytes."""
    names = normal.Normaliser(Path("/app"), 1, {"port": 21000})
    got = wire.Received(200, "HTTP/1.1", "OK", [("A", "b")], b"\xff")
    assert json.loads(json.dumps(normal.answer_of(got, names)))["body"] \
        == {"base64": "/w=="}


def test_the_scripts_of_the_table_are_there(tmp_path: Path) -> None:
    """Each play can be laid out."""
    for number, play in enumerate(PLAYS):
        lay_out(play, tmp_path / str(number))
    assert any(isinstance(play, Play) for play in PLAYS)
