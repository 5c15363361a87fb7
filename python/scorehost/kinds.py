"""Which kind of worker fits a script: what `--worker_kind auto` means.

A client waits while this is decided. Before CPython 3.14 nothing has to be
found out; from then on a remembered verdict is enough, and only a script
that is new here is probed, in a process that is thrown away.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from scorehost.probe import Report
    from scorehost.settings import Settings

#: From here on subinterpreters are sound enough to be chosen unasked.
FIRST_VERSION = (3, 14)

AUTO = "auto"
PROCESS = "process"
INTERPRETER = "interpreter"

_WORDS = {
    PROCESS: ("one worker process", "worker processes"),
    INTERPRETER: ("one interpreter", "interpreters"),
    "thread": ("one worker thread", "worker threads"),
}


class Choice:
    """A kind of worker, and in a clause why it was chosen."""

    __slots__ = ("is_news", "kind", "reason")

    def __init__(self, kind: str, reason: str, is_news: bool = True) -> None:
        self.kind = kind
        self.reason = reason
        self.is_news = is_news  # to be told at start; else nobody asked and nothing was found

    def line(self, count: int) -> str:
        """What is logged of it."""
        one, many = _WORDS[self.kind]
        return f"{self.reason}: using {one if count == 1 else f'{count} {many}'}"


def is_without_gil() -> bool:
    """Whether this is a free-threaded Python whose GIL is off."""
    asked = getattr(sys, "_is_gil_enabled", None)
    return asked is not None and not asked()


def script_file(settings: Settings) -> str:
    """The file of the script, main.py among them; empty when there is none."""
    return _file(settings.script_path, settings.app_root)


def _file(script_path: str, app_root: str) -> str:
    places = [script_path]
    if not script_path:
        places = [os.path.join(place, "main.py") for place in (os.getcwd(), app_root)]
    return next((place for place in places if os.path.isfile(place)), "")


def remember_unfit(script_path: str, modules: list[str]) -> None:
    """Marks a script as one for processes: a subinterpreter refused these modules.

    For a worker in which that happened after the start, in a lazy import.
    """
    from scorehost import verdicts

    script = _file(script_path, os.environ.get("AML_APP_ROOT", ""))
    if script:
        verdicts.remember_unfit(script, modules)


def remember_crashes(boot: str) -> bool:
    """Marks a script as one for processes: it has crashed the host; whether that is kept.

    For the host itself; `boot` is what its workers are told.
    """
    import json

    from scorehost import settings, verdicts

    try:
        file = settings.read_file(json.loads(boot)["config_file"])
    except settings.ConfigFileError:
        return False
    script = script_file(settings.load(os.environ, file)[0])
    if script:
        verdicts.remember_crashes(script)
    known = verdicts.recall(script) if script else None
    return known is not None and known.met


def choose(
    keys: Mapping[str, object],
    settings: Settings,
    boot: Mapping[str, object],
    version: tuple[int, ...] = sys.version_info[:2],
    probed: Report | None = None,
) -> Choice:
    """Chooses the kind; `keys` are the host's flags, `boot` what a worker is told.

    `probed` is the report of a probe that was made already, and that counts
    more than what is remembered.
    """
    asked = keys.get("worker_kind")
    if asked not in (None, AUTO):
        return Choice(str(asked), f"--worker_kind {asked} was asked for", is_news=False)
    if is_without_gil():
        reason = "this Python runs without the GIL and --worker_kind thread would share one model"
        return Choice(PROCESS, reason)
    if version < FIRST_VERSION:
        reason = "subinterpreters are chosen automatically from Python 3.14 on"
        return Choice(PROCESS, reason, is_news=asked == AUTO)
    return _without_probe(keys, settings) or _by_probe(settings, boot, probed)


def _without_probe(keys: Mapping[str, object], settings: Settings) -> Choice | None:
    """The choice where the script has no say."""
    if settings.debug_port:
        return Choice(PROCESS, "a debugger attaches to a process")
    if keys.get("worker_preload"):
        return Choice(PROCESS, "WORKER_PRELOAD forks")
    if keys.get("gpu_workers"):
        return Choice(PROCESS, "workers for GPUs are processes")
    return None


def _by_probe(settings: Settings, boot: Mapping[str, object], probed: Report | None) -> Choice:
    from scorehost import verdicts

    script = script_file(settings)
    if not script:
        return Choice(PROCESS, "there is no script", is_news=False)  # its worker says so
    known = verdicts.recall(script)
    if known is not None and (probed is None or known.met):
        return Choice(INTERPRETER if known.fit else PROCESS, known.reason)
    if probed is None:
        from scorehost import probe

        probed = probe.run(boot)
    return _judge(script, probed)


def _judge(script: str, probed: Report) -> Choice:
    """Turns what a probe saw into a choice, and remembers it."""
    from scorehost import verdicts

    name = os.path.basename(script)
    if probed.unable:
        return Choice(PROCESS, f"{name} could not be probed ({probed.unable})")
    if probed.error:
        # It is broken wherever it runs: the worker says how, and it will change.
        return Choice(PROCESS, f"{name} cannot be loaded", is_news=False)
    unfit = probed.unfit(name)
    verdict = verdicts.Verdict(not unfit, unfit or f"{name} loads in subinterpreters")
    verdicts.remember(script, verdict, [*probed.files, *verdicts.siblings(script)])
    return Choice(PROCESS if unfit else INTERPRETER, verdict.reason)
