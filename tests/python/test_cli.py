"""The command `scorehost`: who gets which words, and what it costs to get there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from scorehost import azmlinfsrv, cli, running

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the command; `before` is Python that comes first."""

    def call(*argv: str, before: str = "") -> "subprocess.CompletedProcess[str]":
        code = f"import sys; sys.path[:] = {sys.path!r}\n{before}\n"
        code += "from scorehost.cli import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", code, *argv],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )

    return call


@pytest.mark.parametrize(
    ("words", "passed"),
    [
        ([], []),
        (["score.py"], ["--entry_script", "score.py"]),
        (["score.py", "--port", "1"], ["--entry_script", "score.py", "--port", "1"]),
        (["--port", "1", "score.py"], ["--port", "1", "--entry_script", "score.py"]),
        (["--port=1", "score.py"], ["--port=1", "--entry_script", "score.py"]),
        (["--reload", "score.py"], ["--reload", "--entry_script", "score.py"]),
        (["--worker-kind", "thread", "s.py"],
         ["--worker-kind", "thread", "--entry_script", "s.py"]),
        (["--entry_script", "score.py"], ["--entry_script", "score.py"]),
        (["--entry", "score.py"], ["--entry", "score.py"]),
        (["--help"], ["--help"]),
        (["--port"], ["--port"]),
        (["a.py", "b.py"], ["--entry_script", "a.py", "b.py"]),
    ],
)
def test_where_the_script_may_stand(words: list[str], passed: list[str]) -> None:
    assert cli.with_script(words) == passed


def test_serve_is_azmlinfsrv(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def serve(words: list[str]) -> int:
        seen.append(words)
        return 5

    monkeypatch.setattr(azmlinfsrv, "run", serve)
    assert cli.main(["serve", "score.py", "--port", "1"]) == 5
    assert seen == [["--entry_script", "score.py", "--port", "1"]]


def test_serve_answers_mistakes_as_azmlinfsrv_does(run: Run) -> None:
    done = run("serve", "score.py", "--unknown")
    assert done.returncode == 1
    assert done.stderr.endswith("error: unrecognized arguments: --unknown\n")
    done = run("serve", "a.py", "b.py")
    assert "unrecognized arguments: b.py" in done.stderr
    assert run("serve").returncode == 1


def test_serve_imports_little(run: Run) -> None:
    """A client waits."""
    before = (
        "import atexit, types\n"
        "core = types.ModuleType('scorehost._core')\n"
        "core.serve = lambda config, boot: 0\n"
        "sys.modules['scorehost._core'] = core\n"
        "atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))\n"
    )
    done = run("serve", "score.py", before=before)
    assert done.returncode == 0, done.stderr
    dear = {"argparse", "click", "json", "logging", "re", "subprocess", "scorehost.commands"}
    assert not dear & set(done.stderr.split())


@pytest.mark.parametrize(("verb", "module"), [("worker", "remote"), ("keygen", "keys")])
def test_what_is_handed_on_untouched(
    monkeypatch: pytest.MonkeyPatch, verb: str, module: str
) -> None:
    fake = ModuleType(f"scorehost.{module}")
    seen = []

    def main(words: list[str]) -> int:
        seen.append(words)
        return 9

    monkeypatch.setattr(fake, "main", main, raising=False)
    monkeypatch.setitem(sys.modules, f"scorehost.{module}", fake)
    assert cli.main([verb, "--connect", "tcp://a:1", "--help", "--", "x"]) == 9
    assert seen == [["--connect", "tcp://a:1", "--help", "--", "x"]]


@pytest.mark.parametrize("argv", [(), ("--help",), ("-h",)])
def test_help_lists_the_verbs(run: Run, argv: tuple[str, ...]) -> None:
    done = run(*argv)
    assert (done.returncode, done.stderr) == (0, "")
    for verb in ("serve", "check", "worker", "keygen", "reload", "version"):
        assert f"\n  {verb} " in done.stdout


@pytest.mark.parametrize("verb", ["check", "reload", "version"])
def test_each_verb_explains_itself(run: Run, verb: str) -> None:
    done = run(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: scorehost {verb} ")


@pytest.mark.parametrize("argv", [("serv",), ("--nothing",), ("reload", "x"), ("reload", "1")])
def test_mistakes_exit_with_2(run: Run, argv: tuple[str, ...]) -> None:
    done = run(*argv)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Error: " in done.stderr and "Traceback" not in done.stderr


def test_version(run: Run) -> None:
    done = run("version")
    assert done.returncode == 0
    assert done.stdout.startswith("scorehost ")


# reload


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        (["/venv/bin/azmlinfsrv", "--entry_script", "s.py"], True),
        (["scorehost-host", "--entry_script", "s.py"], True),
        (["/venv/bin/python3.13", "/venv/bin/azmlinfsrv", "--port", "1"], True),
        (["python", "-O", "-X", "dev", "-m", "scorehost.azmlinfsrv"], True),
        (["python3", "/venv/bin/scorehost", "serve", "s.py"], True),
        (["python3", "-m", "scorehost.cli", "serve"], True),
        (["scorehost", "serve"], True),
        (["scorehost", "check", "s.py"], False),
        (["python3", "/venv/bin/scorehost", "reload"], False),
        (["python3", "-m", "scorehost.worker", "3"], False),
        (["vim", "azmlinfsrv"], False),
        (["python3", "script.py", "azmlinfsrv"], False),
        (["python3"], False),
        ([""], False),
        ([], False),
    ],
)
def test_who_is_a_server(words: list[str], verdict: bool) -> None:
    assert running.is_server(words) is verdict


