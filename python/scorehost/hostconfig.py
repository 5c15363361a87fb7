"""What the host makes of its command line: environment, then configuration.

The host changes its own environment first, because the script is promised to
find certain names there, and then writes down what the C side is to do.
"""

from __future__ import annotations

import os
import sys

from scorehost import COMPAT_VERSION, __version__, kinds
from scorehost.flags import FLAGS, MAX_TIMEOUT_MS, Flag
from scorehost.settings import Problem, Settings, parse_bool, parse_str

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

MAX_WORKERS = 1024

#: The keys that C knows by another name, or not at all.
_NOT_COPIED = (
    "access_log",
    "host",
    "model_name",
    "scoring_timeout_ms",
    "socket",
    "supervisor",
    "worker_kind",
)


class StartError(Exception):
    """The host cannot start: what to print on stderr, and the exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def set_places(environ: MutableMapping[str, str], flags: Mapping[str, object]) -> None:
    """Exports where things are: app root, script, model, configuration file."""
    environ.setdefault("AML_APP_ROOT", os.getcwd())
    if flags.get("entry_script"):
        environ["AZUREML_ENTRY_SCRIPT"] = os.path.realpath(str(flags["entry_script"]))
    if flags.get("config_file"):
        environ["AZUREML_CONFIG_FILE"] = os.path.realpath(str(flags["config_file"]))
    if "model_dir" in flags:
        environ["AZUREML_MODEL_DIR"] = str(flags["model_dir"])
    environ["TRANSPORT_PROTOCOL"] = "rest" if flags.get("rest") else "grpc"


def set_app_root(environ: MutableMapping[str, str], file: Mapping[str, object]) -> None:
    """Takes the app root from the file, when the environment had none before."""
    root = file.get("AML_APP_ROOT")
    if root is None:
        return
    try:
        environ["AML_APP_ROOT"] = parse_str(root)
    except ValueError:
        del environ["AML_APP_ROOT"]  # so that the worker reads the file and says so


def default_workers(
    environ: Mapping[str, str], flags: Mapping[str, object], file: Mapping[str, object]
) -> int:
    """How many workers there are when nobody says: one, or one for each GPU."""
    gpus = flags.get("gpu_workers") or environ.get("GPU_WORKERS") or file.get("GPU_WORKERS")
    try:
        return len(_texts(gpus)) if gpus else 1
    except ValueError:
        return 1  # new_keys() says what is wrong with it


def set_ports(
    environ: MutableMapping[str, str], flags: Mapping[str, object], file: Mapping[str, object]
) -> None:
    """Exports the ports, and the number of workers."""
    if environ.get("SEPARATE_HEALTH_ENDPOINT") == "true":  # the right spelling
        environ["SEPERATE_HEALTH_ENDPOINT"] = "true"
    environ["SERVER_PORT"] = str(flags.get("port", 5001))
    if environ.get("SEPERATE_HEALTH_ENDPOINT") == "true":
        environ["HEALTH_PORT"] = str(flags.get("health_port", 5000))
    elif "port" in flags:
        environ["HEALTH_PORT"] = str(flags["port"])
    else:
        environ.setdefault("HEALTH_PORT", "5001")
    if "worker_count" in flags:
        environ["WORKER_COUNT"] = str(flags["worker_count"])
    environ.setdefault("WORKER_COUNT", str(default_workers(environ, flags, file)))
    if "scoring_timeout_ms" in flags:
        environ["SCORING_TIMEOUT_MS"] = str(flags["scoring_timeout_ms"])
    if "max_body_bytes" in flags:
        environ["MAX_BODY_BYTES"] = str(flags["max_body_bytes"])


def set_names(environ: MutableMapping[str, str], flags: Mapping[str, object]) -> None:
    """Exports what the server calls itself, and who may use it from a browser."""
    if environ.get("SERVER_VERSION_LOG_RESPONSE_ENABLED", "true").lower() == "true":
        environ["HTTP_X_MS_SERVER_VERSION"] = f"azmlinfsrv/{COMPAT_VERSION}"
    environ["SERVER_SOFTWARE"] = f"scorehost/{__version__}"
    if "access_control_allow_origins" in flags:
        environ["AML_CORS_ORIGINS"] = str(flags["access_control_allow_origins"])
    if "model_name" in flags:
        environ["SCOREHOST_MODEL_NAME"] = str(flags["model_name"])


def is_insights_key(key: str) -> bool:
    """Whether a key has the form of an instrumentation key."""
    parts = key.split("-")
    hexadecimal = all(c in "0123456789abcdefABCDEF" for part in parts for c in part)
    return hexadecimal and [len(part) for part in parts] == [8, 4, 4, 4, 12]


def set_insights(
    environ: MutableMapping[str, str], flags: Mapping[str, object], file: Mapping[str, object]
) -> bool | None:
    """Settles whether telemetry is on; None when nobody asked, else its verdict."""
    if flags.get("appinsights_instrumentation_key"):
        environ["AML_APP_INSIGHTS_KEY"] = str(flags["appinsights_instrumentation_key"])
        environ["AML_APP_INSIGHTS_ENABLED"] = "true"
    key = environ.get("AML_APP_INSIGHTS_KEY") or file.get("AML_APP_INSIGHTS_KEY")
    asked = environ.get("AML_APP_INSIGHTS_ENABLED")
    enabled = False
    try:
        enabled = parse_bool(asked or file.get("AML_APP_INSIGHTS_ENABLED") or False)
    except ValueError:
        if asked is None:
            return None  # left as it is: the worker reads the file and says so
    verdict = is_insights_key(str(key)) if enabled and key else None
    environ["AML_APP_INSIGHTS_ENABLED"] = "true" if verdict else "false"
    return verdict


def worker_count(environ: Mapping[str, str], keys: Mapping[str, object]) -> int:
    """The number of workers; StartError when nobody would score, or it is absurd."""
    text = environ["WORKER_COUNT"]
    try:
        count = int(text)
    except ValueError as error:
        raise StartError(f"Error: WORKER_COUNT: {error}", 1) from None
    if count < 0 or (count == 0 and not keys.get("remote_listen")):
        raise StartError(f"Error: Value must be positive: {count}", 1)
    if count > MAX_WORKERS:
        raise StartError(f"Error: Value must not be over {MAX_WORKERS}: {count}", 1)
    return count


def worker_timeout_ms(environ: Mapping[str, str]) -> int:
    """The bound on one request as a whole; 0 is none, StartError a bad one."""
    text = environ.get("WORKER_TIMEOUT", "300")
    try:
        seconds = int(text)
    except ValueError:
        raise StartError(
            f"azmlinfsrv: error: WORKER_TIMEOUT: invalid int value: {text!r}", 2
        ) from None
    if seconds < 0:
        raise StartError(f"Error: Value must be positive: {seconds}", 1)
    return min(seconds * 1000, MAX_TIMEOUT_MS)  # beyond, it is for ever


def _texts(value: object) -> list[str]:
    """The value of a new key as its flag would have it, several for a list."""
    items = value if isinstance(value, list) else [value]
    if isinstance(value, str):
        items = [item.strip() for item in value.split(",")]
    if not all(isinstance(item, (str, int)) for item in items):
        raise ValueError(f"expected text or a number, got {value!r}")
    return [str(item) for item in items]


def _read(flag: Flag, value: object) -> object:
    if flag.name == "worker_preload":  # the contract's: nothing but "true" is meant
        return str(value).lower() == "true"
    if flag.read is None:
        return parse_bool(value)
    if isinstance(value, bool) and flag.name in ("access_log", "supervisor"):
        return "on" if value else "off"
    if flag.name == "host":
        return [flag.read(text) for text in _texts(value)]
    if flag.name == "gpu_workers" and isinstance(value, list):
        value = ",".join(_texts(value))
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"expected text or a number, got {value!r}")
    return flag.read(str(value))


def new_keys(
    environ: Mapping[str, str], flags: Mapping[str, object], file: Mapping[str, object]
) -> tuple[dict[str, object], list[Problem]]:
    """The values of the flags that the contract does not have, wherever they stand."""
    found: dict[str, object] = {}
    problems: list[Problem] = []
    for flag in FLAGS:
        # The worker reads these too, and says what is wrong with them.
        if not flag.env or flag.name in ("model_name", "scoring_timeout_ms"):
            continue
        value = environ.get(flag.env, file.get(flag.env))
        try:
            if flag.name in flags:
                found[flag.name] = flags[flag.name]
            elif value is not None:
                found[flag.name] = _read(flag, value)
        except ValueError as error:
            problems.append((flag.env, str(error)))
    return found, problems


def listeners(environ: Mapping[str, str], keys: Mapping[str, object]) -> list[str]:
    """Where to listen: the health port first, then scoring, then the socket."""
    given = keys.get("host")
    hosts = [str(host) for host in given] if isinstance(given, list) else []
    names = [f"[{host}]" if ":" in host else host for host in hosts]
    places: list[str] = []
    if environ.get("SEPERATE_HEALTH_ENDPOINT") == "true":
        places += [f"{name}:{environ['HEALTH_PORT']}" for name in names or ["0.0.0.0"]]
    if not names and "socket" not in keys:
        names = ["0.0.0.0"]
    places += [f"{name}:{environ['SERVER_PORT']}" for name in names]
    if "socket" in keys:
        places.append(f"unix:{os.path.abspath(str(keys['socket']))}")
    return places


def is_debugged() -> bool:
    """Whether a debugger follows this process; it would not follow the host's."""
    monitoring = getattr(sys, "monitoring", None)  # from 3.12 on
    return sys.gettrace() is not None or (
        monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None
    )


