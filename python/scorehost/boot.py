"""How a worker comes up: logging, settings, script, init(), in a fixed order.

The order of the lines is part of the contract; so is the exit code 3, which
tells the host that starting this worker again would not help. In an
interpreter of its own the code 4 says that another kind of worker would.
"""

from __future__ import annotations

import logging
import os
import sys
import threading

from scorehost import logs, settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeVar

    from scorehost.script import Scoring
    from scorehost.settings import Settings

    _Made = TypeVar("_Made")

BOOT_FAILED = 3
BOOT_UNFIT = 4
LISTING_LINES = 200


def _log() -> logging.Logger:
    return logging.getLogger("azmlinfsrv")


def _traceback() -> str:
    """The exception being handled, as it is logged."""
    import traceback

    return traceback.format_exc()


def _fail(*reasons: str, level: int = logging.ERROR) -> SystemExit:
    """Logs why the worker cannot serve; raise what it returns."""
    for reason in reasons:
        _log().log(level, "%s", reason)
    logs.flush()
    return SystemExit(BOOT_FAILED)


def _misconfigured(*reasons: str) -> SystemExit:
    return _fail(*reasons, level=logging.CRITICAL)


def read_settings(config_file: str) -> Settings:
    """Reads environment and file; SystemExit(3) after saying what is wrong."""
    try:
        file = settings.read_file(config_file)
    except settings.ConfigFileError:
        raise _misconfigured(f"Invalid config file!: {_traceback()}") from None
    unknown = settings.unknown_keys(file)
    if unknown:
        _log().warning(
            "Found extra keys in the config file that are not supported by the server."
            "\nExtra keys = %r",
            unknown,
        )
    found, problems = settings.load(os.environ, file)
    if problems:
        raise _misconfigured(*map(settings.problem_text, problems))
    return found


def apply_logging(conf: Settings) -> None:
    """Applies the user's logging.json, or the level asked for."""
    path = settings.find_logging(conf)
    if path:
        try:
            logs.configure_from(path)
        except Exception:
            logs.configure()  # half of the user's may be in force
            raise _misconfigured(f"Invalid config file!: {_traceback()}") from None
        _log().info("Loaded logging config from %s", path)
    elif conf.log_level:
        logs.set_level(conf.log_level)
    logs.configure_root()


def announce(conf: Settings) -> None:
    """Logs what is set up before the script comes in."""
    _log().info("Starting up app insights client")
    # Nobody needs the directory but telemetry, unless one was named.
    wanted = conf.model_dir or conf.app_insights_enabled
    if wanted and not os.path.isdir(conf.model_dir):
        logging.getLogger("azmlinfsrv.trace").warning(
            "Model directory is not set or does not exist: %s", conf.model_dir
        )
    if conf.origins:
        _log().info("Enabling CORS for the following origins: %s", ", ".join(conf.origins))


def warn_of_old_names(environ: Mapping[str, str]) -> None:
    """Tells those who ask for features that are long gone."""
    if "AML_DBG_MODEL_INFO" in environ or "AML_DBG_RESOURCE_INFO" in environ:
        _log().warning(
            "The debuggability features have been removed. "
            "If you have a use case for them please reach out to us."
        )


def arrange_path(launcher: str, conf: Settings) -> None:
    """Puts `sys.path` in the order that scripts know.

    No directory of the server's is on it, so a script's own `utils` or
    `config` is found. The script's directory comes last: siblings that were
    not importable before are now, and nothing that was found is hidden.
    """
    path = list(sys.path)
    if launcher and launcher not in path:
        path.insert(0, launcher)
    if conf.app_root not in path:
        path.append(conf.app_root)
    if os.getcwd() not in path:
        path.insert(0, os.getcwd())
    source = os.path.join(conf.app_root, conf.source_dir) if conf.source_dir else ""
    for directory in (source, os.path.dirname(conf.script_path)):
        if directory and directory not in path:
            path.append(directory)
    sys.path[:] = path


def is_main_missing(cause: BaseException | None, conf: Settings) -> bool:
    """Whether an import failed because nobody wrote a script.

    Decided by what was raised, and by whom: a traceback that merely mentions
    `main` is logged for what it is.
    """
    if conf.entry_script or not isinstance(cause, ModuleNotFoundError) or cause.name != "main":
        return False
    trace = cause.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == "main":
            return False
        trace = trace.tb_next
    return True


