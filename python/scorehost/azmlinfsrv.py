"""The command `azmlinfsrv`, which takes the place of Microsoft's.

It reads the command line, says what it is going to do and hands over to C.
A client waits meanwhile, so nothing is imported here that can be done
without: no argparse, no logging, no json.
"""

from __future__ import annotations

import gc
import os
import sys

from scorehost import banner, flags, hostconfig, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: How long threads of a script in the host may take to end when the host has.
_PATIENCE_S = 2.0


def to_json(value: object) -> str:
    """Writes a value that has JSON's types; json itself costs too much here."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        pairs = (f"{to_json(str(key))}: {to_json(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(to_json, value)) + "]"
    return quote(str(value))


def quote(text: str) -> str:
    """A JSON string, in ASCII."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    import json

    return json.dumps(text)


def _complain_of_nothing_to_serve() -> int:
    banner.log("E", "Error!")
    banner.log(
        "E",
        "Either provide an entry_script using --entry_script or provide a path to the "
        "configuration file using --config_file",
    )
    sys.stdout.flush()
    return 1


def _read_file(path: str) -> dict[str, object]:
    """The configuration file; a bad one is empty here, the worker complains."""
    try:
        return settings.read_file(path)
    except settings.ConfigFileError:
        return {}


def _prepare(given: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Settles the environment and prints the banner; returns the file used."""
    environ = os.environ
    root_is_ours = "AML_APP_ROOT" not in environ
    hostconfig.set_places(environ, given)
    path = settings.find_file(environ)
    file = _read_file(path)
    if root_is_ours:
        hostconfig.set_app_root(environ, file)
    hostconfig.set_ports(environ, given, file)
    hostconfig.set_names(environ, given)
    verdict = hostconfig.set_insights(environ, given, file)
    lines = banner.model_lines(environ) + banner.insights_lines(verdict)
    lines += banner.settings_lines(environ, file)
    sys.stdout.write("\n".join(lines) + "\n")
    return os.path.abspath(path) if path else "", file


def _serve(given: Mapping[str, object], path: str, file: Mapping[str, object]) -> int:
    """Works out what C is to do, and has it done."""
    keys, problems = hostconfig.new_keys(os.environ, given, file)
    for problem in problems:
        banner.log("C", settings.problem_text(problem))
    if problems:
        sys.stdout.flush()
        return 3
    # What is wrong with a worker's settings is the worker's to say.
    worker, _ = settings.load(os.environ, file)
    own_log = bool(settings.find_logging(worker))
    told = hostconfig.config(os.environ, keys, worker, own_log)
    for text in banner.ignored(os.environ):
        banner.log("W", text)
    boot: dict[str, object] = {
        "argv": list(sys.argv),
        "config_file": path,
        "path0": sys.path[0],
        "worker_count": told["worker_count"],
        "share_module": keys.get("share_module", False),
        "auto": keys.get("worker_kind", "auto") == "auto",
    }
    sys.stdout.flush()  # a probe may take a while
    count = hostconfig.worker_count(os.environ, keys)
    choice = hostconfig.worker_kind(keys, worker, boot, count)
    told["worker_kind"] = choice.kind
    if choice.is_news:
        banner.log("I", choice.line(count))
    sys.stdout.flush()
    if told["supervisor"]:
        # The host is forked from this process and shares its memory: what is
        # there now is nobody's garbage, and looking for some would copy it.
        gc.freeze()

    from scorehost import _core

    code = _core.serve(to_json(told), to_json(boot))
    if choice.kind == "thread":
        _end_without_threads(code)
    return code


def _end_without_threads(code: int) -> None:
    """Ends here if the script left a thread that does not end: Python would wait for ever."""
    from scorehost import isolation

    if not isolation.wait_for_threads(_PATIENCE_S):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def run(argv: list[str]) -> int:
    """Serves until told to stop; returns the exit code."""
    given = flags.parse(argv)
    if given is None:
        from scorehost import usage

        given = usage.parse(argv)
    if given.get("version"):
        from scorehost import _core

        print(_core.version())
        return 0
    banner.log("I", f"Loaded logging config from {banner.PACKAGED_LOGGING}")
    if not given.get("entry_script") and not given.get("config_file"):
        return _complain_of_nothing_to_serve()
    path, file = _prepare(given)
    try:
        return _serve(given, path, file)
    except hostconfig.StartError as error:
        sys.stdout.flush()
        sys.stderr.write(f"\n{error}\n")
        return error.code


def main(argv: list[str] | None = None) -> int:
    """Runs the command; the console script exits with what this returns."""
    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
