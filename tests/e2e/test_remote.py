"""Workers that come to the host over ZeroMQ."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Make
from .remote import Farm, Remote, farms, free_port
from .wire import PATIENCE_S, request, until

LOST = "The remote worker {} was lost ({}) while it scored this request. " \
    "Check the logs for more info."


@pytest.fixture
def farm(host: Make, tmp_path: Path) -> Iterator[Farm]:
    """Somewhere for a host and its remote workers."""
    yield from farms(host, tmp_path)


def keygen(folder: Path, *names: str) -> None:
    """Make keys as users do."""
    subprocess.run([sys.executable, "-m", "scorehost.keys", str(folder), *names],
                   check=True, capture_output=True, timeout=250)


# Answers


@pytest.mark.parametrize("transport", ["ipc", "tcp"])
def test_a_remote_worker_scores(farm: Farm, transport: str) -> None:
    host = farm.start() if transport == "ipc" else farm.start_tcp()
    refused = host.do("echo", value=1)
    assert refused.status == 503 and int(refused.get("retry-after") or 0) > 0
    assert host.ask("GET", "/").message == "No worker is there: none has come to this host."
    remote = farm.join("alpha")
    assert host.do("echo", value=[1, "\u017c"]).json == [1, "\u017c"]
    assert host.do("pid").json == remote.pid
    assert host.do("big", size=3_000_000).json == "x" * 3_000_000
    assert host.do("size", value="y" * 2_000_000).json == 2_000_000
    assert host.do("raise").status == 500
    assert host.ask("GET", "/swagger.json").json["swagger"] == "2.0"
    assert f"(pid {remote.pid}" in host.stderr.replace(": pid", " (pid")


def test_many_requests_on_two_workers(farm: Farm) -> None:
    host = farm.start()
    pids = {farm.join(name).pid for name in ("alpha", "beta")}
    laters = [host.do_later("pid") for _ in range(60)]
    answers = [later.result().json for later in laters]
    assert set(answers) == pids
    assert [host.do("echo", value=n).json for n in range(30)] == list(range(30))


def test_a_worker_may_hold_several_calls(farm: Farm) -> None:
    host = farm.start()
    farm.join("alpha", "--credits", "3")
    gate = host.gate("first")
    laters = [host.do_later("echo", value=number) for number in range(12)]
    host.open("first")
    assert gate.result().json == "first"
    assert [later.result().json for later in laters] == list(range(12))


def test_local_and_remote_workers_share_the_work(farm: Farm, host: Make) -> None:
    server = host("lab.py", "--remote_listen", farm.endpoint)
    farm.hosts.append(server)
    remote = farm.spawn("alpha").wait_joined()
    first, second = server.gate("one"), server.gate("two")
    server.open("one")
    server.open("two")
    assert (first.result().json, second.result().json) == ("one", "two")
    pids = {later.result().json for later in [server.do_later("pid") for _ in range(40)]}
    assert pids <= {remote.pid, *server.scorers()}


# Streams


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text", "a\u017cc".encode()),
        ("many", b"".join(str(number).encode() for number in range(1000))),
        ("large", b"x" * 500_000),
        ("nothing", b""),
    ],
)
def test_streams(farm: Farm, kind: str, body: bytes) -> None:
    host = farm.start(script="stream.py")
    farm.join("alpha", script="stream.py")
    for _ in range(2):
        response = host.ask("GET", f"/score?kind={kind}")
        assert (response.status, response.body) == (200, body)


def test_a_slow_client_slows_its_stream_and_nobody_else(farm: Farm) -> None:
    host = farm.start(script="drip.py")
    farm.join("alpha", script="drip.py")
    with host.connect() as slow:
        slow.send(request(body=b"endless"))
        assert slow.head().status == 200
        pieces = slow.chunks()
        read = 0
        while read < 16 * 1024 * 1024:  # several windows
            read += len(next(pieces))
        assert host.ask("GET", "/").status == 200
        slow.reset()
    until("the generator is closed", lambda: "generator closed" in farm.remotes[0].stdout)
    (host.app / "item0.open").touch()
    assert host.post("1").body == b"0"


def test_items_arrive_when_they_are_made(farm: Farm) -> None:
    host = farm.start(script="drip.py")
    farm.join("alpha", script="drip.py")
    with host.connect() as connection:
        connection.send(request(body=b"3"))
        host.open("item0")
        assert connection.head().status == 200
        pieces = connection.chunks()
        assert next(pieces) == b"0"
        for number in (1, 2):
            host.wait_at(f"item{number}")
            host.open(f"item{number}")
            assert next(pieces) == str(number).encode()
        assert list(pieces) == []


# Time


def test_a_late_run_is_answered_for_and_interrupted(farm: Farm) -> None:
    host = farm.start("--scoring_timeout_ms", "800")
    remote = farm.join("alpha")
    pid = remote.pid
    begun = time.monotonic()
    response = host.do("sleep", seconds=60)
    assert (response.status, response.message) == (500, "Scoring timeout after 800 ms")
    assert time.monotonic() - begun < 50
    assert host.do("pid").json == pid
    until("the traceback is logged", lambda: "ScoringTimeout" in remote.stdout)


def test_a_run_that_hangs_costs_the_process_which_comes_again(farm: Farm) -> None:
    host = farm.start("--scoring_timeout_ms", "800")
    remote = farm.join("alpha")
    first = remote.pid
    response = host.do("hang", name="stuck")
    assert (response.status, response.message) == (500, "Scoring timeout after 800 ms")
    remote.wait_joined(2)
    until("serving", lambda: host.ask("GET", "/").status == 200)
    assert host.do("pid").json == remote.pid != first
    assert "remote-killed" in remote.stderr


def test_a_client_that_leaves_frees_the_worker(farm: Farm) -> None:
    host = farm.start()
    farm.join("alpha")
    gate = host.gate("left")
    host.leave("reset", host.do_later("echo", value=1, id="never"))
    host.leave("reset", gate)
    host.open("left")
    assert host.do("echo", value=2).json == 2
    assert host.scored() == []


# Loss


def test_a_crash_is_answered_at_once_with_the_workers_name(farm: Farm) -> None:
    host = farm.start_tcp()
    remote = farm.join("alpha")
    gate = host.gate("doomed")
    remote.kill()
    response = gate.result()
    assert response.status == 502
    assert response.message == LOST.format("alpha (127.0.0.1)", "its connection broke")
    assert "remote-lost remote worker alpha (127.0.0.1) is lost: its connection broke" \
        in host.stderr
    remote.wait_joined(2)
    until("serving", lambda: host.ask("GET", "/").status == 200)
    assert host.do("pid").json == remote.pid


def test_a_silent_worker_is_lost_after_three_beats(farm: Farm) -> None:
    host = farm.start()
    remote = farm.join("alpha")
    gate = host.gate("frozen")
    os.kill(remote.pid, signal.SIGSTOP)
    response = gate.result()
    assert (response.status, response.message) == \
        (502, LOST.format("alpha", "no heartbeat for 3 s"))
    os.kill(remote.pid, signal.SIGCONT)
    host.open("frozen")
    remote.wait_joined(2)
    until("serving", lambda: host.ask("GET", "/").status == 200)
    assert host.do("echo", value=1).json == 1


def test_what_was_not_sent_moves_to_another_worker(farm: Farm) -> None:
    host = farm.start()
    alpha, beta = farm.join("alpha"), farm.join("beta")
    gates = [host.gate("one"), host.gate("two")]
    waiting = [host.do_later("echo", value=number, id=number) for number in range(20)]
    host.wait_read(*waiting)
    alpha.kill()
    until("one is lost", lambda: any(gate.is_answered() for gate in gates))
    host.open("one")
    host.open("two")
    statuses = sorted(gate.result().status for gate in gates)
    assert statuses == [200, 502]
    assert [later.result().json for later in waiting] == list(range(20))
    assert sorted(map(int, host.scored())) == list(range(20))
    assert beta.process.poll() is None


def test_a_host_that_starts_again_gets_its_workers_back(farm: Farm) -> None:
    first = farm.start()
    remote = farm.join("alpha")
    pid = first.do("pid").json
    assert first.stop() == 0
    remote.wait_said("remote-apart")
    second = farm.start()
    remote.wait_joined(2)
    until("serving", lambda: second.ask("GET", "/").status == 200)
    assert second.do("pid").json == pid


def test_a_host_that_is_killed_leaves_no_late_answer(farm: Farm) -> None:
    first = farm.start()
    remote = farm.join("alpha")
    first.gate("orphan")
    os.kill(first.pid, signal.SIGKILL)
    remote.wait_said("remote-apart")
    first.wait_said("starting it again")
    first.open("orphan")
    remote.wait_joined(2)
    until("serving", lambda: first.ask("GET", "/").status == 200)
    assert [first.do("echo", value=n).json for n in range(5)] == list(range(5))


# Ends


def test_sigterm_lets_a_worker_answer_first(farm: Farm) -> None:
    host = farm.start()
    remote = farm.join("alpha")
    gate = host.gate("last")
    remote.process.send_signal(signal.SIGTERM)
    assert not gate.is_answered(0.3)
    host.open("last")
    assert gate.result().json == "last"
    assert remote.process.wait(PATIENCE_S) == 0
    host.wait_said("remote worker alpha has left")
    assert host.do("echo", value=1).status == 503


def test_hup_renews_a_worker(farm: Farm) -> None:
    host = farm.start()
    remote = farm.join("alpha")
    first = remote.pid
    host.notify(signal.SIGHUP)
    remote.wait_joined(2)
    until("serving", lambda: host.ask("GET", "/").status == 200)
    assert host.do("pid").json == remote.pid != first


def test_hup_has_all_workers_load_the_new_script(farm: Farm) -> None:
    host = farm.start()
    remotes = [farm.join(name) for name in ("alpha", "beta")]
    script = "def init(): pass\ndef run(data): return 'new'\n"
    (host.app / "lab.py").write_text(script)
    host.notify(signal.SIGHUP)
    for remote in remotes:
        remote.wait_joined(2)
    until("serving", lambda: host.ask("GET", "/").status == 200)
    assert [host.post("x").json for _ in range(20)] == ["new"] * 20


def test_a_guard_that_is_killed_takes_its_worker_along(farm: Farm) -> None:
    host = farm.start()
    remote = farm.join("alpha")
    os.kill(remote.process.pid, signal.SIGKILL)
    host.wait_said("remote worker alpha has left")


def test_a_script_that_cannot_be_loaded_ends_the_worker(farm: Farm) -> None:
    farm.start()
    remote = farm.spawn("alpha", script="nowhere.py")
    assert remote.process.wait(PATIENCE_S) == 3


# Keys


def test_with_keys(farm: Farm, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keygen(keys, "alpha", "beta")
    assert stat.S_IMODE((keys / "alpha.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((keys / "server.key").stat().st_mode) == 0o600
    host = farm.start_tcp("--remote_keys", str(keys))
    stranger = tmp_path / "other"
    keygen(stranger, "mallory")
    server = str(keys / "server.pub")
    mallory = farm.spawn("mallory", "--key_file", str(stranger / "mallory.key"),
                         "--server_key", server)
    fooled = farm.spawn("fooled", "--key_file", str(keys / "beta.key"),
                        "--server_key", str(stranger / "server.pub"))
    bare = farm.spawn("bare")
    farm.join("alpha", "--key_file", str(keys / "alpha.key"), "--server_key", server)
    assert host.do("echo", value=1).json == 1
    mallory.wait_said("it does not know this worker's key")
    host.wait_said("a key that is not in")
    bare.wait_said("remote-apart")
    fooled.wait_said("remote-apart")
    for remote in (mallory, fooled, bare):
        assert "remote-joined" not in remote.stderr
        assert remote.process.poll() is None
    # A key that is put there is known without a restart.
    (keys / "mallory.pub").write_text((stranger / "mallory.pub").read_text())
    mallory.wait_joined()


def test_no_network_without_keys(farm: Farm, host: Make) -> None:
    wide = f"tcp://0.0.0.0:{free_port()}"
    server = host("lab.py", "--worker_count", "0", "--remote_listen", wide, wait=False)
    assert server.wait() == 1
    assert f"{wide} is not of this machine alone, so it needs keys" in server.stderr
    farm.hosts.append(server)
    remote = Remote(server, wide.replace("0.0.0.0", "192.0.2.1"), "alpha")
    assert remote.process.wait(PATIENCE_S) == 2
    assert "needs keys: make them with `scorehost keygen`" in remote.stderr


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("udp://127.0.0.1:1", "a remote worker's place is tcp://ADDRESS:PORT or ipc://PATH"),
        ("tcp://127.0.0.1", "a remote worker's place is tcp://ADDRESS:PORT or ipc://PATH"),
        ("ipc:///no/such/folder/line", "cannot listen at ipc:///no/such/folder/line"),
    ],
)
def test_a_place_that_is_none(host: Make, place: str, said: str) -> None:
    server = host("lab.py", "--remote_listen", place, wait=False)
    assert server.wait() == 1
    assert said in server.stderr


def test_keys_that_are_not_there(host: Make) -> None:
    server = host("lab.py", "--remote_listen", "tcp://127.0.0.1:1", "--remote_keys", "{app}/no",
                  wait=False)
    assert server.wait() == 1
    assert f"misconfigured the key {server.app}/no/server.key cannot be read" in server.stderr
    assert "`scorehost keygen FOLDER` makes keys" in server.stderr


def test_no_workers_and_none_to_come(host: Make) -> None:
    server = host("lab.py", wait=False, env={"WORKER_COUNT": "0"})
    assert server.wait() == 1
    assert "Value must be positive: 0" in server.stderr


# Strangers


def test_garbage_on_the_port_disturbs_nobody(farm: Farm) -> None:
    host = farm.start_tcp()
    farm.join("alpha")
    port = int(farm.endpoint.rpartition(":")[2])
    gate = host.gate("through")
    for data in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\xff" * 64,
                 b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL" + b"\x00" * 48
                 + b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"
                 + b"\x00\x04SCR1"):
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(data)
    host.open("through")
    assert gate.result().json == "through"
    assert host.do("echo", value=1).json == 1
    assert host.is_alive()


def test_an_idle_worker_costs_next_to_nothing(farm: Farm) -> None:
    host = farm.start()
    remote = farm.join("alpha")
    assert host.do("echo", value=1).json == 1
    before = host.cpu_s(), host.cpu_s(remote.pid)
    end = time.monotonic() + 3
    until("three seconds are over", lambda: time.monotonic() > end)
    assert host.cpu_s() - before[0] <= 0.05
    assert host.cpu_s(remote.pid) - before[1] <= 0.05
