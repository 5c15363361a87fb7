"""What the host prints before it serves, and what it hands over."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from scorehost import azmlinfsrv, banner

# The command with a core that only shows what it was given.
COMMAND = """
import sys, types
sys.path[:] = {path!r}
sys.argv[0] = "/bin/azmlinfsrv"
core = types.ModuleType("scorehost._core")
def serve(config, boot):
    sys.stderr.write("SERVE\\n" + config + "\\n" + boot + "\\n")
    return 7
core.serve = serve
core.version = lambda: "scorehost 9"
sys.modules["scorehost._core"] = core
from scorehost.azmlinfsrv import main
sys.exit(main())
"""

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "


@dataclass
class Done:
    """What the command left behind."""

    code: int
    out: list[str]
    err: list[str]

    @property
    def config(self) -> dict[str, object]:
        """What C would have been told."""
        told: dict[str, object] = json.loads(self.err[self.err.index("SERVE") + 1])
        return told

    @property
    def boot(self) -> dict[str, object]:
        """What each worker would have been told."""
        told: dict[str, object] = json.loads(self.err[self.err.index("SERVE") + 2])
        return told

    def logged(self, level: str) -> list[str]:
        """The messages at a level of the host's own log."""
        head = re.compile(STAMP + level + r" \[\d+\] azmlinfsrv - (.*)")
        return [found[1] for found in map(head.fullmatch, self.out) if found]


