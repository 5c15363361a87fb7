"""What a client sees when there is more work than may wait, or no worker yet."""

from __future__ import annotations

import os

from .conftest import Make
from .wire import Response, request, until


def busy(response: Response) -> bool:
    """Whether this is an honest refusal for the moment."""
    assert response.status == 503, response
    assert int(response.get("retry-after") or 0) >= 1
    assert response.get("x-request-id")
    assert response.get("x-ms-run-function-failed") in ("False", None)
    return bool(response.message)


def test_one_more_than_may_wait_is_refused_at_once(host: Make) -> None:
    server = host("lab.py", "--queue_max_requests", "3")
    running = server.gate("first")
    waiting = [server.do_later("echo", value=number, id=number) for number in range(3)]
    server.wait_read(*waiting)
    for _ in range(3):
        assert busy(server.do("nothing", id="more"))
    assert not running.is_answered()
    server.open("first")
    assert running.result().json == "first"
    assert [later.result().json for later in waiting] == [0, 1, 2]
    assert server.scored() == ["0", "1", "2"]
    assert server.do("echo", value=4).json == 4
    assert "queue-full" in server.stderr


def test_bytes_are_counted_too(host: Make) -> None:
    server = host("lab.py", "--queue_max_bytes", "1000000")
    running = server.gate("first")
    body = b'{"do": "size", "value": "%s"}' % (b"a" * 300_000)
    waiting = [server.later(request(body=body)) for _ in range(8)]
    server.wait_read(*waiting)
    assert server.ask("GET", "/").status == 200, "so it has answered whom it will"
    refused = [later for later in waiting if later.is_answered()]
    assert 3 <= len(refused) <= 7
    for later in refused:
        assert busy(later.result())
    small = server.do_later("echo", value=1)
    server.wait_read(small)
    assert server.ask("GET", "/").status == 200
    assert not small.is_answered(), "there is room for a small one"
    server.open("first")
    assert running.result().json == "first"
    assert small.result().json == 1
    for later in waiting:
        if later not in refused:
            assert later.result().json == 300_000


def test_uploads_are_counted_while_they_come(host: Make) -> None:
    """Many large bodies that arrive slowly take no more memory than may wait."""
    server = host("lab.py", "--queue_max_bytes", "2000000")
    before = server.memory_kb()
    head = (b"POST /score HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n"
            + b"a" * 100_000)
    coming = [server.later(head) for _ in range(10)]
    rest = b"a" * 800_000
    for later in coming:
        later.connection.send(rest)
    results = [later.result().status for later in coming]
    assert results.count(503) >= 6 and set(results) <= {500, 503}
    assert server.memory_kb() - before < 6000


def test_a_refused_client_may_go_on(host: Make) -> None:
    server = host("lab.py", "--queue_max_requests", "1")
    running = server.gate("first")
    waiting = server.do_later("echo", value=1)
    server.wait_read(waiting)
    with server.connect() as connection:
        for _ in range(3):
            connection.send(request(body=b'{"do": "nothing"}'))
            assert busy(connection.response())
        assert connection.send(request("GET", "/")).response("GET").status == 200
        server.open("first")
        assert running.result().status == 200
        assert waiting.result().json == 1
        assert connection.send(request(body=b'{"do": "nothing"}')).response().status == 200


def test_nothing_is_ready_before_init_is_done(host: Make) -> None:
    server = host("slow_gate.py", wait=False).wait_listening()
    assert busy(server.ask("GET", "/"))
    assert busy(server.ask("GET", "/swagger.json"))
    early = server.later(request(body=b"early"))
    assert not early.is_answered(0.1), "it waits for the worker"
    server.open("init")
    assert early.result().json == "early"
    until("healthy", lambda: server.ask("GET", "/").status == 200)


def test_it_can_be_stopped_while_init_runs(host: Make) -> None:
    server = host("slow_gate.py", wait=False).wait_listening()
    until("init runs", (server.app / "init.here").exists)
    assert server.stop() == 0
    assert "drain-timeout" not in server.stderr


def test_a_thousand_clients_share_one_worker(host: Make) -> None:
    server = host("echo.py")
    connections = [server.connect() for _ in range(min(1000, open_files() - 200))]
    for number, connection in enumerate(connections):
        connection.send(request(body=b"%d" % number))
    for number, connection in enumerate(connections):
        assert connection.response().json == {"got": str(number)}
        connection.close()


def open_files() -> int:
    """How many descriptors we may have."""
    return int(os.sysconf("SC_OPEN_MAX"))
