"""A worker process for each GPU, as far as a machine without one can tell."""

from __future__ import annotations

import os
import signal

import pytest

from .conftest import Make
from .host import Host
from .wire import until

pytestmark = pytest.mark.kinds("process", why="a GPU is given to a process")

GPU = "CUDA_VISIBLE_DEVICES"


def seen(server: Host, count: int) -> dict[int, str]:
    """What each of the workers sees, by its pid; all of them are asked at once."""
    gates = [server.do_later("gate", name=f"g{n}") for n in range(count)]
    for number in range(count):
        server.wait_at(f"g{number}")
    tells = {}
    for pid in server.workers():
        with open(f"/proc/{pid}/environ", "rb") as file:
            pairs = [item.partition(b"=") for item in file.read().split(b"\0")]
        tells[pid] = {name.decode(): value.decode() for name, _, value in pairs}[GPU]
    for number in range(count):
        server.open(f"g{number}")
    assert [gate.result().status for gate in gates] == [200] * count
    return tells


def test_each_worker_sees_its_own_gpu(host: Make) -> None:
    server = host("lab.py", "--gpu_workers", "0,3", env={GPU: "7"})
    server.wait_ready(2)
    assert sorted(seen(server, 2).values()) == ["0", "3"]
    told = server.do("tell", env=[GPU, "WORKER_COUNT"]).json["env"]
    assert told[GPU] in ("0", "3") and told["WORKER_COUNT"] == "2"
    assert "on GPU 0" in server.stderr and "on GPU 3" in server.stderr


def test_a_lost_worker_is_replaced_on_its_gpu(host: Make) -> None:
    server = host("lab.py", "--gpu_workers", "0,3")
    server.wait_ready(2)
    before = seen(server, 2)
    lost = next(pid for pid, gpu in before.items() if gpu == "3")
    os.kill(lost, signal.SIGKILL)
    server.wait_ready(3)
    (server.app / "g0.here").unlink()
    (server.app / "g1.here").unlink()
    after = seen(server, 2)
    assert sorted(after.values()) == ["0", "3"] and lost not in after


def test_a_reload_leaves_one_worker_on_each_gpu(host: Make) -> None:
    server = host("lab.py", "--gpu_workers", "0,3")
    server.wait_ready(2)
    before = set(server.workers())
    server.notify(signal.SIGHUP)
    server.wait_ready(4)
    until("the old ones are gone", lambda: not before & set(server.workers()))
    assert sorted(seen(server, 2).values()) == ["0", "3"]


def test_cpu_workers_beside_see_no_gpu(host: Make) -> None:
    server = host("lab.py", "--gpu_workers", "1", "--worker_count", "2", env={GPU: "7"})
    server.wait_ready(2)
    assert sorted(seen(server, 2).values()) == ["", "1"]


def test_gpus_are_for_processes(host: Make) -> None:
    server = host("lab.py", "--gpu_workers", "0", "--worker_kind", "thread", wait=False)
    assert server.wait() == 1
    assert "gpu_workers are processes, and --worker_kind thread was asked for" in server.stderr
