"""What the environment and config.json mean to host and worker."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from scorehost import hostconfig, settings
from scorehost.flags import FLAGS

UNPARSED = "Input should be a valid integer, unable to parse string as an integer"
FRACTION = "Input should be a valid integer, got a number with a fractional part"
TOO_LONG = "Unable to parse input string as an integer, exceeded maximum size"
UNREAD = "Input should be a valid boolean, unable to interpret input"


def load(
    environ: dict[str, str] | None = None, file: dict[str, object] | None = None
) -> settings.Settings:
    """Loads settings that must be good."""
    found, problems = settings.load(environ or {}, file or {})
    assert problems == []
    return found


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("500", 500),
        (" 500 ", 500),
        ("\t5\n", 5),
        ("1_000", 1000),
        ("1000.0", 1000),
        ("1_000.00", 1000),
        ("+5", 5),
        ("-5", -5),
        ("00012", 12),
        (5, 5),
        (5.0, 5),
        (True, 1),
    ],
)
def test_whole_numbers(value: object, number: int) -> None:
    parsed = settings.parse_int(value)
    assert parsed == number
    assert type(parsed) is int


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", UNPARSED),
        ("  ", UNPARSED),
        ("1__0", UNPARSED),
        ("_1", UNPARSED),
        ("1000.", UNPARSED),
        (".0", UNPARSED),
        ("1000.5", UNPARSED),
        ("1e3", UNPARSED),
        ("- 5", UNPARSED),
        ("0x10", UNPARSED),
        ("true", UNPARSED),
        ("\u0663", UNPARSED),
        ("9" * 5000, TOO_LONG),
        (1e30, TOO_LONG),
        (5.5, FRACTION),
        (float("inf"), "Input should be a finite number"),
        (float("nan"), "Input should be a finite number"),
        ([1], "Input should be a valid integer"),
        ({}, "Input should be a valid integer"),
    ],
)
def test_what_is_no_whole_number(value: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        settings.parse_int(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize("value", ["1", "On", "t", "TRUE", "y", "Yes", 1, 1.0, True])
def test_what_means_yes(value: object) -> None:
    assert settings.parse_bool(value) is True


@pytest.mark.parametrize("value", ["0", "off", "F", "False", "n", "NO", 0, 0.0, False])
def test_what_means_no(value: object) -> None:
    assert settings.parse_bool(value) is False


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", UNREAD),
        (" true ", UNREAD),
        ("perhaps", UNREAD),
        (2, UNREAD),
        (1.5, "Input should be a valid boolean"),
        ([], "Input should be a valid boolean"),
    ],
)
def test_what_is_neither(value: object, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        settings.parse_bool(value)
    assert str(caught.value) == reason


def test_defaults() -> None:
    found = load()
    assert found.service_name == "ML service"
    assert found.service_version == "1.0"
    assert found.scoring_timeout_ms == 3_600_000
    assert found.hostname == "Unknown"
    assert found.app_insights_log_response is True
    assert found.origins == []


def test_environment_comes_before_file_key_by_key() -> None:
    found = load(
        {"SERVICE_NAME": "env", "WORKSPACE_NAME": ""},
        {"SERVICE_NAME": "file", "WORKSPACE_NAME": "w", "SERVICE_VERSION": "2"},
    )
    assert (found.service_name, found.workspace_name, found.service_version) == ("env", "", "2")


def test_names_in_the_environment_match_in_any_case() -> None:
    assert load({"service_name": "low"}).service_name == "low"
    assert load({"service_name": "low", "SERVICE_NAME": "UP"}).service_name == "UP"


def test_null_in_the_file_is_absent() -> None:
    assert load({}, {"SERVICE_NAME": None}).service_name == "ML service"


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("AML_APP_ROOT", "/r", "app_root"),
        ("AML_APP_INSIGHTS_ENABLED", True, "app_insights_enabled"),
        ("AML_APP_INSIGHTS_KEY", "k", "app_insights_key"),
        ("AML_MODEL_DC_STORAGE_ENABLED", "yes", "model_dc_storage_enabled"),
        ("AML_MDC_STORAGE_ENABLED", "yes", "model_dc_storage_enabled"),
        ("AML_CORS_ORIGINS", "a, b", "cors_origins"),
    ],
)
def test_documented_keys_work_from_the_file(key: str, value: object, name: str) -> None:
    found = load({}, {key: value})
    assert getattr(found, name) == (True if value == "yes" else value)


def test_problems_come_in_the_order_of_the_keys() -> None:
    _, problems = settings.load(
        {"AZUREML_DEBUG_PORT": "x"}, {"SCORING_TIMEOUT_MS": 1.5, "SERVICE_NAME": 4}
    )
    assert problems == [
        ("SERVICE_NAME", "Input should be a valid string"),
        ("SCORING_TIMEOUT_MS", FRACTION),
        ("AZUREML_DEBUG_PORT", UNPARSED),
    ]


def test_the_block_of_a_problem() -> None:
    assert settings.problem_text(("K", "why")).splitlines() == [
        "",
        "===============Configuration Error=================",
        "K: why (environment variable: K)",
        "=" * 51,
    ]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("-1", "Input should be greater than or equal to 0"),
        ("9" * 20, "Input should be less than or equal to 1000000000000"),
    ],
)
def test_a_scoring_timeout_that_no_clock_can_hold(value: str, reason: str) -> None:
    """It would have made every request fail."""
    found, problems = settings.load({"SCORING_TIMEOUT_MS": value}, {})
    assert problems == [("SCORING_TIMEOUT_MS", reason)]
    assert found.scoring_timeout_ms == 3_600_000


def test_the_name_of_the_model() -> None:
    assert settings.load({"SCOREHOST_MODEL_NAME": "iris"}, {})[0].model_name == "iris"
    assert settings.load({"MODEL_NAME": "org/model"}, {})[0].model_name == ""  # the script's own
    file: dict[str, object] = {"SCOREHOST_MODEL_NAME": "a/b"}
    found, problems = settings.load({}, file)
    reason = "expected a name of 1 to 256 bytes without / ? # %, got 'a/b'"
    assert (found.model_name, problems) == ("", [("SCOREHOST_MODEL_NAME", reason)])
    assert environment({"model_name": "b"}, {"SCOREHOST_MODEL_NAME": "a"})[
        "SCOREHOST_MODEL_NAME"
    ] == "b"
    assert settings.unknown_keys(file) == []


def test_the_worker_knows_how_large_a_body_may_be() -> None:
    assert settings.load({}, {})[0].max_body_bytes == 100 * 1024 * 1024
    assert settings.load({"MAX_BODY_BYTES": "1000"}, {})[0].max_body_bytes == 1000
    assert settings.load({}, {"MAX_BODY_BYTES": 1000})[0].max_body_bytes == 1000
    assert settings.load({"MAX_BODY_BYTES": "0"}, {})[1]
    assert environment({"max_body_bytes": 7}, {"MAX_BODY_BYTES": "9"})["MAX_BODY_BYTES"] == "7"


def test_only_unknown_keys_are_unknown() -> None:
    file: dict[str, object] = {
        "service_name": "wrong case",
        "SERVICE_NAME": "x",
        "AML_MDC_STORAGE_ENABLED": "1",
        "MAX_BODY_BYTES": 5,
        "SCOREHOST_HOST": "::1",
        "bogus": 1,
    }
    assert settings.unknown_keys(file) == ["service_name", "bogus"]


class Places:
    """A directory with some configuration files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {"AML_APP_ROOT": str(root / "app")}
        (root / "app").mkdir()
        (root / "src").mkdir()

    def write(self, name: str, text: str = "{}") -> str:
        path = self.root / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_an_explicit_file_comes_first(places: Places) -> None:
    places.write("app/config.json")
    places.environ["AZUREML_CONFIG_FILE"] = places.write("mine.json")
    assert settings.find_file(places.environ) == places.environ["AZUREML_CONFIG_FILE"]