def is_script_missing(cause: BaseException | None, conf: Settings) -> bool:
    """Whether it is the script that was not found, and not a file it looks for."""
    return isinstance(cause, FileNotFoundError) and cause.filename == conf.script_path


def explain_no_main(root: str) -> list[str]:
    """What to log when there is neither an entry script nor a main.py."""
    try:
        contents = f"Current contents of AML_APP_ROOT: {os.listdir(root)!r}"
    except OSError:
        contents = f"The directory {root} not an accessible directory in the container."
    return [
        "No score script found. Expected score script main.py.",
        f"Expected script to be found in PYTHONPATH: {sys.path!r}",
        contents,
    ]


def load_script(conf: Settings, copy: int = 0) -> Scoring:
    """Imports the script and looks at run(); SystemExit(3) after logging why not."""
    # Not before logging is set up: a logging.json silences what exists.
    from scorehost import errors, script

    try:
        return script.load(conf, copy)
    except errors.UserScriptError as error:
        if is_main_missing(error.__cause__, conf):
            raise _fail(*explain_no_main(conf.app_root)) from None
        texts = [_traceback()]
        if is_script_missing(error.__cause__, conf):
            texts.insert(0, "No such file or directory.")
        raise _fail(*texts) from None


def tree(path: str, depth: int = 0) -> Iterator[str]:
    """The lines of a listing, depth first, four spaces a level."""
    name = "    " * depth + os.path.basename(os.path.normpath(path))
    if not os.path.isdir(path):
        yield name
        return
    yield name + "/"
    try:
        children = sorted(os.listdir(path))
    except OSError:
        return  # a directory that may not be read is shown, and that is all
    if os.path.islink(path) and depth > 0:
        return  # it may lead back to where we are
    for child in children:
        yield from tree(os.path.join(path, child), depth + 1)


def log_model_dir(directory: str) -> None:
    """Logs what stands in the model directory, up to a limit."""
    if not os.path.isdir(directory):
        return
    _log().info("Model Directory Contents:")
    for count, line in enumerate(tree(directory)):
        if count == LISTING_LINES:
            _log().info("Output Truncated. First %d lines shown.", LISTING_LINES)
            break
        _log().info("%s", line)


def _run_users(function: Callable[[], object], name: str, model_dir: str) -> None:
    """Calls a function of the script's; SystemExit(3) after logging what it raised."""
    from scorehost.errors import UserScriptException

    logging.getLogger("azmlinfsrv.user_script").info("Invoking user's %s function", name)
    try:
        try:
            function()
        except BaseException as error:
            raise UserScriptException(error) from error
    except UserScriptException:
        _log().error("User's %s function failed", name)
        _log().error("Encountered Exception %s", _traceback())
        log_model_dir(model_dir)
        raise _fail() from None


def run_init(init: Callable[[], object], model_dir: str) -> None:
    """Calls the script's init(); SystemExit(3) after logging what it raised."""
    _run_users(init, "init", model_dir)
    log = logging.getLogger("azmlinfsrv.user_script")
    log.info("Users's init has completed successfully")


def prepare(boot: Mapping[str, object], alone: bool = True) -> Settings:
    """Everything before the script: logging, settings, debugger, print, imports.

    `alone` is False in an interpreter that is one of several in its process.
    """
    from scorehost import hook

    logs.show_lines_at_once()
    logs.configure()
    hook.install()  # a user's logging.json may name classes that it serves
    conf = read_settings(str(boot.get("config_file", "")))
    arrange_path(str(boot.get("path0", "")), conf)
    apply_logging(conf)
    if conf.debug_port and alone:
        from scorehost import debug

        debug.attach(conf.debug_port)
    elif conf.debug_port:
        _log().warning("AZUREML_DEBUG_PORT is for --worker_kind process or thread")
    sys.stdout.write("Initializing logger\n")
    sys.stdout.flush()
    logs.hook_print()
    return conf


def load(conf: Settings, copy: int = 0) -> Scoring:
    """Loads and starts the script: what can be done once for many forked workers."""
    announce(conf)
    scoring = load_script(conf, copy)
    run_init(scoring.init, conf.model_dir)
    warn_of_old_names(os.environ)
    scoring.prepare_swaggers()
    _log().info("Scoring timeout is set to %d", conf.scoring_timeout_ms)
    return scoring


def be_ready(scoring: Scoring) -> None:
    """Does what each worker does for itself, and says that it is ready.

    SystemExit(3) when the script's after_fork() raised, with that in the log.
    """
    if scoring.after_fork is not None:
        _run_users(scoring.after_fork, "after_fork", "")
    scoring.open_device()
    _log().info("Worker with pid %d ready for serving traffic", os.getpid())
    logs.flush()


