"""The flags of `azmlinfsrv`, and a reader for those that are well formed.

A client waits while the host starts, and argparse costs more than everything
else the host does in Python. So the plain forms `--flag value` and
`--flag=value` are read here; whatever else is written (an abbreviation, a bad
value, `--help`) goes to `scorehost.usage`, which has argparse's answers.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Beyond this (31 years) a time in nanoseconds no longer fits everywhere.
MAX_TIMEOUT_MS = 10**12
_MAX_BYTES = 2**40
_MAX_COUNT = 2**31 - 1
_MAX_WORKERS = 1024


class Flag:
    """One flag: its name, how its value is read, where else it may stand."""

    __slots__ = ("contract", "env", "help", "name", "read")

    def __init__(
        self,
        name: str,
        read: Callable[[str], object] | None,
        text: str,
        *,
        env: str = "",
        contract: bool = False,
    ) -> None:
        self.name = name
        self.read = read  # None: a switch, off by default
        self.help = text  # empty: hidden
        self.env = env  # also the key in config.json
        self.contract = contract


def validate_port(text: str) -> int:
    """Reads a TCP port, as `int()` does; its name is in argparse's message."""
    value = int(text)
    if not 1 <= value <= 65535:
        raise ValueError(f"{value} is not a port")
    return value


def validate_worker_count(text: str) -> int:
    """Reads a number of workers; its name is in argparse's message."""
    value = int(text)
    if value < 1:
        raise ValueError(f"{value} is not a number of workers")
    return value


def number(low: int, high: int) -> Callable[[str], int]:
    """Makes a reader of whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"expected a whole number from {low} to {high}, got {text!r}")
        return value

    return read


def one_of(*names: str) -> Callable[[str], str]:
    """Makes a reader that takes one of some words, in any case."""

    def read(text: str) -> str:
        if text.lower() not in names:
            raise ValueError(f"expected {' or '.join(names)}, got {text!r}")
        return text.lower()

    return read


def list_of(read: Callable[[str], object]) -> Callable[[str], list[str]]:
    """Makes a reader of several values with commas between them."""

    def read_all(text: str) -> list[str]:
        return [str(read(item.strip())) for item in text.split(",")]

    return read_all


def host_name(text: str) -> str:
    """Reads an address to listen on; brackets around an IPv6 one are taken off."""
    bare = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    if not bare or not bare.isascii() or any(c in "[]/,@ \t\r\n" for c in bare):
        raise ValueError(f"expected an address to listen on, got {text!r}")
    return bare


def socket_path(text: str) -> str:
    """Reads the path of a Unix socket, which the kernel holds to 107 bytes."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if not 1 <= size <= 107 or "\0" in text:
        raise ValueError(f"expected a path of 1 to 107 bytes, got {text!r}")
    return text