@pytest.mark.parametrize("name", ["missing.json", "empty.json"])
def test_a_missing_or_empty_explicit_file_is_skipped(places: Places, name: str) -> None:
    places.write("empty.json", "")
    places.environ["AZUREML_CONFIG_FILE"] = str(places.root / name)
    expected = places.write("app/config.json")
    assert settings.find_file(places.environ) == expected


def test_the_file_beside_the_script_comes_last(places: Places) -> None:
    expected = places.write("src/config.json")
    places.environ["AZUREML_ENTRY_SCRIPT"] = str(places.root / "src/score.py")
    assert settings.find_file(places.environ) == expected
    expected = places.write("app/config.json")
    assert settings.find_file(places.environ) == expected


def test_no_file_at_all(places: Places) -> None:
    assert settings.find_file(places.environ) == ""
    assert settings.read_file("") == {}


@pytest.mark.parametrize("text", ["{", "[1]", "\x00", "[" * 100_000])
def test_a_file_that_cannot_be_read(places: Places, text: str) -> None:
    with pytest.raises(settings.ConfigFileError):
        settings.read_file(places.write("bad.json", text))


def test_the_users_logging_file(places: Places) -> None:
    found = load(places.environ | {"AZUREML_ENTRY_SCRIPT": str(places.root / "src/score.py")})
    assert settings.find_logging(found) == ""
    beside = places.write("src/logging.json")
    assert settings.find_logging(found) == beside
    first = places.write("app/logging.json")
    assert settings.find_logging(found) == first