def bring_up(conf: Settings, copy: int = 0) -> Scoring:
    """Loads and starts the script, and says that it is ready."""
    scoring = load(conf, copy)
    be_ready(scoring)
    return scoring


def _or_give_up(function: Callable[[], _Made]) -> _Made:
    """What a function makes; SystemExit(3) after logging what it raises."""
    try:
        return function()
    except Exception:
        logging.getLogger("gunicorn.error").exception("Exception in worker process")
        raise _fail() from None


def _take_arguments(boot: Mapping[str, object]) -> None:
    argv = boot.get("argv")
    if isinstance(argv, list):
        sys.argv[:] = map(str, argv)


def start(boot: Mapping[str, object], worker: bool, preload: bool = False) -> Scoring:
    """Brings a worker up to the point where it can score.

    `boot` is the second argument of `_core.serve`; `worker` is False in the
    host's own process, whose arguments are right already. With `preload` the
    script is only loaded: the workers are forked later. SystemExit(3) when
    this worker cannot serve, with its reasons in the log.
    """
    from scorehost import stacks

    if worker:
        _take_arguments(boot)
    stacks.show(all_threads=worker)
    finish = load if preload else bring_up
    return _or_give_up(lambda: finish(prepare(boot)))


# Kind thread


class Threads:
    """The script in the host's own threads: one of them, or one for each."""

    def __init__(self, boot: Mapping[str, object]) -> None:
        workers = boot.get("worker_count", 1)
        several = isinstance(workers, int) and workers > 1
        self.shared = not several or bool(boot.get("share_module"))
        self._lock = threading.Lock()
        self._copies = 0
        self._one: Scoring | None = start(boot, worker=False) if self.shared else None
        if self._one is None:
            from scorehost import stacks

            stacks.show(all_threads=False)
            self._settings = _or_give_up(lambda: prepare(boot))
        warn_of_gil()

    def scoring(self) -> Scoring:
        """What the calling thread scores with; its own copy may fail to load.

        Copies are loaded one after another: scripts and the packages that
        they import were not written to be imported twice at once.
        """
        if self._one is not None:
            return self._one
        with self._lock:
            self._copies += 1
            number = self._copies
            made = _or_give_up(lambda: bring_up(self._settings, number - 1))
        warn_of_gil()
        return made


def warn_of_gil() -> None:
    """Tells those who run a free-threaded Python that an import undid it."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    if "t" in sys.abiflags and enabled is not None and enabled():
        _log().warning(
            "This Python can run threads at once, but its GIL is on: an imported extension "
            "module is not made for free threading (or PYTHON_GIL=1 is set). The workers take "
            "turns. Python names the module in a RuntimeWarning when it is imported."
        )


# Kind interpreter


def start_isolated(boot: Mapping[str, object]) -> Scoring:
    """Brings a worker up in an interpreter of its own, one of several here.

    Nothing that belongs to the process is touched. SystemExit as of start();
    its code is 4 when the script needs what such an interpreter refuses and
    nobody has asked for one (`boot` has "auto").
    """
    import atexit
    import gc

    from scorehost import isolation

    _take_arguments(boot)
    isolation.record()
    # Called last: what the script has registered may ask which thread this is.
    atexit.register(isolation.forget_this_thread)
    conf = _or_give_up(lambda: prepare(boot, alone=False))
    try:
        scoring = _or_give_up(lambda: bring_up(conf))
    except SystemExit as given_up:
        found = isolation.since(0, given_up)
        if not found:
            raise
        isolation.mark_unfit(conf.script_path, found)
        if boot.get("auto"):
            _fail(f"{isolation.sentence(found)}", level=logging.WARNING)
            raise SystemExit(BOOT_UNFIT) from None
        raise _fail(
            f"{isolation.sentence(found)}: use --worker_kind process, or auto"
        ) from None
    scoring.refusals = isolation.refusals
    # What is there now stays; no collection need look at it again but the last.
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)
    return scoring


def load_only(boot: Mapping[str, object]) -> None:
    """Loads the script to see whether that can be done; init() if `boot` says so."""
    from scorehost import hook, script

    _take_arguments(boot)
    hook.install()
    conf = read_settings(str(boot.get("config_file", "")))
    arrange_path(str(boot.get("path0", "")), conf)
    scoring = script.load(conf)
    if boot.get("init"):
        scoring.init()
