"""The process that starts the host again: crashes, successors, signals, PID 1.

In kind thread a crash of the script is one of the host.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from .conftest import Make
from .host import Host, children, state, tree
from .wire import Closed, Connection, request, until

pytestmark = pytest.mark.kinds("process", why="each test here says which kind it is about")

THREAD = ("--worker_kind", "thread")


def ask(server: Host) -> object:
    """What a client gets: the answer, or how its connection ended."""
    try:
        return server.do("echo", value=1).json
    except (Closed, ConnectionResetError, BrokenPipeError) as error:
        return type(error).__name__


# Crashes


def test_a_killed_host_is_started_again_and_nobody_is_refused(host: Make) -> None:
    """Clients that come all the while wait in the backlog; those in hand are cut off."""
    server = host("lab.py")
    first = server.pid
    over = threading.Event()
    seen: list[object] = []

    def load() -> None:
        while not over.is_set():
            seen.append(ask(server))  # ConnectionRefusedError would end the thread

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for times in range(1, 4):
        until("some are served", lambda: seen.count(1) > 20 * times)
        os.kill(server.pid, signal.SIGKILL)
        server.wait_ready(times + 1)
    until("and more", lambda: seen[-20:].count(1) == 20)
    over.set()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    assert seen.count(1) > 60 and server.pid != first
    assert len(seen) - seen.count(1) <= 3 * 2 * len(threads)
    assert f"host-lost the host (pid:{first}) was killed by SIGKILL after" in server.stderr
    assert server.stderr.count("(perhaps out of memory); starting it again") == 3
    assert server.stderr.count("Listening at") == 1
    assert server.stop() == 0


def test_the_workers_of_a_killed_host_are_gone(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    workers = server.workers()
    os.kill(server.pid, signal.SIGKILL)
    until("the old ones are gone", lambda: all(state(pid) in ("", "Z") for pid in workers))
    server.wait_ready(4)
    assert len(server.wait_workers(2)) == 2


@pytest.mark.parametrize(
    ("what", "more", "how"),
    [
        ("segv", {}, "was killed by SIGSEGV"),
        ("exit", {"code": 7}, "exited with code 7"),
        ("exit", {"code": 0}, "exited with code 0"),
        ("kill", {"name": "SIGABRT"}, "was killed by SIGABRT"),
    ],
)
def test_a_script_that_crashes_its_host(
    host: Make, what: str, more: dict[str, object], how: str
) -> None:
    server = host("lab.py", *THREAD)
    first = server.pid
    with pytest.raises((Closed, ConnectionResetError)):
        server.do(what, **more)
    assert server.do("echo", value=1).json == 1, "whoever comes next waits, and is served"
    second = server.do("pid").json
    assert second == server.pid != first
    assert f"the host (pid:{first}) {how} after" in server.stderr
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("script", "code", "how"),
    [
        ("import ctypes; ctypes.string_at(0)\n", 128 + signal.SIGSEGV, "was killed by SIGSEGV"),
        ("import os; os._exit(7)\n", 7, "exited with code 7"),
        ("import os; os._exit(0)\n", 3, "exited with code 0"),
    ],
)
def test_a_crash_at_import_is_tried_a_few_times(
    host: Make, script: str, code: int, how: str
) -> None:
    server = host("", "--entry_script", "score.py", *THREAD,
                  files={"score.py": "import faulthandler; faulthandler.disable()\n" + script},
                  wait=False)
    assert server.wait() == code
    assert server.stderr.count("the host (pid:") == 5
    assert server.stderr.count("host-backoff ") == 3
    (given_up,) = [line for line in server.lines("stderr") if "host-given-up" in line.text]
    assert given_up.level == "C" and given_up.text.count(how) == 5
    assert "--worker_kind process" in given_up.text


@pytest.mark.skipif(sys.version_info < (3, 12, 4), reason="no interpreters of their own GIL")
def test_two_crashes_of_interpreters_move_the_script_to_processes(host: Make) -> None:
    script = ("import os, signal, time\ndef init(): pass\ndef run(data):\n"
              "    if data == 'crash':\n"
              "        os.kill(os.getpid(), signal.SIGSEGV)\n"
              "        time.sleep(20)  # another thread may be the one that gets it\n"
              "    return os.getpid()\n")
    server = host("", "--entry_script", "score.py", "--worker_kind", "interpreter",
                  files={"score.py": script})
    for _ in range(2):
        assert server.post("x").json == server.pid
        with pytest.raises((Closed, ConnectionResetError)):
            server.post("crash")
    worker = server.post("x").json
    assert server.workers() == [worker] != [server.pid]
    assert server.stderr.count("worker-kind-unfit the script has crashed the host more than") == 1
    assert server.post("crash").status == 502
    assert server.post("x").status == 200, "from now on a crash costs a worker"
    assert server.stop() == 0
    told = what_is_remembered(server)
    assert told == "score.py has crashed its process more than once in subinterpreters"
    assert "and will be where --worker_kind is auto, until the script changes" in server.stderr


def what_is_remembered(server: Host) -> str:
    """Why the next start takes processes, as one sees it that chooses by itself."""
    code = ("import sys\nfrom scorehost import verdicts\n"
            "print(getattr(verdicts.recall(sys.argv[1]), 'reason', ''))")
    done = subprocess.run([sys.executable, "-c", code, str(server.app / "score.py")],
                          env={**server.env, "AML_APP_ROOT": str(server.app)},
                          capture_output=True, text=True, timeout=250)
    return done.stdout.strip()


@pytest.mark.skipif(sys.version_info < (3, 14), reason="auto takes no interpreters")
def test_crashes_are_known_at_the_next_start(host: Make) -> None:
    script = ("import os, signal, time\ndef init(): pass\ndef run(data):\n"
              "    os.kill(os.getpid(), signal.SIGSEGV)\n    time.sleep(20)\n")
    more = {"env": {"WORKER_KIND": "auto"}, "files": {"score.py": script}}
    first = host("", "--entry_script", "score.py", **more)
    assert "score.py loads in subinterpreters: using one interpreter" in first.stdout
    for _ in range(2):
        with pytest.raises((Closed, ConnectionResetError)):
            first.post("x")
    first.wait_said("worker-kind-unfit")
    first.wait_ready(3)
    assert first.stop() == 0
    done = subprocess.run([sys.executable, "-m", "scorehost.cli", "check", "score.py"],
                          cwd=first.app, env=first.env, capture_output=True, text=True, timeout=250)
    assert "process: score.py has crashed its process more than once" in done.stdout, done


def test_a_stderr_that_nobody_reads_keeps_no_host_from_being_started(
    host: Make, tmp_path: Path
) -> None:
    pipe = tmp_path / "stderr.pipe"
    os.mkfifo(pipe)
    ours = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    server = host("lab.py", prefix=["bash", "-c", 'exec "$@" 2>"$0"', str(pipe)])
    fill(ours)
    for times in range(2):
        os.kill(server.pid, signal.SIGKILL)
        server.wait_ready(times + 2)
        assert server.do("echo", value=times).json == times
    with contextlib.suppress(BlockingIOError):
        while os.read(ours, 65536):
            pass
    last = server.pid
    os.kill(last, signal.SIGKILL)
    server.wait_ready(4)
    told = os.read(ours, 65536).decode()
    assert told.count("lines-dropped count=2") == 1
    assert f"the host (pid:{last}) was killed by SIGKILL after" in told
    fill(ours)
    assert server.stop() == 0, "a signal is passed on"
    os.close(ours)


def fill(pipe: int) -> None:
    """Writes until not one more byte goes into a pipe."""
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while os.write(pipe, b"x" * size):
                pass


# Ends


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_exit_codes_are_passed_on(host: Make, kind: str) -> None:
    server = host("", "--entry_script", "score.py", "--worker_kind", kind,
                  files={"score.py": "raise ValueError\n"}, wait=False)
    assert server.wait() == 3
    assert "host-" not in server.stderr
    assert server.stderr.count("Reason: Worker failed to boot.") == 1


def test_an_address_in_use_is_found_before_there_is_a_host(host: Make) -> None:
    server = host("lab.py")
    other = host("lab.py", "--port", str(server.port), port=False, wait=False)
    assert other.wait() == 1
    assert "Using worker" not in other.stderr
    assert server.do("echo", value=1).json == 1


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_what_a_script_does_at_exit_is_done(host: Make, kind: str) -> None:
    """Once, and by the process that loaded it."""
    script = ("import atexit, os\nfrom pathlib import Path\n"
              "atexit.register(lambda: Path(f'ended.{os.getpid()}').touch())\n"
              "def init(): pass\ndef run(data): return os.getpid()\n")
    server = host("", "--entry_script", "score.py", "--worker_kind", kind,
                  files={"score.py": script})
    scorer = server.post("0").json
    assert server.stop() == 0
    assert [path.name for path in server.app.glob("ended.*")] == [f"ended.{scorer}"]


def test_nothing_outlives_a_supervisor_that_is_killed(host: Make) -> None:
    server = host("lab.py", "--worker_count", "2").wait_ready(2)
    everyone = tree(server.process.pid)
    assert len(everyone) == 4, "supervisor, host, two workers"
    server.do_later("hang", name="busy")
    server.wait_at("busy")
    server.process.kill()
    server.wait()
    until("all are gone", lambda: all(state(pid) in ("", "Z") for pid in everyone))
    until("nobody listens", lambda: refuses(server))


def refuses(server: Host) -> bool:
    """Whether nobody listens any more."""
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_the_socket_file_outlives_a_host_but_not_the_program(host: Make, tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = host("lab.py", listen=("--socket", str(path)), port=False, address=str(path))
    inode = path.stat().st_ino
    os.kill(server.pid, signal.SIGKILL)
    server.wait_ready(2)
    assert path.stat().st_ino == inode
    assert server.do("echo", value=1).json == 1
    assert server.stop() == 0
    assert not path.exists()


def test_a_socket_file_of_somebody_else_stays(host: Make, tmp_path: Path) -> None:
    path = tmp_path / "s"
    server = host("lab.py", listen=("--socket", str(path)), port=False, address=str(path))
    path.unlink()
    path.touch()
    assert server.stop() == 0
    assert path.exists()


def test_a_restart_keeps_no_descriptor(host: Make) -> None:
    server = host("lab.py")
    server.wait_quiet()
    supervisor = server.process.pid
    before = sorted(server.descriptors()), sorted(server.descriptors(supervisor))
    for times in range(3):
        os.kill(server.pid, signal.SIGKILL)
        server.wait_ready(times + 2)
        server.wait_quiet()
    after = sorted(server.descriptors()), sorted(server.descriptors(supervisor))
    assert [len(names) for names in after] == [len(names) for names in before]
    assert children(supervisor) == [server.pid], "no zombies"


# Signals


def test_an_interrupt_for_the_supervisor_alone(host: Make) -> None:
    server = host("lab.py")
    running = server.gate("int")
    server.notify(signal.SIGINT)
    server.wait_said("Handling signal: int")
    server.open("int")
    assert running.result().json == "int"
    assert server.wait() == 0
    assert server.stderr.count("Shutting down: Master") == 1


def test_the_host_has_a_process_group_of_its_own(host: Make) -> None:
    """So Ctrl-C, which goes to all of a group, is not heard twice."""
    server = host("lab.py")
    groups = {os.getpgid(pid) for pid in tree(server.process.pid)}
    assert len(groups) == 3


def test_a_signal_in_a_pause_ends_it_at_once(host: Make) -> None:
    server = host("lab.py")
    ready = 1
    while "starting it again in 0.8 s" not in server.stderr:
        os.kill(server.pid, signal.SIGKILL)
        ready += 1
        until("ready, or pausing", lambda: server.times_ready() >= ready
              or "in 0.8 s" in server.stderr)
    assert server.stop() == 0
    said = server.texts("gunicorn.error", "stderr")
    assert said[-2:] == ["Handling signal: term", "Shutting down: Master"]


def test_a_host_that_is_told_itself_ends_the_program(host: Make) -> None:
    server = host("lab.py")
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait() == 0
    assert "host-" not in server.stderr


# Successors


def scripts(number: int) -> str:
    """A script that tells which one it is, and that waits where it is told to."""
    return (f"import os, time\ndef init(): pass\ndef run(data):\n"
            f"    while data == 'wait' and not os.path.exists('go'): time.sleep(0.01)\n"
            f"    return [{number}, os.getpid()]\n")


def reload_once(server: Host, script: str) -> None:
    """Changes the script, and has it loaded again."""
    (server.app / "score.py").write_text(script)
    server.notify(signal.SIGHUP)
    server.wait_said("Hang up: Master")


def test_hup_gives_kind_thread_a_new_host(host: Make) -> None:
    server = host("", "--entry_script", "score.py", *THREAD, files={"score.py": scripts(1)})
    old = server.pid
    with server.connect() as kept:
        assert kept.send(request(body=b"a")).response().json == [1, old]
        waiting = server.later(request(body=b"wait"))
        server.wait_read(waiting)
        reload_once(server, scripts(2))
        server.wait_said("takes over from")
        number, new = server.post("b").json
        assert (number, new != old) == (2, True)
        (server.app / "go").touch()
        assert waiting.result().json == [1, old], "the old one answers what it has"
        assert kept.is_closed()
    until("the old one has gone", lambda: state(old) == "")
    assert server.post("c").json == [2, new]
    assert "Shutting down" not in server.stderr
    assert server.stop() == 0


def test_hup_under_load_loses_nothing(host: Make) -> None:
    server = host("", "--entry_script", "score.py", *THREAD, files={"score.py": scripts(1)})
    seen = [server.post("x").json[0]]
    (server.app / "score.py").write_text(scripts(2))
    server.notify(signal.SIGHUP)
    while seen[-1] != 2:
        response = server.post("x")
        assert response.status == 200
        seen.append(response.json[0])
    assert seen == sorted(seen) and seen[0] == 1


def test_a_new_host_loses_no_request_of_those_who_keep_their_connections(host: Make) -> None:
    """They are told to come anew; what they send meanwhile is answered."""
    server = host("", "--entry_script", "score.py", *THREAD, files={"score.py": scripts(1)})
    for number in range(2, 6):
        (server.app / "score.py").write_text(scripts(number))
        server.notify(signal.SIGHUP)
        seen = 0
        while seen != number:
            with server.connect() as connection:
                while seen != number:
                    response = connection.send(request(body=b"x")).response()
                    assert response.status == 200
                    seen = response.json[0]
                    if response.get("Connection") == "close":
                        break


@pytest.mark.parametrize("script", ["raise ValueError('no good')\n", "import os; os._exit(9)\n"])
def test_a_broken_new_script_changes_nothing(host: Make, script: str) -> None:
    server = host("", "--entry_script", "score.py", *THREAD, files={"score.py": scripts(1)})
    reload_once(server, script)
    server.wait_said("host-successor-failed")
    assert server.post("a").json[0] == 1
    reload_once(server, scripts(2))
    server.wait_said("takes over from")
    assert server.post("a").json[0] == 2
    assert server.stop() == 0


def test_stuck_threads_wear_a_host_out(host: Make) -> None:
    """Past the cap a new one takes over; its clients have waited in the backlog."""
    server = host("lab.py", *THREAD, "--max_lost_workers", "0",
                  env={"SCORING_TIMEOUT_MS": "300"})
    old = server.pid
    stuck = server.do_later("hang", name="stuck", locked=False)
    server.wait_at("stuck")
    assert stuck.result().status == 500
    assert server.do("echo", value=1).json == 1
    assert server.do("pid").json != old
    server.wait_said("host-worn a new host takes the next clients")
    until("the old one has gone", lambda: state(old) == "")
    assert server.stop() == 0


# PID 1


def in_namespace() -> list[str]:
    """What makes a command PID 1; skips where that is not permitted."""
    prefix = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    try:
        done = subprocess.run([*prefix, "true"], capture_output=True, timeout=250)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if done.returncode != 0:
        pytest.skip(done.stderr.decode())
    return prefix


STRAYS = """
import os, subprocess, sys
def init(): pass
def run(data):
    # A grandchild whose parent is gone: PID 1 is its parent then.
    code = "import os, time\\nif os.fork() == 0:\\n    os.close(1)\\n"
    code += "    while not os.path.exists('end'): time.sleep(0.01)\\n    os._exit(5)\\n"
    code += "print('left', flush=True)\\n"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE)
    return done.stdout.decode()
