"""What the environment and config.json say, for the host and for a worker.

For each key the environment comes before the file. Values are read as users
of the contract know it, down to the wording of what is wrong with them.
"""

from __future__ import annotations

import os

from scorehost.flags import MAX_TIMEOUT_MS, model_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: What is wrong with which key.
Problem = tuple[str, str]

_TRUE = ("1", "on", "t", "true", "y", "yes")
_FALSE = ("0", "off", "f", "false", "n", "no")
_INT = "Input should be a valid integer"
_TOO_LONG = "Unable to parse input string as an integer, exceeded maximum size"
_BOOL = "Input should be a valid boolean"


class ConfigFileError(Exception):
    """config.json cannot be read; what happened is the cause."""


class Settings:
    """The settings of a worker, each with its default."""

    app_root: str = "/var/azureml-app"
    entry_script: str = ""
    source_dir: str = ""
    model_dir: str = ""
    service_name: str = "ML service"
    workspace_name: str = ""
    service_path_prefix: str = ""
    service_version: str = "1.0"
    scoring_timeout_ms: int = 3_600_000
    log_level: str = ""  # empty: not asked for, INFO
    app_insights_enabled: bool = False
    app_insights_key: str = ""
    model_dc_storage_enabled: bool = False
    app_insights_log_response: bool = True
    cors_origins: str = ""
    hostname: str = "Unknown"
    debug_port: int = 0
    model_name: str = ""  # empty: that of the script's file
    max_body_bytes: int = 100 * 1024 * 1024

    def set(self, name: str, value: object) -> None:
        """Sets one of them by its name."""
        setattr(self, name, value)

    @property
    def origins(self) -> list[str]:
        """The origins that CORS is enabled for, one by one."""
        items = [item.strip() for item in self.cors_origins.split(",")]
        return [item for item in items if item]

    @property
    def script_path(self) -> str:
        """The file of the entry script, or an empty string for `main.py`."""
        return os.path.join(self.app_root, self.entry_script) if self.entry_script else ""


def _parse_float(value: float) -> int:
    if value - value != 0:  # an infinity, or no number at all
        raise ValueError("Input should be a finite number")
    if not value.is_integer():
        raise ValueError(f"{_INT}, got a number with a fractional part")
    if abs(value) >= 2**63:
        raise ValueError(_TOO_LONG)
    return int(value)


def parse_int(value: object) -> int:
    """Reads a whole number from text or from JSON; ValueError says what is wrong."""
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return _parse_float(value)
    if not isinstance(value, str):
        raise ValueError(_INT)
    if len(value) > 4300:  # where int() stops, too
        raise ValueError(_TOO_LONG)
    whole, dot, zeros = value.strip().partition(".")
    if not value.isascii() or (dot and (not zeros or zeros.strip("0"))):
        whole = ""
    try:
        return int(whole)
    except ValueError:
        raise ValueError(f"{_INT}, unable to parse string as an integer") from None


def parse_bool(value: object) -> bool:
    """Reads yes or no from text or from JSON; ValueError says what is wrong."""
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    if isinstance(value, (str, int)):
        raise ValueError(f"{_BOOL}, unable to interpret input")
    raise ValueError(_BOOL)


def parse_str(value: object) -> str:
    """Takes text; ValueError for what is no text in JSON."""
    if not isinstance(value, str):
        raise ValueError("Input should be a valid string")
    return value


def parse_timeout(value: object) -> int:
    """Reads a time in milliseconds, and refuses what no clock can hold."""
    timeout_ms = parse_int(value)
    if timeout_ms < 0:
        raise ValueError("Input should be greater than or equal to 0")
    if timeout_ms > MAX_TIMEOUT_MS:
        raise ValueError(f"Input should be less than or equal to {MAX_TIMEOUT_MS}")
    return timeout_ms


def parse_bytes(value: object) -> int:
    """Reads a size of which the host has told already what is wrong with it."""
    size = parse_int(value)
    if size < 1:
        raise ValueError("Input should be greater than or equal to 1")
    return size


def parse_model_name(value: object) -> str:
    """Reads a name that can stand in a path."""
    return model_name(parse_str(value))