# --- the host ---------------------------------------------------------------


def environment(
    flags: dict[str, object], before: dict[str, str] | None = None
) -> dict[str, str]:
    """The environment that a script finds."""
    environ = dict(before or {})
    hostconfig.set_places(environ, flags)
    hostconfig.set_ports(environ, flags, {})
    hostconfig.set_names(environ, flags)
    hostconfig.set_insights(environ, flags, {})
    return environ


def test_what_a_script_finds_by_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert environment({"entry_script": "s.py"}) == {
        "AML_APP_ROOT": str(tmp_path),
        "AZUREML_ENTRY_SCRIPT": os.path.realpath(tmp_path / "s.py"),
        "TRANSPORT_PROTOCOL": "grpc",
        "SERVER_PORT": "5001",
        "HEALTH_PORT": "5001",
        "WORKER_COUNT": "1",
        "HTTP_X_MS_SERVER_VERSION": "azmlinfsrv/1.5.1",
        "SERVER_SOFTWARE": "scorehost/0.1.0",
        "AML_APP_INSIGHTS_ENABLED": "false",
    }


def test_flags_come_before_the_environment() -> None:
    environ = environment(
        {
            "model_dir": "m",
            "worker_count": 3,
            "access_control_allow_origins": "a",
            "scoring_timeout_ms": 9,
            "rest": True,
        },
        {"AZUREML_MODEL_DIR": "e", "WORKER_COUNT": "7", "AML_CORS_ORIGINS": "e"},
    )
    assert environ["AZUREML_MODEL_DIR"] == "m"
    assert environ["WORKER_COUNT"] == "3"
    assert environ["AML_CORS_ORIGINS"] == "a"
    assert environ["SCORING_TIMEOUT_MS"] == "9"
    assert environ["TRANSPORT_PROTOCOL"] == "rest"


@pytest.mark.parametrize(
    ("flags", "before", "ports"),
    [
        ({}, {"SERVER_PORT": "9"}, ("5001", "5001")),
        ({}, {"HEALTH_PORT": "9"}, ("5001", "9")),
        ({"port": 6}, {"HEALTH_PORT": "9"}, ("6", "6")),
        ({"health_port": 7}, {}, ("5001", "5001")),
        ({}, {"SEPERATE_HEALTH_ENDPOINT": "true", "HEALTH_PORT": "9"}, ("5001", "5000")),
        ({"health_port": 7}, {"SEPERATE_HEALTH_ENDPOINT": "true"}, ("5001", "7")),
        ({"health_port": 7}, {"SEPERATE_HEALTH_ENDPOINT": "True"}, ("5001", "5001")),
        ({"health_port": 7}, {"SEPARATE_HEALTH_ENDPOINT": "true"}, ("5001", "7")),
    ],
)
def test_ports(
    flags: dict[str, object], before: dict[str, str], ports: tuple[str, str]
) -> None:
    environ = environment(flags, before)
    assert (environ["SERVER_PORT"], environ["HEALTH_PORT"]) == ports


