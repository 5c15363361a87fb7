"""The header Server-Timing: where the time of a request went, for those who want to know."""

from __future__ import annotations

import re
import time

import pytest

from .conftest import Make
from .host import Host
from .wire import Response, request

STAGES = ["read", "queue", "wait", "run", "write"]

_STAGE = re.compile(r"([a-z]+);dur=(\d+\.\d{3})")


def stages(response: Response) -> dict[str, float]:
    """The header as milliseconds by stage; its form is checked."""
    value = response.get("server-timing")
    assert value, response.headers
    found = {}
    for part in value.split(", "):
        stage = _STAGE.fullmatch(part)
        assert stage, value
        found[stage[1]] = float(stage[2])
    return found


@pytest.fixture
def lab(host: Make) -> Host:
    """A host that tells where the time went."""
    return host("lab.py", "--server_timing")


def test_the_stages_make_up_the_time(lab: Host) -> None:
    begun = time.monotonic()
    response = lab.do("sleep", seconds=0.1)
    took_ms = (time.monotonic() - begun) * 1000
    found = stages(response)
    assert list(found) == STAGES
    assert 100 <= found["run"] <= took_ms
    assert float(response.get("x-ms-run-fn-exec-ms") or 0) == found["run"]
    assert sum(found.values()) <= took_ms


def test_waiting_for_others_is_told_apart(lab: Host) -> None:
    begun = time.monotonic()
    running = lab.gate("first")
    waiting = lab.do_later("nothing")
    lab.wait_read(waiting)
    before_ms = (time.monotonic() - begun) * 1000
    assert not waiting.is_answered(0.2)
    opened = time.monotonic()
    lab.open("first")
    first, second = stages(running.result()), stages(waiting.result())
    after_ms = (time.monotonic() - opened) * 1000
    assert first["run"] >= 200 and first["queue"] <= before_ms
    assert second["queue"] >= 190 and second["run"] <= after_ms


def test_a_slow_body_is_the_clients_time(lab: Host) -> None:
    with lab.connect() as connection:
        body = b'{"do": "nothing"}'
        whole = request(body=body)
        lab.wait_read(connection.send(whole[:-5]))
        time.sleep(0.15)  # the time itself is what is looked for
        begun = time.monotonic()
        found = stages(connection.send(whole[-5:]).response())
        took_ms = (time.monotonic() - begun) * 1000
    assert found["read"] >= 140
    assert found["queue"] + found["wait"] + found["run"] <= took_ms


def test_the_general_road_too(host: Make) -> None:
    """GET goes through Python's side, which makes the arguments first."""
    server = host("echo.py", "--server_timing")
    response = server.ask("GET", "/score?a=1")
    assert list(stages(response)) == STAGES


def test_failures_tell_what_is_known(host: Make) -> None:
    hasty = host("lab.py", "--server_timing", env={"SCORING_TIMEOUT_MS": "200"})
    timed_out = stages(hasty.do("sleep", seconds=20))
    assert list(timed_out) == ["read", "queue", "run"] and timed_out["run"] >= 195
    lab = host("lab.py", "--server_timing")
    assert list(stages(lab.do("raise"))) == STAGES
    running = lab.gate("first")
    late = lab.impatient(60, "nothing").result()
    assert late.status == 504 and list(stages(late)) == ["read", "queue"]
    refused = lab.impatient("soon", "nothing").result()
    assert refused.status == 400 and list(stages(refused)) == ["read"]
    running.connection.reset()


@pytest.mark.kinds("process", why="a crash inside the host ends it")
def test_a_crash_tells_what_is_known(lab: Host) -> None:
    assert list(stages(lab.do("segv"))) == ["read", "queue", "run"]


def test_a_stream_tells_of_its_begin(host: Make) -> None:
    server = host("drip.py", "--server_timing")
    (server.app / "item0.open").touch()
    response = server.post("1")
    assert response.body == b"0" and list(stages(response)) == STAGES


def test_what_is_no_scoring_has_no_stages(host: Make) -> None:
    server = host("echo.py", "--server_timing")
    for target in ("/", "/swagger.json", "/nowhere"):
        assert server.ask("GET", target).get("server-timing") is None


def test_nobody_is_told_who_did_not_ask(host: Make) -> None:
    server = host("lab.py")
    assert server.do("nothing").get("server-timing") is None
    assert server.do("raise").get("server-timing") is None