def has_supervisor(keys: Mapping[str, object], settings: Settings) -> bool:
    """Whether a process of its own starts the host again after a crash."""
    asked = keys.get("supervisor", "on") == "on"
    return asked and not settings.debug_port and not is_debugged()


def worker_kind(
    keys: Mapping[str, object], settings: Settings, boot: Mapping[str, object], count: int
) -> kinds.Choice:
    """The kind of worker that was asked for, or that fits; a new script is probed.

    Without workers of our own nothing has to be found out.
    """
    if not count and keys.get("worker_kind", kinds.AUTO) == kinds.AUTO:
        return kinds.Choice(kinds.PROCESS, "all workers are remote", is_news=False)
    return kinds.choose(keys, settings, boot)


def watched(settings: Settings) -> list[str]:
    """The folders that hold the script and what it imports, each once."""
    source = os.path.join(settings.app_root, settings.source_dir) if settings.source_dir else ""
    script = os.path.dirname(settings.script_path)
    folders = [os.path.realpath(name) for name in (script, source, settings.app_root) if name]
    return [name for name in dict.fromkeys(folders) if os.path.isdir(name)]


def check_scale(keys: Mapping[str, object]) -> None:
    """Refuses limits of autoscaling that leave nothing between them, by a StartError."""
    least, most = (int(str(keys.get(name, 0))) for name in ("worker_min", "worker_max"))
    if 0 < most < least:
        raise StartError(f"Error: worker_min is {least}, more than worker_max: {most}", 1)