@pytest.mark.parametrize(
    ("switch", "sent"),
    [(None, "azmlinfsrv/1.5.1"), ("True", "azmlinfsrv/1.5.1"), ("", "old"), ("false", "old")],
)
def test_the_version_that_clients_see(switch: str | None, sent: str) -> None:
    before = {"HTTP_X_MS_SERVER_VERSION": "old"}
    if switch is not None:
        before["SERVER_VERSION_LOG_RESPONSE_ENABLED"] = switch
    assert environment({}, before)["HTTP_X_MS_SERVER_VERSION"] == sent


KEY = "0123abcd-0000-1111-2222-ABCDEFabcdef"


@pytest.mark.parametrize(
    ("before", "file", "verdict", "enabled"),
    [
        ({}, {}, None, "false"),
        ({}, {"AML_APP_INSIGHTS_ENABLED": None}, None, "false"),
        ({"AML_APP_INSIGHTS_ENABLED": "true"}, {}, None, "false"),
        ({"AML_APP_INSIGHTS_KEY": KEY}, {}, None, "false"),
        ({"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": KEY}, {}, True, "true"),
        ({"AML_APP_INSIGHTS_ENABLED": "True", "AML_APP_INSIGHTS_KEY": KEY}, {}, True, "true"),
        ({"AML_APP_INSIGHTS_ENABLED": "1", "AML_APP_INSIGHTS_KEY": "x"}, {}, False, "false"),
        ({"AML_APP_INSIGHTS_ENABLED": "what", "AML_APP_INSIGHTS_KEY": KEY}, {}, None, "false"),
        (
            {"AML_APP_INSIGHTS_ENABLED": "no"},
            {"AML_APP_INSIGHTS_ENABLED": True, "AML_APP_INSIGHTS_KEY": KEY},
            None,
            "false",
        ),
        (
            {},
            {"AML_APP_INSIGHTS_ENABLED": True, "AML_APP_INSIGHTS_KEY": KEY},
            True,
            "true",
        ),
    ],
)
def test_telemetry(
    before: dict[str, str], file: dict[str, object], verdict: bool | None, enabled: str
) -> None:
    environ = dict(before)
    assert hostconfig.set_insights(environ, {}, file) is verdict
    assert environ["AML_APP_INSIGHTS_ENABLED"] == enabled


def test_the_telemetry_flag_turns_it_on() -> None:
    environ: dict[str, str] = {"AML_APP_INSIGHTS_ENABLED": "false"}
    flags: dict[str, object] = {"appinsights_instrumentation_key": KEY}
    assert hostconfig.set_insights(environ, flags, {}) is True
    assert environ == {"AML_APP_INSIGHTS_ENABLED": "true", "AML_APP_INSIGHTS_KEY": KEY}


def test_a_bad_switch_in_the_file_is_left_for_the_worker() -> None:
    """It reads the file, too, and stops with the usual message."""
    environ: dict[str, str] = {}
    hostconfig.set_insights(environ, {}, {"AML_APP_INSIGHTS_ENABLED": "what"})
    assert environ == {}
    environ = {"AML_APP_ROOT": "/cwd"}
    hostconfig.set_app_root(environ, {"AML_APP_ROOT": 5})
    assert environ == {}


