"""What the host prints before it serves.

Every line goes out once: stdout is flushed before a worker exists that could
write the same buffer again.
"""

from __future__ import annotations

import os
import sys
import time

from scorehost import COMPAT_VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: The logging configuration that applies when the user has none.
PACKAGED_LOGGING = os.path.join(os.path.dirname(os.path.abspath(__file__)), "logging.json")


def log(level: str, message: str, logger: str = "azmlinfsrv") -> None:
    """Writes one line as `scorehost.logs` would, without the cost of `logging`."""
    now = time.time()
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
    head = f"{stamp},{int(now % 1 * 1000):03d} {level} [{os.getpid()}]"
    sys.stdout.write(f"{head} {logger} - {message}\n")


def insights_lines(verdict: bool | None) -> list[str]:
    """What is said about telemetry; nothing when nobody asked for it."""
    if verdict is None:
        return []
    if verdict:
        return ["Valid Application Insights instrumentation key provided."]
    return [
        "Invalid Application Insights instrumentation key provided.",
        "Application Insights has been disabled.",
    ]


def model_lines(environ: Mapping[str, str]) -> list[str]:
    """The hint for those who gave no model directory."""
    if "AZUREML_MODEL_DIR" in environ:
        return []
    return [
        "The environment variable 'AZUREML_MODEL_DIR' has not been set.",
        "Use the --model_dir command line argument to set it.",
    ]


def _settings_lines(environ: Mapping[str, str], key: object, cors: object) -> list[str]:
    def shown(name: str) -> str:
        return environ.get(name, "None")

    return [
        f"Entry Script Name: {shown('AZUREML_ENTRY_SCRIPT')}",
        f"Model Directory: {shown('AZUREML_MODEL_DIR')}",
        f"Config File: {shown('AZUREML_CONFIG_FILE')}",
        f"Worker Count: {shown('WORKER_COUNT')}",
        f"Worker Timeout (seconds): {shown('WORKER_TIMEOUT')}",
        f"Server Port: {shown('SERVER_PORT')}",
        f"Health Port: {shown('HEALTH_PORT')}",
        f"Application Insights Enabled: {environ.get('AML_APP_INSIGHTS_ENABLED', 'false')}",
        f"Application Insights Key: {'AppInsights key provided' if key else None}",
        f"Inferencing HTTP server version: {shown('HTTP_X_MS_SERVER_VERSION')}",
        "CORS for the specified origins: "
        + ("None" if cors is None else f"Enabling CORS for {cors}"),
        f"Create dedicated endpoint for health: {shown('SEPERATE_HEALTH_ENDPOINT')}",
    ]


def settings_lines(environ: Mapping[str, str], file: Mapping[str, object]) -> list[str]:
    """Title, settings and routes."""
    key = environ.get("AML_APP_INSIGHTS_KEY") or file.get("AML_APP_INSIGHTS_KEY")
    cors = environ.get("AML_CORS_ORIGINS", file.get("AML_CORS_ORIGINS"))
    return [
        "",
        f"Azure ML Inferencing HTTP server v{COMPAT_VERSION}",
        "",
        "",
        "Server Settings",
        "---------------",
        *_settings_lines(environ, key, cors),
        "",
        "",
        "Server Routes",
        "---------------",
        f"Liveness Probe: GET   127.0.0.1:{environ['HEALTH_PORT']}/",
        f"Score:          POST  127.0.0.1:{environ['SERVER_PORT']}/score",
        "",
    ]


def ignored(environ: Mapping[str, str]) -> list[str]:
    """One warning for each thing that the user set and that has no effect here."""
    found = []
    if environ.get("GUNICORN_CMD_ARGS"):
        found.append("GUNICORN_CMD_ARGS")
    if os.path.exists("gunicorn.conf.py"):
        found.append("gunicorn.conf.py")
    lines = []
    if found:
        verb = "is" if len(found) == 1 else "are"
        lines.append(f"{' and '.join(found)} {verb} ignored: gunicorn is not used.")
    return lines