"""


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_as_pid_1_with_strays(host: Make, kind: str) -> None:
    server = host("", "--entry_script", "score.py", "--worker_kind", kind,
                  prefix=in_namespace(), files={"score.py": STRAYS})
    outer = server.process.pid
    (first,) = (pid for pid in tree(outer)[1:] if inner_pid(pid) == 1)
    assert "(1)" in server.stderr, "it knows itself as PID 1"
    # One more for the host's parent: the script's program was not waited for by it.
    assert server.post("x").json == "left\n"
    until("the stray is its child", lambda: len(children(first)) == 2)
    (server.app / "end").touch()
    until("it is buried", lambda: len(children(first)) == 1)
    assert server.post("x").json == "left\n"
    os.kill(children(first)[0], signal.SIGKILL)
    server.wait_ready(2)
    assert server.post("x").json == "left\n"
    until("no zombie is left", lambda: len(children(first)) == 1)
    os.kill(first, signal.SIGTERM)
    assert server.wait() == 0
    assert server.stderr.count("host-lost") == 1


def inner_pid(pid: int) -> int:
    """What a process is called in its own namespace."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(next(line for line in text.splitlines() if line.startswith("NSpid")).split()[-1])


# One process


@pytest.mark.parametrize(
    ("arguments", "env"),
    [(("--supervisor", "off"), {}), ((), {"SCOREHOST_SUPERVISOR": "off"})],
)
def test_without_it_there_is_one_process(
    host: Make, arguments: tuple[str, ...], env: dict[str, str]
) -> None:
    server = host("lab.py", *THREAD, *arguments, env=env)
    assert tree(server.process.pid) == [server.process.pid]
    assert server.do("pid").json == server.process.pid
    server.notify(signal.SIGHUP)
    server.wait_said("no-supervisor a new host is needed")
    assert server.do("echo", value=1).json == 1
    assert server.stop() == 0