@pytest.mark.parametrize(
    ("environ", "text", "code"),
    [
        ({"WORKER_COUNT": "0"}, "Error: Value must be positive: 0", 1),
        ({"WORKER_COUNT": "-1"}, "Error: Value must be positive: -1", 1),
        (
            {"WORKER_COUNT": "abc"},
            "Error: WORKER_COUNT: invalid literal for int() with base 10: 'abc'",
            1,
        ),
        ({"WORKER_COUNT": "1025"}, "Error: Value must not be over 1024: 1025", 1),
        ({"WORKER_TIMEOUT": "-1"}, "Error: Value must be positive: -1", 1),
        (
            {"WORKER_TIMEOUT": "abc"},
            "azmlinfsrv: error: WORKER_TIMEOUT: invalid int value: 'abc'",
            2,
        ),
    ],
)
def test_what_stops_the_start(environ: dict[str, str], text: str, code: int) -> None:
    full = {"WORKER_COUNT": "1", "SERVER_PORT": "1", **environ}
    with pytest.raises(hostconfig.StartError) as caught:
        hostconfig.config(full, {}, settings.Settings(), False)
    assert (str(caught.value), caught.value.code) == (text, code)


SCHEMA = Path(__file__).parents[2] / "csrc/config/schema.def"
ENTRY = re.compile(r"^X\((\w+), (\w+), .*, (\d+), (\d+),$", re.MULTILINE)


NOT_FOR_C = ("host", "model_name", "socket")


def test_host_and_core_agree_on_keys_and_bounds() -> None:
    """What a flag lets through, C takes; so no mistake is named twice."""
    entries = ENTRY.findall(SCHEMA.read_text())
    bounds = {name: (kind, int(least), int(most)) for name, kind, least, most in entries}
    environ = {"WORKER_COUNT": "1", "SERVER_PORT": "1"}
    told = hostconfig.config(environ, {}, settings.Settings(), False)
    mine = [flag for flag in FLAGS if flag.env and flag.name not in NOT_FOR_C]
    assert set(told) | {flag.name for flag in mine} == set(bounds)
    assert bounds["worker_count"][2] == hostconfig.MAX_WORKERS
    for flag in mine:
        kind, least, most = bounds[flag.name]
        if kind in ("BOOL", "WORKER_KIND", "STRING", "LIST"):
            continue
        assert flag.read is not None
        assert (flag.read(str(least)), flag.read(str(most))) == (least, most)
        for outside in (least - 1, most + 1):
            with pytest.raises(ValueError):
                flag.read(str(outside))


def test_a_worker_timeout_for_ever() -> None:
    assert hostconfig.worker_timeout_ms({"WORKER_TIMEOUT": "0"}) == 0
    assert hostconfig.worker_timeout_ms({"WORKER_TIMEOUT": "9" * 20}) == 10**12


def test_what_c_is_told_by_default() -> None:
    told = hostconfig.config(
        {"WORKER_COUNT": "2", "SERVER_PORT": "5001"}, {}, settings.Settings(), False
    )
    del told["python"]
    assert str(told.pop("python_version")).startswith("%d.%d." % sys.version_info[:2])
    assert told == {
        "listen": ["0.0.0.0:5001"],
        "worker_count": 2,
        "scoring_timeout_ms": 3_600_000,
        "worker_timeout_ms": 300_000,
        "cors_origins": [],
        "server_version": "",
        "access_log": True,
        "supervisor": True,
        "log_to_worker": False,
        "watch": [],
    }


