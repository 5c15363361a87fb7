"""A remote worker: `scorehost worker --connect tcp://HOST:PORT --entry_script score.py`.

It brings the script up as any worker does, and then comes to a host elsewhere over ZeroMQ.
A guard process starts it again when it crashes, or when the host wants it anew; the guard
does nothing else, so that nothing of the script's can take it along.
"""

from __future__ import annotations

import os
import sys

# As in scorehost.worker: a user's `json.py` must not stand before the library's.
if sys.path[0] == "" or (__name__ == "__main__" and not getattr(sys.flags, "safe_path", False)):
    del sys.path[0]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from scorehost._core import Link

USAGE_FAILED, BOOT_FAILED, RENEW = 2, 3, 75

#: As between the starts of a host's own workers.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
USEFUL_S = 5.0

KEY_CHARS = 40

#: Names the process that a worker ends with.
GUARD = "SCOREHOST_GUARD"

HELP = """\
usage: scorehost worker --connect ENDPOINT --entry_script SCRIPT [options]

Scores for a host elsewhere, which was started with --remote_listen.

  --connect ENDPOINT      where the host listens: tcp://ADDRESS:PORT or ipc://PATH
  --entry_script SCRIPT   the scoring script
  --model_dir FOLDER      the model directory, as for azmlinfsrv
  --config_file FILE      settings of the script's, as for azmlinfsrv
  --gpu K                 the GPU that the script sees (CUDA_VISIBLE_DEVICES)
  --key_file FILE         this worker's secret key, as `scorehost keygen` wrote it
  --server_key KEY        the host's public key, or the file that holds it
  --credits N             calls that the host may send ahead, 1 (the default) to 4
  --name NAME             what the host calls it in logs and messages
  --restart on|off        whether it is started again after a crash: on (the default)
"""

FLAGS = (
    "config_file",
    "connect",
    "credits",
    "entry_script",
    "gpu",
    "key_file",
    "model_dir",
    "name",
    "restart",
    "server_key",
)


class UsageError(Exception):
    """The command line does not do; the text says what to write instead."""


def parse(argv: list[str]) -> dict[str, str]:
    """Reads `--flag value` and `--flag=value`; UsageError for anything else."""
    found: dict[str, str] = {}
    words = iter(argv)
    for word in words:
        name, equals, value = word[2:].partition("=")
        name = name.replace("-", "_")
        if word[:2] != "--" or name not in FLAGS:
            raise UsageError(f"there is no {word}; `scorehost worker --help` lists the flags")
        if not equals:
            value = next(words, "")
        if not value:
            raise UsageError(f"--{name} needs a value")
        found[name] = value
    for name in ("connect", "entry_script"):
        if name not in found:
            raise UsageError(f"--{name} is needed")
    return found