def test_debugging_is_done_in_one_process(host: Make) -> None:
    server = host("lab.py", env={"AZUREML_DEBUG_PORT": "5678"}, wait=False)
    server.wait()  # there is no debugger to connect to
    (using,) = [line for line in server.lines("stderr") if "Using worker" in line.text]
    assert using.pid == server.process.pid


def test_in_development_mode_python_has_nothing_to_say(host: Make) -> None:
    """Forking with Python's debug hooks: neither warnings nor fatal errors."""
    server = host("lab.py", *THREAD, env={"PYTHONDEVMODE": "1"})
    told = server.do("tell").json
    assert told["main thread"] is True and told["pid"] == server.pid
    assert server.stop() == 0
    assert "Warning" not in server.stderr and "Fatal" not in server.stderr, server.stderr


def test_the_supervisor_shares_its_memory(host: Make) -> None:
    """What it costs beside the host is what either has written since the fork."""
    server = host("lab.py")
    assert server.memory_kb(server.process.pid) < 1500


def test_a_connection_in_the_backlog_survives_the_host(host: Make) -> None:
    """It was made, its request was sent, and the host died before it was accepted."""
    server = host("lab.py")
    os.kill(server.pid, signal.SIGSTOP)
    tasks = os.listdir(f"/proc/{server.pid}/task")
    until("all threads have stopped", lambda: all(state(int(task)) == "T" for task in tasks))
    with Connection(server.address) as waiting:
        waiting.send(request(body=b'{"do": "echo", "value": 5}'))
        os.kill(server.pid, signal.SIGKILL)
        assert waiting.response().json == 5