def model_name(text: str) -> str:
    """Reads the name of a model, which is one part of a path."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if not 1 <= size <= 256 or text in (".", "..") or any(c in "/?#%" or c < " " for c in text):
        raise ValueError(f"expected a name of 1 to 256 bytes without / ? # %, got {text!r}")
    return text


#: In the order of the help text.
FLAGS = (
    Flag("entry_script", str, "The scoring script.", contract=True),
    Flag(
        "model_dir",
        str,
        "The model directory; the script finds it in the environment variable "
        "AZUREML_MODEL_DIR.",
        contract=True,
    ),
    Flag(
        "appinsights_instrumentation_key",
        str,
        "The key of the Application Insights resource that telemetry goes to.",
        contract=True,
    ),
    Flag("port", validate_port, "The port to serve on; 5001 by default.", contract=True),
    Flag(
        "health_port",
        validate_port,
        "The port for health probes, 5000 by default; used when the environment variable "
        "SEPERATE_HEALTH_ENDPOINT is true.",
        contract=True,
    ),
    Flag(
        "worker_count",
        validate_worker_count,
        "How many workers score at the same time; 1 by default.",
        contract=True,
    ),
    Flag(
        "access_control_allow_origins",
        str,
        'The origins that CORS is enabled for, as in "example.com, example.org".',
        contract=True,
    ),
    Flag("config_file", str, "A configuration file in JSON.", contract=True),
    Flag("rest", None, "", contract=True),
    # A bare HOST is set by other programs (csh, conda's compilers) to the
    # name of the machine or of a platform; SOCKET is no safer.
    Flag(
        "host",
        host_name,
        "An address to listen on, 0.0.0.0 by default; may be given several times.",
        env="SCOREHOST_HOST",
    ),
    Flag(
        "socket",
        socket_path,
        "The path of a Unix socket to listen on. Without --host it takes the place of the "
        "TCP port.",
        env="SCOREHOST_SOCKET",
    ),
    Flag(
        "worker_kind",
        one_of("auto", "process", "interpreter", "thread"),
        "Where the script runs: process, interpreter, thread, or auto (the default), which "
        "takes what fits the script.",
        env="WORKER_KIND",
    ),
    Flag(
        "worker_min",
        number(0, _MAX_WORKERS),
        "The fewest workers that autoscaling leaves; worker_count by default.",
        env="WORKER_MIN",
    ),
    Flag(
        "worker_max",
        number(0, _MAX_WORKERS),
        "The most workers that autoscaling starts; worker_count by default.",
        env="WORKER_MAX",
    ),
    Flag(
        "worker_preload",
        None,
        "Load the script once, call init(), and fork the worker processes from there.",
        env="WORKER_PRELOAD",
    ),
    Flag(
        "share_module",
        None,
        "Let worker threads share one copy of the script's module.",
        env="SHARE_MODULE",
    ),
    Flag(
        "reload",
        None,
        "Replace the workers whenever a file beside the script changes (for development).",
        env="SCOREHOST_RELOAD",
    ),
    Flag(
        "max_requests",
        number(0, _MAX_COUNT),
        "How many requests a worker answers before it is replaced; 0, the default, is no limit.",
        env="MAX_REQUESTS",
    ),
    Flag(
        "max_requests_jitter",
        number(0, _MAX_COUNT),
        "How many of them more it may be, by chance, so that not all are replaced at once.",
        env="MAX_REQUESTS_JITTER",
    ),
    Flag(
        "max_worker_age_ms",
        number(0, MAX_TIMEOUT_MS),
        "How old a worker grows before it is replaced; 0, the default, is no limit.",
        env="MAX_WORKER_AGE_MS",
    ),
    Flag(
        "max_worker_rss_bytes",
        number(0, _MAX_BYTES),
        "How much resident memory a worker may have before it is replaced; 0, the default, "
        "is no limit.",
        env="MAX_WORKER_RSS_BYTES",
    ),
    Flag(
        "max_lost_workers",
        number(0, 1024),
        "How many stuck workers inside the host are replaced before the host is; 2 by default.",
        env="MAX_LOST_WORKERS",
    ),
    Flag(
        "gpu_workers",
        list_of(number(0, 1023)),
        'The GPUs that a worker of its own is started for, as in "0,1".',
        env="GPU_WORKERS",
    ),
    # A bare MODEL_NAME is what many scripts call what they load.
    Flag(
        "model_name",
        model_name,
        "The name that a script with tensors is served under at /v2/models; that of its file, "
        "without .py, by default.",
        env="SCOREHOST_MODEL_NAME",
    ),
    Flag(
        "remote_listen",
        str,
        'Where remote workers come to, as in "tcp://0.0.0.0:5555".',
        env="REMOTE_LISTEN",
    ),
    Flag(
        "remote_keys",
        str,
        "The folder that holds the host's secret key and the public keys of its workers.",
        env="REMOTE_KEYS",
    ),
    Flag(
        "supervisor",
        one_of("on", "off"),
        "Whether a second process watches the host and starts it again after a crash: "
        "on (the default) or off.",
        env="SCOREHOST_SUPERVISOR",
    ),
    Flag(
        "server_timing",
        None,
        "Tell in the header Server-Timing where the time of a request went.",
        env="SERVER_TIMING",
    ),
    Flag(
        "raise_cancelled",
        None,
        "Raise scorehost.Cancelled in run() when its client has left.",
        env="RAISE_CANCELLED",
    ),
    Flag(
        "request_timeout_ms",
        number(0, MAX_TIMEOUT_MS),
        "How long a caller waits who sends no x-request-timeout-ms; 0, the default, is for "
        "ever.",
        env="REQUEST_TIMEOUT_MS",
    ),
    Flag(
        "access_log",
        one_of("on", "off"),
        "Whether requests are logged: on (the default) or off.",
        env="ACCESS_LOG",
    ),
    Flag(
        "scoring_timeout_ms",
        number(0, MAX_TIMEOUT_MS),
        "How long run() may take; one hour by default, 0 for ever.",
        env="SCORING_TIMEOUT_MS",
    ),
    Flag(
        "max_body_bytes",
        number(1, _MAX_BYTES),
        "The largest body of a request; 100 MiB by default.",
        env="MAX_BODY_BYTES",
    ),
    Flag(
        "queue_max_requests",
        number(1, _MAX_COUNT),
        "How many requests may wait; 2048 by default.",
        env="QUEUE_MAX_REQUESTS",
    ),
    Flag(
        "queue_max_bytes",
        number(1, _MAX_BYTES),
        "How many bytes of requests may wait; 256 MiB by default.",
        env="QUEUE_MAX_BYTES",
    ),
    Flag(
        "max_connections",
        number(1, _MAX_COUNT),
        "How many connections may be open; 4096 by default.",
        env="MAX_CONNECTIONS",
    ),
    Flag(
        "max_connections_per_address",
        number(0, _MAX_COUNT),
        "How many of them one address may hold; 0, the default, is no limit.",
        env="MAX_CONNECTIONS_PER_ADDRESS",
    ),
    Flag(
        "head_timeout_ms",
        number(1, _MAX_COUNT),
        "How long the head of a request may take; 30 seconds by default.",
        env="HEAD_TIMEOUT_MS",
    ),
    Flag(
        "body_timeout_ms",
        number(1, _MAX_COUNT),
        "How long a body may make no progress; 60 seconds by default.",
        env="BODY_TIMEOUT_MS",
    ),
    Flag(
        "body_min_bytes_per_s",
        number(0, _MAX_COUNT),
        "The least rate of a body; 0 is none.",
        env="BODY_MIN_BYTES_PER_S",
    ),
    Flag(
        "keepalive_timeout_ms",
        number(1, _MAX_COUNT),
        "How long an idle connection is kept; 75 seconds by default.",
        env="KEEPALIVE_TIMEOUT_MS",
    ),
    Flag(
        "drain_timeout_ms",
        number(0, _MAX_COUNT),
        "How long requests in hand may take after SIGTERM; 30 seconds by default.",
        env="DRAIN_TIMEOUT_MS",
    ),
    Flag("version", None, "Print the versions of scorehost and its libraries."),
)

BY_NAME = {flag.name: flag for flag in FLAGS}


def find(name: str) -> Flag | None:
    """The flag of this name; a new one may be written with hyphens."""
    flag = BY_NAME.get(name.replace("-", "_"))
    return flag if flag is not None and (flag.name == name or not flag.contract) else None


def store(found: dict[str, object], flag: Flag, text: str) -> None:
    """Puts a flag's value where it belongs; ValueError when it is a bad one."""
    assert flag.read is not None
    value = flag.read(text)
    if flag.name == "host":
        hosts = found.setdefault("host", [])
        assert isinstance(hosts, list)
        hosts.append(value)
    else:
        found[flag.name] = value


def may_have_none(found: dict[str, object]) -> bool:
    """Whether a host may start without workers of its own: others come to it."""
    return bool(found.get("remote_listen") or os.environ.get("REMOTE_LISTEN"))


def parse(argv: list[str]) -> dict[str, object] | None:
    """Reads a command line of exact, good flags; None when it is anything else."""
    found: dict[str, object] = {}
    words = iter(argv)
    for word in words:
        name, equals, text = word[2:].partition("=")
        flag = find(name) if word[:2] == "--" else None
        if flag is None:
            return None
        if flag.read is None:
            if equals:
                return None
            found[name] = True
            continue
        if not equals:
            # What begins with a dash may be a value or a flag: argparse knows.
            text = next(words, "-")
            if text[:1] == "-":
                return None
        try:
            store(found, flag, text)
        except ValueError:
            if flag.name != "worker_count" or text != "0":
                return None
            found["worker_count"] = 0
    return found if found.get("worker_count") != 0 or may_have_none(found) else None