def read_credits(text: str) -> int:
    """The number of calls that may be sent ahead; UsageError when it is none."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 4:
        raise UsageError(f"--credits is 1 to 4, not {text!r}")
    return int(text)


def read_key(text: str, flag: str) -> str:
    """A key, given as it is or as the file that holds it; UsageError for neither."""
    try:
        with open(text, encoding="ascii") as file:
            key = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        if len(text) == KEY_CHARS and "/" not in text:
            return text
        raise UsageError(f"{flag}: {error}") from None
    if len(key) != KEY_CHARS:
        raise UsageError(f"{flag}: {text} holds no key of {KEY_CHARS} characters")
    return key


def read_keys(given: Mapping[str, str]) -> tuple[str, str]:
    """The worker's secret key and the host's public one; empty texts for none."""
    if ("key_file" in given) != ("server_key" in given):
        raise UsageError("--key_file and --server_key go together")
    if "key_file" not in given:
        return "", ""
    if not os.path.isfile(given["key_file"]):
        raise UsageError(f"--key_file: there is no file {given['key_file']}")
    return read_key(given["key_file"], "--key_file"), read_key(given["server_key"], "--server_key")


def default_name(given: Mapping[str, str]) -> str:
    """The machine, and what tells its workers apart."""
    gpu = given.get("gpu")
    return f"{os.uname().nodename}-" + (f"gpu{gpu}" if gpu else str(os.getpid()))


def script_hash(path: str) -> int:
    """What tells the host whether its workers run the same script; 1 for none."""
    import hashlib

    try:
        with open(path, "rb") as file:
            digest = hashlib.sha256(file.read()).digest()
    except OSError:
        return 1  # the worker will say what is wrong with it
    return int.from_bytes(digest[:8], "little") or 1


def set_environment(given: Mapping[str, str]) -> None:
    """Exports what the script is promised, and the GPU that it may see."""
    from scorehost import hostconfig

    hostconfig.set_places(os.environ, given)
    if "gpu" in given:
        os.environ["CUDA_VISIBLE_DEVICES"] = given["gpu"]


def connect(given: Mapping[str, str]) -> Link:
    """Goes to the host; UsageError for an endpoint or keys that will not do."""
    from scorehost import _core

    secret, server = read_keys(given)
    script = os.environ["AZUREML_ENTRY_SCRIPT"]
    try:
        return _core.connect(
            given["connect"],
            given.get("name") or default_name(given),
            given.get("gpu", ""),
            os.path.basename(script),
            script_hash(script),
            read_credits(given.get("credits", "1")),
            secret,
            server,
        )
    except (ValueError, RuntimeError) as error:
        raise UsageError(str(error)) from None


def end_with_guard() -> None:
    """Has the kernel end this process as if asked to, when its guard is killed."""
    import ctypes
    import signal

    set_death_signal = 1  # PR_SET_PDEATHSIG
    guard_pid = os.environ.pop(GUARD, "")
    if guard_pid:
        ctypes.CDLL(None).prctl(set_death_signal, int(signal.SIGTERM), 0, 0, 0)
        if guard_pid != str(os.getppid()):  # it was killed before that
            os.kill(os.getpid(), signal.SIGTERM)


def work(given: Mapping[str, str]) -> int:
    """Brings the script up and scores until told to stop; returns the exit code."""
    from scorehost import boot, logs

    end_with_guard()
    set_environment(given)
    link = connect(given)
    told = {
        "argv": list(sys.argv),
        "config_file": os.environ.get("AZUREML_CONFIG_FILE", ""),
        "path0": "",
    }
    try:
        scoring = boot.start(told, worker=True)
        link.stop_on_signals()
        return link.serve(scoring)
    finally:
        logs.flush()


def pause_after(lived_s: float, failures: int) -> float:
    """How long to wait before the next start; nothing after a useful life."""
    if lived_s >= USEFUL_S or failures <= 1:
        return 0.0
    return float(min(FIRST_PAUSE_S * 2 ** min(failures - 2, 16), LONGEST_PAUSE_S))


class Guard:
    """Starts the worker again until it ends as it was told to, or cannot be started."""

    def __init__(self, argv: list[str]) -> None:
        self.command = [sys.executable, "-m", "scorehost.remote", *argv, "--restart", "off"]
        self.pid = 0
        self.is_ending = False

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        """Hands a signal to the worker."""
        self.is_ending = True
        if self.pid:
            os.kill(self.pid, number)

    def run_once(self) -> int:
        """Starts a worker and waits for its end; the exit code, or minus the signal."""
        environ = {**os.environ, GUARD: str(os.getpid())}
        # A group of its own: what a terminal sends to ours comes by way of us.
        self.pid = os.posix_spawn(sys.executable, self.command, environ, setpgroup=0)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return code

    def run(self) -> int:
        """Goes on until there is a reason not to; returns the exit code."""
        import time

        failures = 0
        while True:
            begun = time.monotonic()
            code = self.run_once()
            lived_s = time.monotonic() - begun
            if self.is_ending or code in (0, 1, USAGE_FAILED, BOOT_FAILED):
                return code if code >= 0 else 128 - code
            failures = 0 if code == RENEW or lived_s >= USEFUL_S else failures + 1
            if code != RENEW:
                say(f"the worker ended with {describe(code)} and is started again")
            time.sleep(pause_after(lived_s, failures))


def describe(code: int) -> str:
    """An exit code in words."""
    import signal

    return signal.Signals(-code).name if code < 0 else f"code {code}"


def say(text: str) -> None:
    """Writes a line to stderr."""
    sys.stderr.write(f"scorehost worker: {text}\n")
    sys.stderr.flush()


def guard(argv: list[str]) -> int:
    """Runs the worker under a guard; returns the exit code."""
    import signal

    kept = Guard(argv)
    signal.signal(signal.SIGTERM, kept.pass_on)
    signal.signal(signal.SIGINT, kept.pass_on)
    return kept.run()


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP)
        return 0
    try:
        given = parse(words)
        if given.get("restart", "on") not in ("on", "off"):
            raise UsageError(f"--restart is on or off, not {given['restart']!r}")
        read_credits(given.get("credits", "1"))
        read_keys(given)
        return guard(words) if given.get("restart") != "off" else work(given)
    except UsageError as error:
        say(f"error: {error}")
        return USAGE_FAILED


if __name__ == "__main__":
    sys.exit(main())