def check_gpus(keys: Mapping[str, object]) -> None:
    """Refuses GPUs for workers that cannot have one each, by a StartError."""
    kind = keys.get("worker_kind")
    if keys.get("gpu_workers") and kind in ("interpreter", "thread"):
        raise StartError(
            f"Error: gpu_workers are processes, and --worker_kind {kind} was asked for", 1
        )


def config(
    environ: Mapping[str, str], keys: Mapping[str, object], settings: Settings, own_log: bool
) -> dict[str, object]:
    """What C is told but for the kind of worker; a key that is not there has C's default."""
    check_scale(keys)
    check_gpus(keys)
    told: dict[str, object] = {
        "listen": listeners(environ, keys),
        "worker_count": worker_count(environ, keys),
        "scoring_timeout_ms": settings.scoring_timeout_ms,
        "worker_timeout_ms": worker_timeout_ms(environ),
        "cors_origins": settings.origins,
        "server_version": environ.get("HTTP_X_MS_SERVER_VERSION", ""),
        "access_log": keys.get("access_log", "on") == "on",
        "supervisor": has_supervisor(keys, settings),
        "log_to_worker": own_log,
        "python": sys.executable,
        "python_version": sys.version.split()[0],
        "watch": watched(settings) if keys.get("reload") else [],
    }
    told.update((key, value) for key, value in keys.items() if key not in _NOT_COPIED)
    if keys.get("gpu_workers"):
        told["worker_preload"] = False  # what CUDA has set up is of no use after a fork
    return told
