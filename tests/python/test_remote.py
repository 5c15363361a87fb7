"""The commands `worker` and `keygen` of remote workers, up to where C begins."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from scorehost import _core, flags, hostconfig, keys, remote
from scorehost.settings import Settings

NEEDED = ["--connect", "ipc:///run/line", "--entry_script", "score.py"]


# --- the command line of a worker -------------------------------------------


def test_flags_are_read_in_both_forms() -> None:
    given = remote.parse([*NEEDED, "--gpu=1", "--server-key", "K"])
    assert given == {
        "connect": "ipc:///run/line",
        "entry_script": "score.py",
        "gpu": "1",
        "server_key": "K",
    }


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "--connect is needed"),
        (["--connect", "x"], "--entry_script is needed"),
        ([*NEEDED, "--bogus", "1"], "there is no --bogus"),
        ([*NEEDED, "score.py"], "there is no score.py"),
        ([*NEEDED, "--gpu"], "--gpu needs a value"),
        ([*NEEDED, "--credits", "0"], "--credits is 1 to 4, not '0'"),
        ([*NEEDED, "--credits", "5"], "--credits is 1 to 4, not '5'"),
        ([*NEEDED, "--credits", "\u00b2"], "--credits is 1 to 4"),
        ([*NEEDED, "--restart", "maybe"], "--restart is on or off"),
        ([*NEEDED, "--key_file", "x"], "--key_file and --server_key go together"),
        ([*NEEDED, "--server_key", "x"], "--key_file and --server_key go together"),
        (
            [*NEEDED, "--key_file", "/no/such", "--server_key", "x"],
            "--key_file: there is no file /no/such",
        ),
    ],
)
def test_a_mistake_is_named(
    capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    assert remote.main(argv) == remote.USAGE_FAILED
    assert f"scorehost worker: error: {said}" in capsys.readouterr().err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert remote.main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"--{name}" in shown for name in remote.FLAGS)


def test_a_key_is_given_as_it_is_or_by_its_file(tmp_path: Path) -> None:
    key = "k" * 40
    (tmp_path / "server.pub").write_text(key + "\n")
    (tmp_path / "bad.pub").write_text("short\n")
    assert remote.read_key(key, "--server_key") == key
    assert remote.read_key(str(tmp_path / "server.pub"), "--server_key") == key
    with pytest.raises(remote.UsageError, match="holds no key of 40 characters"):
        remote.read_key(str(tmp_path / "bad.pub"), "--server_key")
    with pytest.raises(remote.UsageError, match="--server_key: "):
        remote.read_key("neither", "--server_key")


def test_names_tell_workers_apart() -> None:
    assert remote.default_name({"gpu": "3"}) == f"{os.uname().nodename}-gpu3"
    assert remote.default_name({}).endswith(f"-{os.getpid()}")


def test_the_hash_follows_the_script(tmp_path: Path) -> None:
    script = tmp_path / "score.py"
    assert remote.script_hash(str(script)) == 1
    script.write_text("a = 1\n")
    first = remote.script_hash(str(script))
    script.write_text("a = 2\n")
    assert 1 < first < 2**64 and remote.script_hash(str(script)) != first


def test_a_worker_finds_what_scripts_are_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {})
    remote.set_environment({"entry_script": "score.py", "gpu": "2", "model_dir": "m"})
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "2"
    assert os.environ["AZUREML_MODEL_DIR"] == "m"
    assert os.environ["AZUREML_ENTRY_SCRIPT"] == os.path.realpath("score.py")


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("tcp://10.1.2.3:5", "needs keys"),
        ("http://127.0.0.1:5", "tcp://ADDRESS:PORT or ipc://PATH"),
    ],
)
def test_c_says_what_is_wrong_with_an_endpoint(endpoint: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _core.connect(endpoint, "n", "", "s.py", 1, 1, "", "")
    with pytest.raises(ValueError, match="40 characters"):
        _core.connect(endpoint, "n", "", "s.py", 1, 1, "short", "")


# --- the guard --------------------------------------------------------------


def test_pauses_grow_while_workers_die_young() -> None:
    assert [remote.pause_after(0.1, failures) for failures in range(5)] == [
        0.0, 0.0, 0.1, 0.2, 0.4,
    ]
    assert remote.pause_after(0.1, 99) == remote.LONGEST_PAUSE_S
    assert remote.pause_after(60.0, 99) == 0.0


def test_a_guard_starts_a_worker_again_until_it_ends_well(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [-9, remote.RENEW, 7, 0]
    guard = remote.Guard([])
    monkeypatch.setattr(guard, "run_once", lambda: codes.pop(0))
    assert guard.run() == 0
    said = capsys.readouterr().err
    assert "the worker ended with SIGKILL and is started again" in said
    assert "the worker ended with code 7 and is started again" in said
    assert said.count("started again") == 2


@pytest.mark.parametrize("code", [remote.BOOT_FAILED, remote.USAGE_FAILED])
def test_what_would_not_help_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    guard = remote.Guard([])
    monkeypatch.setattr(guard, "run_once", lambda: code)
    assert guard.run() == code


def test_a_guard_passes_the_exit_code_on(monkeypatch: pytest.MonkeyPatch) -> None:
    guard = remote.Guard([])
    guard.command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"]
    assert guard.run_once() == -15
    guard.is_ending = True
    assert guard.run() == 128 + 15


# --- keygen -----------------------------------------------------------------


def test_keygen_writes_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "keys"
    assert keys.main([str(folder), "alpha", "beta"]) == 0
    assert sorted(os.listdir(folder)) == [
        "alpha.key", "alpha.pub", "beta.key", "beta.pub", "server.key", "server.pub",
    ]
    texts = {name: (folder / name).read_text().strip() for name in os.listdir(folder)}
    assert all(len(text) == 40 for text in texts.values())
    assert len(set(texts.values())) == 6
    for name in texts:
        mode = stat.S_IMODE((folder / name).stat().st_mode)
        assert (mode == 0o600) == name.endswith(".key")
    assert "server.key" in capsys.readouterr().out


def test_keygen_adds_workers_and_writes_nothing_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys.main([str(tmp_path)]) == 0
    server = (tmp_path / "server.key").read_text()
    assert keys.main([str(tmp_path), "alpha"]) == 0
    alpha = (tmp_path / "alpha.key").read_text()
    assert keys.main([str(tmp_path), "alpha"]) == 1
    assert keys.main([str(tmp_path)]) == 1
    assert "keys are not written over" in capsys.readouterr().err
    assert (tmp_path / "server.key").read_text() == server
    assert (tmp_path / "alpha.key").read_text() == alpha


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "-x", "server", "\u017c"])
def test_keygen_takes_plain_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert keys.main([str(tmp_path), name]) == 1
    assert "keygen: error: " in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_keygen_wants_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert keys.main([]) == keys.USAGE_FAILED
    assert keys.main(["--help"]) == 0
    assert keys.main(["/proc/no/such", "a"]) == 1
    assert "keygen: error: " in capsys.readouterr().err


# --- the host ---------------------------------------------------------------


def test_a_host_may_have_no_workers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMOTE_LISTEN", raising=False)
    none = ["--worker_count", "0"]
    assert flags.parse(none) is None  # argparse says what is wrong
    assert flags.parse([*none, "--remote_listen", "x"]) == {
        "worker_count": 0, "remote_listen": "x",
    }
    monkeypatch.setenv("REMOTE_LISTEN", "x")
    assert flags.parse(none) == {"worker_count": 0}
    assert hostconfig.worker_count({"WORKER_COUNT": "0"}, {"remote_listen": "x"}) == 0
    with pytest.raises(hostconfig.StartError, match="must be positive: 0"):
        hostconfig.worker_count({"WORKER_COUNT": "0"}, {})
    assert hostconfig.worker_kind({}, Settings(), {}, 0).kind == "process"


@pytest.mark.parametrize(
    ("given", "environ", "file", "count"),
    [
        ({}, {}, {}, 1),
        ({"gpu_workers": ["0", "1"]}, {}, {}, 2),
        ({}, {"GPU_WORKERS": "0,1,2"}, {}, 3),
        ({}, {}, {"GPU_WORKERS": [4, 5]}, 2),
        ({}, {}, {"GPU_WORKERS": [None]}, 1),
    ],
)
def test_each_gpu_has_a_worker_by_default(
    given: dict[str, object], environ: dict[str, str], file: dict[str, object], count: int
) -> None:
    assert hostconfig.default_workers(environ, given, file) == count
    hostconfig.set_ports(environ, given, file)
    assert environ["WORKER_COUNT"] == str(count)


def test_gpus_are_for_processes() -> None:
    with pytest.raises(hostconfig.StartError, match="gpu_workers are processes"):
        hostconfig.check_gpus({"gpu_workers": ["0"], "worker_kind": "thread"})
    hostconfig.check_gpus({"gpu_workers": ["0"], "worker_kind": "auto"})