class Command:
    """Runs `azmlinfsrv` in a directory of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"PATH": os.environ["PATH"]}

    def __call__(self, *argv: str, **environ: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND.format(path=sys.path), *argv],
            cwd=self.root,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout.splitlines(), done.stderr.splitlines())


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path.resolve())


def test_the_whole_banner(command: Command) -> None:
    done = command("--entry_script", "score.py")
    assert done.code == 7
    assert re.fullmatch(
        STAMP + r"I \[\d+\] azmlinfsrv - Loaded logging config from .*/scorehost/logging\.json",
        done.out[0],
    )
    assert done.out[1:] == [
        "The environment variable 'AZUREML_MODEL_DIR' has not been set.",
        "Use the --model_dir command line argument to set it.",
        "",
        "Azure ML Inferencing HTTP server v1.5.1",
        "",
        "",
        "Server Settings",
        "---------------",
        f"Entry Script Name: {command.root}/score.py",
        "Model Directory: None",
        "Config File: None",
        "Worker Count: 1",
        "Worker Timeout (seconds): None",
        "Server Port: 5001",
        "Health Port: 5001",
        "Application Insights Enabled: false",
        "Application Insights Key: None",
        "Inferencing HTTP server version: azmlinfsrv/1.5.1",
        "CORS for the specified origins: None",
        "Create dedicated endpoint for health: None",
        "",
        "",
        "Server Routes",
        "---------------",
        "Liveness Probe: GET   127.0.0.1:5001/",
        "Score:          POST  127.0.0.1:5001/score",
        "",
    ]


def test_the_logging_file_that_is_named_is_there() -> None:
    assert os.path.isfile(banner.PACKAGED_LOGGING)


def test_what_the_user_set_is_shown(command: Command) -> None:
    done = command(
        *("--entry_script", "score.py", "--model_dir", "models", "--worker_count", "3"),
        *("--access_control_allow_origins", "a, b", "--port", "6001", "--health_port", "6000"),
        *("--appinsights_instrumentation_key", "0123abcd-0000-1111-2222-abcdefabcdef"),
        WORKER_TIMEOUT="9",
        SEPERATE_HEALTH_ENDPOINT="true",
    )
    assert done.out[1] == "Valid Application Insights instrumentation key provided."
    assert {
        "Model Directory: models",
        "Worker Count: 3",
        "Worker Timeout (seconds): 9",
        "Server Port: 6001",
        "Health Port: 6000",
        "Application Insights Enabled: true",
        "Application Insights Key: AppInsights key provided",
        "CORS for the specified origins: Enabling CORS for a, b",
        "Create dedicated endpoint for health: true",
        "Liveness Probe: GET   127.0.0.1:6000/",
    } <= set(done.out)
    assert done.config["listen"] == ["0.0.0.0:6000", "0.0.0.0:6001"]
    assert done.config["cors_origins"] == ["a", "b"]
    assert done.config["worker_timeout_ms"] == 9000


def test_an_unusable_telemetry_key(command: Command) -> None:
    done = command("--entry_script=s.py", "--appinsights_instrumentation_key=x", "--model_dir=m")
    assert done.out[1:3] == [
        "Invalid Application Insights instrumentation key provided.",
        "Application Insights has been disabled.",
    ]
    assert "Application Insights Enabled: false" in done.out


@pytest.mark.parametrize("argv", [(), ("--entry_script", ""), ("--port", "6000")])
def test_nothing_to_serve(command: Command, argv: tuple[str, ...]) -> None:
    """The environment variable does not count."""
    done = command(*argv, AZUREML_ENTRY_SCRIPT="score.py")
    assert done.code == 1
    assert len(done.out) == 3
    assert done.logged("E") == [
        "Error!",
        "Either provide an entry_script using --entry_script or provide a path to the "
        "configuration file using --config_file",
    ]


def test_version(command: Command) -> None:
    done = command("--version")
    assert (done.code, done.out) == (0, ["scorehost 9"])


def test_a_mistake_in_the_command_line_exits_1(command: Command) -> None:
    done = command("--port", "0")
    assert done.code == 1
    assert done.err[-1] == "azmlinfsrv: error: argument --port: invalid validate_port value: '0'"


def test_no_worker_is_refused_at_start(command: Command) -> None:
    """With none, every request would wait for ever."""
    done = command("--entry_script", "score.py", WORKER_COUNT="0")
    assert done.code == 1
    assert done.out[-2].startswith("Score:")
    assert done.err == ["", "Error: Value must be positive: 0"]


def test_a_bad_new_key_stops_the_start(command: Command) -> None:
    done = command("--entry_script", "score.py", MAX_BODY_BYTES="big")
    assert done.code == 3
    assert "SERVE" not in done.err
    assert (
        "MAX_BODY_BYTES: expected a whole number from 1 to 1099511627776, got 'big' "
        "(environment variable: MAX_BODY_BYTES)"
    ) in done.out


def test_gunicorns_settings_are_ignored_with_one_warning(command: Command) -> None:
    (command.root / "gunicorn.conf.py").write_text("threads = 4\n")
    done = command("--entry_script", "s.py", GUNICORN_CMD_ARGS="--threads 2")
    assert done.logged("W") == [
        "GUNICORN_CMD_ARGS and gunicorn.conf.py are ignored: gunicorn is not used."
    ]


def test_preload_is_told_to_the_host(command: Command) -> None:
    done = command("--entry_script", "s.py", WORKER_PRELOAD="True")
    assert done.logged("W") == []
    assert done.config["worker_preload"] is True
    assert done.code == 7


def test_the_configuration_file_reaches_host_and_worker(command: Command) -> None:
    app = command.root / "app"
    app.mkdir()
    (app / "logging.json").write_text("{}")
    key = "0123abcd-0000-1111-2222-abcdefabcdef"
    settings = {
        "AML_APP_ROOT": str(app),
        "SCORING_TIMEOUT_MS": 5,
        "AML_CORS_ORIGINS": "*",
        "AML_APP_INSIGHTS_ENABLED": True,
        "AML_APP_INSIGHTS_KEY": key,
        "MAX_BODY_BYTES": 77,
    }
    (command.root / "c.json").write_text(json.dumps(settings))
    done = command("--config_file", "c.json")
    assert done.config["scoring_timeout_ms"] == 5
    assert done.config["cors_origins"] == ["*"]
    assert done.config["max_body_bytes"] == 77
    assert done.config["log_to_worker"] is True
    assert done.boot["config_file"] == f"{command.root}/c.json"
    assert "Valid Application Insights instrumentation key provided." in done.out
    assert "Application Insights Key: AppInsights key provided" in done.out


@pytest.mark.parametrize("text", ["{", "[1]", '{"SCORING_TIMEOUT_MS": "soon"}'])
def test_what_is_wrong_with_a_workers_settings_is_left_to_it(
    command: Command, text: str
) -> None:
    (command.root / "config.json").write_text(text)
    done = command("--entry_script", "score.py")
    assert done.code == 7
    assert done.config["scoring_timeout_ms"] == 3_600_000
    assert done.boot["config_file"] == f"{command.root}/config.json"


def test_the_rest_of_what_is_handed_over(command: Command) -> None:
    done = command("--entry_script", "s\u00e9.py", "--access_log=off", "--worker_kind=thread")
    assert done.config["access_log"] is False
    assert done.config["worker_kind"] == "thread"
    assert done.config["server_version"] == "azmlinfsrv/1.5.1"
    assert done.config["python"]
    assert done.boot["argv"] == [
        *("/bin/azmlinfsrv", "--entry_script", "s\u00e9.py", "--access_log=off"),
        "--worker_kind=thread",
    ]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="a probe decides there")
def test_the_kind_is_told_to_who_asks(command: Command) -> None:
    done = command("--entry_script=s.py", "--worker_kind=auto", "--worker_count=2")
    assert done.config["worker_kind"] == "process"
    assert done.logged("I")[1:] == [
        "subinterpreters are chosen automatically from Python 3.14 on: using 2 worker processes"
    ]
    for argv in ((), ("--worker_kind=process",), ("--worker_kind=thread",)):
        assert len(command("--entry_script=s.py", *argv).logged("I")) == 1


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        [1, -2, "x", []],
        {"a": {"b": [False]}, "": 0},
        'quote " backslash \\ newline \n nul \x00 del \x7f \u00e9 \U0001f600',
    ],
)
def test_json_is_json(value: object) -> None:
    text = azmlinfsrv.to_json(value)
    assert text.isascii()
    assert json.loads(text) == value
