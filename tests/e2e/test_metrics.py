"""GET /metrics: what an operator sees of what happened, in every kind of worker."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import parser

from .conftest import Make
from .host import Host, Later, library_is_strict
from .page import Page, scrape, table
from .remote import Farm, farms
from .wire import request, until

README = Path(__file__).resolve().parents[2] / "python" / "scorehost" / "README.md"

loads_beside = pytest.mark.kinds(
    "process", "interpreter", why="threads load a script anew in a new host alone")

BATCHED = """
import scorehost

def init():
    pass

@scorehost.batch({how})
def run(bodies):
    if "bad" in bodies:
        raise ValueError("a bad body")
    return [len(bodies)] * len(bodies)
"""


@pytest.fixture
def lab(host: Make) -> Host:
    return host("lab.py")


def scored(page: Page) -> dict[str, float]:
    """How requests to /score were answered, by code."""
    samples = page.families["scorehost_requests_total"].samples
    return {dict(labels)["code"]: value for (_, labels), value in samples.items()
            if dict(labels)["route"] == "score" and value}


def comes(server: Host, what: str, condition: Any) -> Page:
    """Wait until the page says so; returns it."""
    pages: list[Page] = []

    def holds() -> bool:
        pages[:] = [scrape(server)]
        return bool(condition(pages[0]))

    until(what, holds)
    return pages[0]


def in_flight(page: Page) -> float:
    return page.value("requests_in_flight", route="score")


# The page


def test_it_has_what_the_table_says_and_nothing_else(lab: Host) -> None:
    page = scrape(lab)
    assert list(page.families) == list(table())
    for name, (kind, labels, sentence) in table().items():
        family = page.families[name]
        assert (family.type, family.sentence) == (kind, sentence)
        assert family.samples, f"{name} has no sample"
        for _, pairs in family.samples:
            names = tuple(label for label, _ in pairs if label != "le")
            assert names == labels, name


def test_the_readme_has_the_same_table_and_every_value(lab: Host) -> None:
    text = README.read_text()
    section = text[text.index("## Metrics\n"):text.index("## Differences from")]
    rows = re.findall(r"^\| `(scorehost_\w+)` \| (\w+) \| (.*?)\|\s(.+) \|$", section, re.MULTILINE)
    told = {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), sentence)
            for name, kind, labels, sentence in rows}
    assert list(told.items()) == list(table().items())
    for family in scrape(lab).families.values():
        for _, pairs in family.samples:
            for label, value in pairs:
                assert label not in ("stage", "reason", "route") or f"`{value}`" in section, value


def test_prometheus_own_parser_reads_the_same(lab: Host) -> None:
    lab.do("nothing")
    page = scrape(lab)
    theirs = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(page.text)
        for sample in family.samples
    }
    ours = {
        (name, tuple(sorted(labels))): value
        for family in page.families.values()
        for (name, labels), value in family.samples.items()
    }
    assert theirs == ours


def test_methods_headers_and_lines(lab: Host) -> None:
    head = lab.ask("HEAD", "/metrics")
    assert (head.status, head.body) == (200, b"")
    assert int(head.get("content-length") or 0) > 1000
    response = lab.ask("GET", "/metrics", headers=[("X-Request-Id", "R")])
    assert response.get("x-request-id") == "R"
    assert response.get("x-ms-run-function-failed") is None
    for method in ("POST", "PUT", "DELETE", "BREW"):
        refused = lab.ask(method, "/metrics")
        assert refused.status == 405
        assert sorted((refused.get("allow") or "").split(", ")) == ["GET", "HEAD", "OPTIONS"]
        assert refused.message == "The method is not allowed for the requested URL."
    assert lab.ask("OPTIONS", "/metrics").status == 200
    logged = [text for text in lab.texts("gunicorn.access") if "/metrics" in text]
    assert not [text for text in logged if '"GET' in text or '"HEAD' in text], logged
    assert len(logged) == 5, logged


def test_what_clients_make_up_is_no_label(lab: Host) -> None:
    before = scrape(lab).text.count("\n")
    for number in range(20):
        assert lab.ask("GET", f"/made-up-{number}").status == 404
        assert lab.ask(f"MAKE{number}", "/score").status == 405
    page = scrape(lab)
    assert "made-up" not in page.text and "MAKE" not in page.text
    assert page.text.count("\n") <= before + 4
    assert page.value("requests_total", route="other", code="404") == 20
    assert page.value("requests_total", route="score", code="405") == 20


def test_the_build_and_the_process(lab: Host, worker_kind: str) -> None:
    page = scrape(lab)
    ((_, labels),) = page.families["scorehost_build_info"].samples
    told = dict(labels)
    assert told["python"] == sys.version.split()[0]
    assert told["version"] == lab.ask("GET", "/v2").json["version"]
    assert told["libmicrohttpd"].startswith("0.") is not library_is_strict()
    rss = int((Path(f"/proc/{lab.pid}/statm")).read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert page.value("host_resident_memory_bytes") == pytest.approx(rss, rel=0.5)
    workers = page.value("workers_resident_memory_bytes")
    assert (workers > 1_000_000) == (worker_kind == "process")
    age = os.stat(f"/proc/{lab.pid}").st_mtime - page.value("start_time_seconds")
    assert abs(age) < 60


# Requests


def test_good_ones_count_before_they_are_answered(lab: Host) -> None:
    with lab.connect() as connection:
        for number in range(5):
            connection.send(request(body=b'{"do": "sleep", "seconds": 0.02}')).response()
            page = scrape(lab)
            assert scored(page) == {"200": number + 1}
            assert page.value("request_duration_seconds_count", route="score") == number + 1
    assert page.value("request_duration_seconds_sum", route="score") >= 0.1
    assert page.value("request_duration_seconds_bucket", route="score", le="0.01") == 0
    for stage in ("read", "queue", "wait", "run", "write"):
        assert page.value("request_stage_seconds_count", stage=stage) == 5
    whole = page.value("request_duration_seconds_sum", route="score")
    run = page.value("request_stage_seconds_sum", stage="run")
    assert 0.1 <= run <= whole
    stages = page.families["scorehost_request_stage_seconds"].samples
    parts = sum(value for (name, _), value in stages.items() if name.endswith("_sum"))
    assert parts == pytest.approx(whole, abs=0.005)
    assert page.value("request_body_bytes_total") == 5 * len('{"do": "sleep", "seconds": 0.02}')
    assert page.by("requests_failed_total", "reason") == {}
    assert page.by("requests_refused_total", "reason") == {}
    assert page.by("requests_abandoned_total", "stage") == {}


def test_what_is_under_way(host: Make) -> None:
    lab = host("lab.py", "--worker_count", "2")
    gates = [lab.gate("one"), lab.gate("two")]
    waiting = lab.do_later("echo", value=1)
    page = comes(lab, "all three are in", lambda page: in_flight(page) == 3)
    page = comes(lab, "one waits", lambda page: page.value("requests_waiting") == 1)
    assert page.value("workers_busy") == 2
    assert (page.value("workers_ready"), page.value("workers_wanted")) == (2, 2)
    assert page.value("connections_open") >= 4  # and who asked before may not have gone yet
    lab.open("one")
    lab.open("two")
    assert [later.result().status for later in (*gates, waiting)] == [200] * 3
    page = comes(lab, "nothing is", lambda page: in_flight(page) == 0)
    assert (page.value("requests_waiting"), page.value("workers_busy")) == (0, 0)
    comes(lab, "all have gone", lambda page: page.value("connections_open") == 1)


def test_a_failing_script(lab: Host) -> None:
    assert lab.do("raise").status == 500
    page = scrape(lab)
    assert scored(page) == {"500": 1}
    assert page.by("requests_failed_total", "reason") == {"script": 1}
    assert page.value("request_duration_seconds_count", route="score") == 1


def test_refusals(host: Make) -> None:
    lab = host("lab.py", "--queue_max_requests", "1", "--max_body_bytes", "1000")
    assert lab.post(b"x" * 1001).status == 413
    assert lab.post(b"{}", ("x-request-timeout-ms", "soon")).status == 400
    assert lab.post(b"{}", ("x-request-id", "i" * 101)).status == 431
    gate = lab.gate("first")
    waiting = lab.do_later("echo", value=1)
    comes(lab, "one waits", lambda page: page.value("requests_waiting") == 1)
    assert lab.do("nothing").status == 503
    page = scrape(lab)
    assert page.by("requests_refused_total", "reason") == {
        "too_large": 1, "invalid": 2, "queue_full": 1}
    assert page.value("request_duration_seconds_count", route="score") == 0
    lab.open("first")
    assert (gate.result().status, waiting.result().status) == (200, 200)


def test_times_that_are_over(host: Make) -> None:
    lab = host("lab.py", env={"SCORING_TIMEOUT_MS": "1500"})
    gate = lab.gate("late")
    late = lab.impatient(100, "echo", value=1)
    assert late.result().status == 504
    assert scrape(lab).by("requests_refused_total", "reason") == {"deadline": 1}
    assert gate.result().status == 500
    page = scrape(lab)
    assert page.by("requests_failed_total", "reason") == {"timeout": 1}
    assert scored(page) == {"500": 1, "504": 1}
    lab.open("late")
    until("it serves again", lambda: lab.do("echo", value=1).status == 200)
    assert lab.impatient(100, "sleep", seconds=0.4).result().status == 504
    assert scrape(lab).by("requests_failed_total", "reason") == {"timeout": 1, "deadline": 1}


def test_nothing_is_in_flight_when_the_clients_have_left(lab: Host) -> None:
    gate = lab.gate("first")
    waiting = [lab.do_later("echo", value=number) for number in range(4)]
    reading = lab.connect().send(b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
    comes(lab, "six are in", lambda page: in_flight(page) == 6)
    for client in (reading, *(later.connection for later in waiting), gate.connection):
        client.reset()
    page = comes(lab, "none is", lambda page: in_flight(page) == 0)
    assert page.by("requests_abandoned_total", "stage") == {"read": 1, "queue": 4, "run": 1}
    assert scored(page) == {}
    assert page.value("workers_busy") == 1, "run() does not know yet"
    lab.open("first")
    page = comes(lab, "the worker is free", lambda page: page.value("workers_busy") == 0)
    assert lab.do("echo", value=1).json == 1
    assert in_flight(scrape(lab)) == 0


def test_a_stream_and_who_leaves_it(host: Make) -> None:
    server = host("drip.py")
    (server.app / "item0.open").touch()
    with server.connect() as connection:
        assert connection.send(request(body=b"1")).response().body == b"0"
        connection.send(request("GET", "/")).response("GET")  # so the stream is over
    page = scrape(server)
    assert page.value("request_duration_seconds_count", route="score") == 1
    assert scored(page) == {"200": 1}
    leaving = server.connect().send(request(body=b"endless"))
    leaving.head()
    next(leaving.chunks())
    assert in_flight(scrape(server)) == 1
    leaving.reset()
    page = comes(server, "it is noticed", lambda page: in_flight(page) == 0)
    assert page.by("requests_abandoned_total", "stage") == {"write": 1}
    assert page.by("requests_failed_total", "reason") == {}


def test_a_script_that_hangs_hides_nothing(host: Make, worker_kind: str) -> None:
    lab = host("lab.py")
    if worker_kind == "interpreter":
        lab.gate("stuck")  # not every interpreter has ctypes, and a lock of its own it has
    else:
        lab.do_later("hang", name="stuck")
        lab.wait_at("stuck")
    for _ in range(3):
        page = scrape(lab)
    assert in_flight(page) == 1
    assert page.value("workers_busy") == 1
    lab.kill()


# Workers


@pytest.mark.kinds("process", why="a crash inside the host is the host's")
def test_workers_that_crash(lab: Host) -> None:
    assert lab.do("exit", code=7).status == 502
    until("serving again", lambda: lab.do("nothing").status == 200)
    assert lab.do("segv").status == 502
    until("serving again", lambda: lab.do("nothing").status == 200)
    page = scrape(lab)
    assert page.by("requests_failed_total", "reason") == {"worker_lost": 2}
    assert page.by("workers_lost_total", "reason") == {"exit": 1, "signal": 1}
    assert page.value("workers_started_total") == 3
    assert (page.value("workers_ready"), page.value("host_restarts_total")) == (1, 0)


@pytest.mark.kinds("process", why="a thread cannot be killed")
def test_a_worker_that_does_not_come_back(host: Make) -> None:
    lab = host("lab.py", env={"SCORING_TIMEOUT_MS": "200"})
    assert lab.do("hang", name="stuck").status == 500
    page = comes(lab, "it is killed", lambda page: page.by("workers_lost_total", "reason"))
    assert page.by("workers_lost_total", "reason") == {"killed": 1}


def test_a_host_that_is_started_again(lab: Host) -> None:
    lab.do("nothing")
    first = scrape(lab)
    os.kill(lab.pid, signal.SIGKILL)
    until("serving again", lambda: lab.do("nothing").status == 200)
    page = scrape(lab)
    assert page.value("host_restarts_total") == 1
    assert page.value("start_time_seconds") >= first.value("start_time_seconds")
    assert scored(page) == {"200": 1}


@loads_beside
def test_workers_that_are_replaced(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    server.notify(signal.SIGHUP)
    server.wait_said("all workers have loaded the script anew")
    page = scrape(server)
    assert page.by("workers_replaced_total", "reason") == {"reload": 2}
    assert page.by("workers_lost_total", "reason") == {}
    assert page.value("workers_started_total") == 4


@pytest.mark.kinds("process", why="what wears out in a host goes with the host")
def test_workers_that_are_worn(host: Make) -> None:
    server = host("lab.py", "--max_requests", "2")
    server.do("nothing")
    server.do("nothing")
    comes(server, "a new one has come", lambda page: page.by(
        "workers_replaced_total", "reason") == {"requests": 1})


# Batches


def batched(host: Make, how: str) -> Host:
    return host("", "--entry_script", "score.py", files={"score.py": BATCHED.format(how=how)})


def bodies(server: Host, *texts: str) -> list[int]:
    """Send these at once; returns the statuses."""
    laters: list[Later] = [server.later(request(body=text.encode())) for text in texts]
    return [later.result().status for later in laters]


def reasons(server: Host) -> dict[str, float]:
    """Why batches went, whose number is that of the histogram too."""
    page = scrape(server)
    found = page.by("batches_total", "reason")
    assert page.value("batch_rows_count") == sum(found.values())
    return found


def test_without_batches_there_is_no_reason(lab: Host) -> None:
    lab.do("nothing")
    assert reasons(lab) == {}


def test_one_that_finds_the_worker_idle(host: Make) -> None:
    server = batched(host, "max_batch_size=8")
    for count in range(1, 4):
        assert bodies(server, "1") == [200]
        assert reasons(server) == {"idle": count}
    assert scrape(server).value("batch_rows_sum") == 3
    assert scrape(server).value("batch_rows_bucket", le="1") == 3


@pytest.mark.parametrize(
    ("how", "count", "reason"),
    [
        ("max_batch_size=3, max_queue_delay_ms=60000", 3, "full"),
        ("max_batch_size=3, max_queue_delay_ms=60000, preferred_batch_sizes=[2]", 2, "preferred"),
        ("max_batch_size=3, max_queue_delay_ms=50", 1, "delay"),
    ],
)
def test_why_it_went(host: Make, how: str, count: int, reason: str) -> None:
    server = batched(host, how)
    assert bodies(server, *["1"] * count) == [200] * count
    assert reasons(server) == {reason: 1}
    assert scrape(server).value("batch_rows_sum") == count
    assert scored(scrape(server)) == {"200": count}


def test_one_that_fails_and_is_run_in_halves(host: Make) -> None:
    server = batched(host, "max_batch_size=4, max_queue_delay_ms=60000")
    assert sorted(bodies(server, "1", "bad", "1", "1")) == [200, 200, 200, 500]
    assert reasons(server) == {"full": 1, "split": 4}
    page = scrape(server)
    assert page.value("batches_failed_total") == 3  # of 4, of 2 and of 1
    assert page.value("batch_rows_sum") == 4 + 2 + 2 + 1 + 1
    assert page.by("requests_failed_total", "reason") == {"script": 1}


def test_one_that_fails_as_a_whole(host: Make) -> None:
    server = batched(
        host, "max_batch_size=3, max_queue_delay_ms=60000, split_failed=False")
    assert bodies(server, "1", "bad", "1") == [500] * 3
    assert reasons(server) == {"full": 1}
    page = scrape(server)
    assert page.value("batches_failed_total") == 1
    assert page.by("requests_failed_total", "reason") == {"script": 3}


@loads_beside
def test_one_that_goes_because_the_worker_does(host: Make) -> None:
    server = batched(host, "max_batch_size=3, max_queue_delay_ms=60000")
    waiting = server.later(request(body=b"1"))
    comes(server, "it is there", lambda page: page.value("workers_busy") == 1)
    server.notify(signal.SIGHUP)
    assert waiting.result().status == 200
    assert reasons(server) == {"stop": 1}


@pytest.fixture
def farm(host: Make, tmp_path: Path) -> Iterator[Farm]:
    yield from farms(host, tmp_path)


@pytest.mark.kinds("process", why="of remote workers the kind is their own")
def test_batches_of_a_remote_worker(farm: Farm) -> None:
    server = farm.start(script="batches.py")
    farm.join("alpha", script="batches.py")
    x = [[float(number), 1.0] for number in range(50)]
    tensor = {"name": "x", "datatype": "FP64", "shape": [50, 2], "data": x}
    body = json.dumps({"inputs": [tensor]}).encode()
    assert server.ask("POST", "/v2/models/batches/infer", body).status == 200
    assert reasons(server) == {"full": 3, "idle": 1}
    page = scrape(server)
    assert page.value("batch_rows_sum") == 50
    assert page.value("workers_started_total") == page.value("workers_ready") == 1
    (told,) = server.ask("GET", "/v2/models/stats").json["model_stats"]
    assert (told["inference_count"], told["execution_count"]) == (50, 4)
    assert told["batch_reasons"]["full"] == 3
