"""What a command line of `azmlinfsrv` means, and what a wrong one gets."""

from __future__ import annotations

import subprocess
import sys

import pytest
from scorehost import flags, usage


def both(*argv: str) -> dict[str, object]:
    """Reads a good command line by both roads, which must agree."""
    quick = flags.parse(list(argv))
    assert quick is not None, "left to argparse"
    assert quick == usage.parse(list(argv))
    return quick


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Reads a bad command line; returns the last line of stderr."""
    assert flags.parse(list(argv)) is None
    with pytest.raises(SystemExit) as caught:
        usage.parse(list(argv))
    assert caught.value.code == 1
    return capsys.readouterr().err.splitlines()[-1].partition("error: ")[2]


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        ([], {}),
        (["--entry_script", "score.py"], {"entry_script": "score.py"}),
        (["--entry_script=score.py"], {"entry_script": "score.py"}),
        (["--entry_script", ""], {"entry_script": ""}),
        (["--model_dir=a=b"], {"model_dir": "a=b"}),
        (["--port", "1", "--port", "2"], {"port": 2}),
        (["--port", " 6000 "], {"port": 6000}),
        (["--port", "+6000"], {"port": 6000}),
        (["--port=6_000"], {"port": 6000}),
        (["--rest"], {"rest": True}),
        (["--version"], {"version": True}),
        (["--host", "::1", "--host", "[::]"], {"host": ["::1", "::"]}),
        (["--worker_kind", "Thread"], {"worker_kind": "thread"}),
        (["--access_log=off"], {"access_log": "off"}),
        (["--max_body_bytes", "1_000"], {"max_body_bytes": 1000}),
        (["--model_name", "iris"], {"model_name": "iris"}),
        (["--scoring_timeout_ms", "0"], {"scoring_timeout_ms": 0}),
        (["--max_connections_per_address", "0"], {"max_connections_per_address": 0}),
    ],
)
def test_well_formed_flags_need_no_argparse(argv: list[str], found: dict[str, object]) -> None:
    assert both(*argv) == found


def test_every_flag_has_its_place() -> None:
    """A new flag has an environment name, and no two share one."""
    names = [flag.env for flag in flags.FLAGS if flag.env]
    assert len(names) == len(set(names))
    for flag in flags.FLAGS:
        assert flag.contract or flag.env or flag.name == "version"


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["--entry", "s.py"], {"entry_script": "s.py"}),
        (["--worker", "2"], {"worker_count": 2}),
        (["--worker=2"], {"worker_count": 2}),
        (["--mod", "m"], {"model_dir": "m"}),
        (["--health", "7"], {"health_port": 7}),
        (["--access", "*"], {"access_control_allow_origins": "*"}),
        (["--model_dir", "-1"], {"model_dir": "-1"}),
    ],
)
def test_abbreviations_are_those_of_the_contract(
    argv: list[str], found: dict[str, object]
) -> None:
    """Also where a new flag begins with the same letters."""
    assert flags.parse(argv) is None
    assert usage.parse(argv) == found


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--port", "0"], "argument --port: invalid validate_port value: '0'"),
        (["--port=65536"], "argument --port: invalid validate_port value: '65536'"),
        (["--port", "0x10"], "argument --port: invalid validate_port value: '0x10'"),
        (["--por", "x"], "argument --port: invalid validate_port value: 'x'"),
        (
            ["--worker_count", "-1"],
            "argument --worker_count: invalid validate_worker_count value: '-1'",
        ),
        (["--port"], "argument --port: expected one argument"),
        (["--entry_script", "--rest"], "argument --entry_script: expected one argument"),
        (["--rest=1"], "argument --rest: ignored explicit argument '1'"),
        (["--bogus"], "unrecognized arguments: --bogus"),
        (["score.py"], "unrecognized arguments: score.py"),
        (["--max", "1"], "unrecognized arguments: --max 1"),
        (["--hos", "::"], "unrecognized arguments: --hos ::"),
        (
            ["--a=x"],
            "ambiguous option: --a=x could match --appinsights_instrumentation_key, "
            "--access_control_allow_origins",
        ),
        (["--he"], "ambiguous option: --he could match --help, --health_port"),
        (
            ["--max_body_bytes", "0"],
            "argument --max_body_bytes: expected a whole number from 1 to 1099511627776, "
            "got '0'",
        ),
        (
            ["--worker_kind", "green"],
            "argument --worker_kind: expected auto or process or interpreter or thread, "
            "got 'green'",
        ),
        (["--access_log=no"], "argument --access_log: expected on or off, got 'no'"),
        (
            ["--model_name", "a/b"],
            "argument --model_name: expected a name of 1 to 256 bytes without / ? # %, got 'a/b'",
        ),
        (["--host", ""], "argument --host: expected an address to listen on, got ''"),
        (
            ["--socket", "x" * 108],
            "argument --socket: expected a path of 1 to 107 bytes, got " + repr("x" * 108),
        ),
    ],
)
def test_a_mistake_is_named(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert refused(capsys, *argv) == message


def test_a_mistake_shows_the_options_and_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    """stdout has title and options, stderr usage and message."""
    with pytest.raises(SystemExit) as caught:
        usage.parse(["--bogus"])
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[:3] == ["", "Azure ML Inferencing HTTP server v1.5.1", ""]
    assert "usage:" not in out
    assert err.startswith("usage: ")
    assert "--worker_kind" in out


def test_help_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        usage.parse(["-h"])
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out.startswith("usage: ")
    assert "--entry_script" in out
    assert "--rest" not in out
    assert err == ""


def test_words_after_a_double_dash_are_not_flags(capsys: pytest.CaptureFixture[str]) -> None:
    assert "unrecognized arguments: " in "error: " + refused(capsys, "--", "--entry")


def test_start_up_imports_nothing_heavy() -> None:
    """Whatever is imported here, a client waits for."""
    code = (
        "import sys; before = set(sys.modules);"
        "from scorehost import azmlinfsrv; azmlinfsrv.flags.parse(['--port', '1']);"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"argparse", "logging", "re", "json", "typing", "inspect", "enum", "dataclasses"}
    assert heavy.isdisjoint(done.stdout.split())
    assert "scorehost.usage" not in done.stdout.split()
