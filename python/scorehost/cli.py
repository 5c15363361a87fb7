"""The command `scorehost`: our own verbs.

`serve`, `worker` and `keygen` hand their arguments on as they are, before
anything else is imported: a client waits while a server starts.
"""

from __future__ import annotations

import sys

from scorehost import flags

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def with_script(words: list[str]) -> list[str]:
    """Turns the SCRIPT of `serve` into the flag that it stands for."""
    at = 0
    while at < len(words):
        word = words[at]
        if word[:1] != "-":
            return [*words[:at], "--entry_script", word, *words[at + 1 :]]
        flag = flags.find(word[2:])
        is_alone = "=" in word or (flag is not None and flag.read is None)
        at += 1 if is_alone or word in ("-h", "--help", "--") else 2
    return words


def serve(words: list[str]) -> int:
    """Serves a script, exactly as `azmlinfsrv` does."""
    from scorehost import azmlinfsrv

    return azmlinfsrv.run(with_script(words))


def worker(words: list[str]) -> int:
    """Joins a host, perhaps on another machine, as a worker."""
    return _hand_over("remote", words)


def keygen(words: list[str]) -> int:
    """Makes the keys that host and remote workers know each other by."""
    return _hand_over("keys", words)


def _hand_over(module: str, words: list[str]) -> int:
    from importlib import import_module

    return int(import_module(f"scorehost.{module}").main(words))


PASSED_ON: dict[str, Callable[[list[str]], int]] = {
    "serve": serve,
    "worker": worker,
    "keygen": keygen,
}


def main(argv: list[str] | None = None) -> int:
    """Runs the command; the console script exits with what this returns."""
    words = list(sys.argv[1:] if argv is None else argv)
    passed_on = PASSED_ON.get(words[0]) if words else None
    if passed_on is not None:
        return passed_on(words[1:])
    from scorehost import commands

    return commands.main(words)


if __name__ == "__main__":
    sys.exit(main())