def test_reload_watches_where_the_script_is(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    conf = settings.Settings()
    conf.app_root, conf.source_dir, conf.entry_script = str(tmp_path), "source", "score.py"
    environ = {"WORKER_COUNT": "1", "SERVER_PORT": "1"}
    told = hostconfig.config(environ, {"reload": True}, conf, False)
    assert told["watch"] == [str(tmp_path), str(tmp_path / "source")]
    conf.app_root = "/nonexistent"
    assert hostconfig.watched(conf) == []


@pytest.mark.parametrize(
    ("least", "most", "refused"), [(2, 1, True), (2, 2, False), (0, 1, False), (2, 0, False)]
)
def test_limits_of_autoscaling_go_together(least: int, most: int, refused: bool) -> None:
    keys = {"worker_min": least, "worker_max": most}
    environ = {"WORKER_COUNT": "1", "SERVER_PORT": "1"}
    if refused:
        with pytest.raises(hostconfig.StartError, match="worker_min is 2, more than worker_max: 1"):
            hostconfig.config(environ, keys, settings.Settings(), False)
    else:
        hostconfig.config(environ, keys, settings.Settings(), False)


@pytest.mark.parametrize(
    ("keys", "separate", "places"),
    [
        ({}, False, ["0.0.0.0:1"]),
        ({}, True, ["0.0.0.0:2", "0.0.0.0:1"]),
        ({"host": ["::1", "127.0.0.1"]}, False, ["[::1]:1", "127.0.0.1:1"]),
        ({"host": ["::1"]}, True, ["[::1]:2", "[::1]:1"]),
        ({"socket": "/s"}, False, ["unix:/s"]),
        ({"socket": "/s"}, True, ["0.0.0.0:2", "unix:/s"]),
        ({"socket": "/s", "host": ["::"]}, False, ["[::]:1", "unix:/s"]),
    ],
)
def test_where_to_listen(keys: dict[str, object], separate: bool, places: list[str]) -> None:
    environ = {"SERVER_PORT": "1", "HEALTH_PORT": "2"}
    if separate:
        environ["SEPERATE_HEALTH_ENDPOINT"] = "true"
    assert hostconfig.listeners(environ, keys) == places


def test_new_keys_flag_then_environment_then_file() -> None:
    file = json.loads(
        '{"WORKER_KIND": "thread", "MAX_BODY_BYTES": 7, "ACCESS_LOG": false,'
        ' "SCOREHOST_HOST": ["::1", "127.0.0.1"], "QUEUE_MAX_BYTES": 5}'
    )
    found, problems = hostconfig.new_keys(
        {"MAX_BODY_BYTES": "8", "QUEUE_MAX_BYTES": "6"}, {"queue_max_bytes": 9}, file
    )
    assert problems == []
    assert found == {
        "worker_kind": "thread",
        "max_body_bytes": 8,
        "access_log": "off",
        "host": ["::1", "127.0.0.1"],
        "queue_max_bytes": 9,
    }


def test_hosts_in_the_environment_are_a_list() -> None:
    found, _ = hostconfig.new_keys({"SCOREHOST_HOST": "::1, 127.0.0.1"}, {}, {})
    assert found == {"host": ["::1", "127.0.0.1"]}


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        (
            {"MAX_CONNECTIONS": "many"},
            ("MAX_CONNECTIONS", "expected a whole number from 1 to 2147483647, got 'many'"),
        ),
        ({"MAX_CONNECTIONS": True}, ("MAX_CONNECTIONS", "expected text or a number, got True")),
        ({"SCOREHOST_HOST": [1.5]}, ("SCOREHOST_HOST", "expected text or a number, got [1.5]")),
        ({"ACCESS_LOG": "no"}, ("ACCESS_LOG", "expected on or off, got 'no'")),
    ],
)
def test_a_bad_new_key_is_named(file: dict[str, object], problem: tuple[str, str]) -> None:
    assert hostconfig.new_keys({}, {}, file) == ({}, [problem])


@pytest.mark.parametrize(
    ("keys", "debug_port", "expected"),
    [
        ({}, 0, True),
        ({"supervisor": "on"}, 0, True),
        ({"supervisor": "off"}, 0, False),
        ({}, 5678, False),
        ({"supervisor": "on"}, 5678, False),
    ],
)
def test_who_watches_the_host(
    keys: dict[str, object], debug_port: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hostconfig, "is_debugged", lambda: False)
    asked = settings.Settings()
    asked.debug_port = debug_port
    assert hostconfig.has_supervisor(keys, asked) is expected


def test_a_debugger_is_noticed() -> None:
    """It follows one process; another one that serves would run away from it."""
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        assert hostconfig.is_debugged()
        assert not hostconfig.has_supervisor({}, settings.Settings())
    finally:
        sys.settrace(before)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="no sys.monitoring")
def test_a_debugger_that_monitors_is_noticed() -> None:
    monitoring = sys.monitoring  # type: ignore[attr-defined]
    monitoring.use_tool_id(monitoring.DEBUGGER_ID, "test")
    try:
        assert hostconfig.is_debugged()
    finally:
        monitoring.free_tool_id(monitoring.DEBUGGER_ID)