#: Key, attribute of Settings, reader; problems are reported in this order.
#: Of two keys for one attribute the later one wins: it is the documented name.
KEYS: tuple[tuple[str, str, Callable[[object], object]], ...] = (
    ("AML_APP_ROOT", "app_root", parse_str),
    ("AZUREML_ENTRY_SCRIPT", "entry_script", parse_str),
    ("AZUREML_SOURCE_DIRECTORY", "source_dir", parse_str),
    ("AZUREML_MODEL_DIR", "model_dir", parse_str),
    ("SERVICE_NAME", "service_name", parse_str),
    ("WORKSPACE_NAME", "workspace_name", parse_str),
    ("SERVICE_PATH_PREFIX", "service_path_prefix", parse_str),
    ("SERVICE_VERSION", "service_version", parse_str),
    ("SCORING_TIMEOUT_MS", "scoring_timeout_ms", parse_timeout),
    ("AZUREML_LOG_LEVEL", "log_level", parse_str),
    ("AML_APP_INSIGHTS_ENABLED", "app_insights_enabled", parse_bool),
    ("AML_APP_INSIGHTS_KEY", "app_insights_key", parse_str),
    ("AML_MDC_STORAGE_ENABLED", "model_dc_storage_enabled", parse_bool),
    ("AML_MODEL_DC_STORAGE_ENABLED", "model_dc_storage_enabled", parse_bool),
    ("APP_INSIGHTS_LOG_RESPONSE_ENABLED", "app_insights_log_response", parse_bool),
    ("AML_CORS_ORIGINS", "cors_origins", parse_str),
    ("HOSTNAME", "hostname", parse_str),
    ("AZUREML_DEBUG_PORT", "debug_port", parse_int),
    ("SCOREHOST_MODEL_NAME", "model_name", parse_model_name),
    ("MAX_BODY_BYTES", "max_body_bytes", parse_bytes),
)


def load(
    environ: Mapping[str, str], file: Mapping[str, object]
) -> tuple[Settings, list[Problem]]:
    """Reads all settings; where one is wrong, its default stands in for it."""
    settings = Settings()
    problems: list[Problem] = []
    # Names of the environment match in any case; the exact one comes first.
    upper = {name.upper(): value for name, value in environ.items()}
    for source in (file, {**upper, **environ}):
        for key, name, read in KEYS:
            value = source.get(key)
            if value is None or (source is file and upper.get(key) is not None):
                continue
            try:
                settings.set(name, read(value))
            except ValueError as error:
                problems.append((key, str(error)))
    order = [key for key, _, _ in KEYS]
    problems.sort(key=lambda problem: order.index(problem[0]))
    return settings, problems


def problem_text(problem: Problem) -> str:
    """The block that a configuration error is logged as."""
    key, reason = problem
    return (
        "\n===============Configuration Error=================\n"
        f"{key}: {reason} (environment variable: {key})\n"
        "==================================================="
    )


def find_file(environ: Mapping[str, str]) -> str:
    """The path of the one configuration file that counts; empty when there is none."""
    given = environ.get("AZUREML_CONFIG_FILE", "")
    root = environ.get("AML_APP_ROOT", Settings.app_root)
    script = environ.get("AZUREML_ENTRY_SCRIPT", "")
    places = [given, os.path.join(root, "config.json")]
    if script:
        places.append(os.path.join(os.path.dirname(script), "config.json"))
    for place in places:
        try:
            if os.path.isfile(place) and os.stat(place).st_size > 0:
                return place
        except (OSError, ValueError):
            continue
    return ""


def read_file(path: str) -> dict[str, object]:
    """The object in a configuration file; nothing when `path` is empty."""
    if not path:
        return {}
    import json  # costs as much as the rest of the host's Python

    try:
        with open(path, "rb") as file:
            content = json.loads(file.read())
        if not isinstance(content, dict):
            raise TypeError(f"{path}: expected one JSON object, got {type(content).__name__}")
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise ConfigFileError(str(error)) from error
    return content


def unknown_keys(file: Mapping[str, object]) -> list[str]:
    """The keys of a configuration file that nothing reads."""
    from scorehost.flags import FLAGS

    known = {key for key, _, _ in KEYS} | {flag.env for flag in FLAGS}
    return [key for key in file if key not in known]


def find_logging(settings: Settings) -> str:
    """The path of the user's logging.json; empty when there is none."""
    places = [settings.app_root]
    if settings.script_path:
        places.append(os.path.dirname(settings.script_path))
    for place in places:
        path = os.path.join(place, "logging.json")
        if os.path.isfile(path):
            return path
    return ""