class Proc:
    """A /proc with the processes that a test wants."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "net").mkdir()
        self.rows: list[str] = []

    def add(self, pid: int, *words: str, parent: int = 1, inodes: tuple[int, ...] = ()) -> None:
        place = self.root / str(pid)
        (place / "fd").mkdir(parents=True)
        (place / "task" / str(pid)).mkdir(parents=True)
        (place / "task" / str(pid) / "children").write_text("")
        (place / "cmdline").write_text("".join(f"{word}\0" for word in words))
        (place / "stat").write_text(f"{pid} (odd) name) S {parent} 0")
        above = self.root / str(parent) / "task" / str(parent) / "children"
        if above.exists():
            above.write_text(f"{above.read_text()}{pid} ")
        for number, inode in enumerate(inodes):
            (place / "fd" / str(number)).symlink_to(f"socket:[{inode}]")

    def listen(self, port: int, inode: int, state: str = "0A", table: str = "tcp") -> None:
        with open(self.root / "net" / table, "a") as file:
            if not file.tell():
                file.write("  sl  local_address rem_address   st ...\n")
            file.write(
                f" 0: 0100007F:{port:04X} 00000000:0000 {state} 0:0 00:0 0 0 0 {inode} 1 0\n"
            )


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Proc:
    monkeypatch.setattr(running, "_PROC", str(tmp_path))
    return Proc(tmp_path)


def refused(pid: int | None = None, port: int | None = None) -> str:
    """Why there is nothing to reload."""
    with pytest.raises(running.NoServer) as caught:
        running.pick(pid, port)
    return str(caught.value)


def test_the_only_server_is_meant(proc: Proc) -> None:
    proc.add(10, "bash")
    proc.add(20, "python3", "/bin/azmlinfsrv", "--port", "1")
    proc.add(21, "python3", "/bin/azmlinfsrv", "--port", "1", parent=20)
    proc.add(22, "python3", "-m", "scorehost.worker", "3", parent=21)
    found = running.pick(None, None)
    assert (found.pid, found.name) == (20, "azmlinfsrv")


def test_none_and_several(proc: Proc) -> None:
    assert "no server runs" in refused()
    proc.add(20, "azmlinfsrv")
    proc.add(30, "python3", "scorehost", "serve", "a.py")
    text = refused()
    assert "say which" in text and "  20  azmlinfsrv" in text
    assert "  30  python3 scorehost serve a.py" in text


def test_by_pid(proc: Proc) -> None:
    proc.add(20, "azmlinfsrv")
    proc.add(21, "python3", "-m", "scorehost.worker", "3", parent=20)
    proc.add(30, "sleep", "9")
    assert running.pick(20, None).pid == 20
    assert refused(pid=99) == "there is no process 99"
    assert refused(pid=30) == "process 30 is no server of ours: sleep 9"
    assert refused(pid=21).endswith("It belongs to one, though: scorehost reload 20")


@pytest.mark.parametrize("table", ["tcp", "tcp6"])
def test_by_port(proc: Proc, table: str) -> None:
    """The socket may be in the hands of the supervisor, of its host, or of both."""
    proc.add(20, "azmlinfsrv", inodes=(700,))
    proc.add(30, "scorehost-host")
    proc.add(31, "scorehost-host", parent=30, inodes=(701, 702))
    proc.add(40, "nginx", inodes=(703,))
    (proc.root / "30" / "fd" / "9").symlink_to("/dev/null")
    for port, inode in ((5001, 700), (5002, 702), (80, 703)):
        proc.listen(port, inode, table=table)
    proc.listen(6000, 700, state="01", table=table)
    assert running.pick(None, 5001).pid == 20
    assert running.pick(None, 5002).pid == 30
    assert running.pick(None, 5002).name == "scorehost-host"
    assert "is no server of ours" in refused(port=80)
    assert refused(port=6000) == "nothing listens on port 6000"


def test_a_process_that_went_meanwhile(proc: Proc, monkeypatch: pytest.MonkeyPatch) -> None:
    assert running.parent(5) == 0
    assert list(running.sockets(5)) == []
    assert running.tree(5) == [5]
    for error, text in ((ProcessLookupError, "has just ended"), (PermissionError, "use sudo")):

        def kill(pid: int, number: int, error: type[OSError] = error) -> None:
            raise error

        monkeypatch.setattr(os, "kill", kill)
        with pytest.raises(running.NoServer, match=text):
            running.reload(running.Server(5, ["azmlinfsrv"]))


def test_reload_without_a_server_says_so(run: Run) -> None:
    done = run("reload", str(os.getpid()))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"process {os.getpid()} is no server of ours" in done.stderr
    done = run("reload", "5", "--port", "5001")
    assert done.returncode == 2
