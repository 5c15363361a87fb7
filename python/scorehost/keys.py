"""Keys for remote workers: `scorehost keygen FOLDER [NAME...]`.

The host reads FOLDER with --remote_keys: `server.key` is its secret, and every `NAME.pub`
beside it a worker that may come. A worker gets its `NAME.key` and `server.pub`.
"""

from __future__ import annotations

import os
import sys

HELP = """\
usage: scorehost keygen FOLDER [NAME...]

Makes server.key and server.pub, if FOLDER has none, and NAME.key and NAME.pub for each
worker. The host takes the folder (--remote_keys FOLDER); a worker takes its NAME.key
(--key_file) and server.pub (--server_key). No key that exists is written over.
"""

USAGE_FAILED = 2
SERVER = "server"


class KeyFileError(Exception):
    """A key cannot be written; the text says why."""


def check_name(name: str) -> None:
    """KeyFileError when a file of that name would not be a worker's key."""
    plain = name.isascii() and all(c.isalnum() or c in "._-" for c in name)
    if not name or not plain or name[0] in ".-":
        raise KeyFileError(f"{name!r} is no name: letters, digits, '.', '_' and '-'")
    if name == SERVER:
        raise KeyFileError("'server' is the host's own name")


def write(path: str, text: str, mode: int) -> None:
    """Writes a file that must not exist."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise KeyFileError(f"{path} exists, and keys are not written over") from None
    except OSError as error:
        raise KeyFileError(str(error)) from None
    with open(fd, "w", encoding="ascii") as file:
        file.write(text + "\n")


def make(folder: str, name: str) -> None:
    """Makes a pair of keys: NAME.key for its owner alone, NAME.pub."""
    from scorehost import _core

    paths = [os.path.join(folder, name + end) for end in (".key", ".pub")]
    for path in paths:
        if os.path.lexists(path):
            raise KeyFileError(f"{path} exists, and keys are not written over")
    public, secret = _core.curve_keypair()
    write(paths[0], secret, 0o600)
    write(paths[1], public, 0o644)


def generate(folder: str, names: list[str]) -> list[str]:
    """Makes the host's keys, unless they are there, and the workers'; their names."""
    for name in names:
        check_name(name)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise KeyFileError(str(error)) from None
    made = list(names)
    if not names or not os.path.lexists(os.path.join(folder, f"{SERVER}.key")):
        made.insert(0, SERVER)
    for name in made:
        make(folder, name)
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    if any(word in ("-h", "--help") for word in words):
        sys.stdout.write(HELP)
        return 0
    if not words or words[0][:1] == "-":
        sys.stderr.write(HELP)
        return USAGE_FAILED
    try:
        made = generate(words[0], words[1:])
    except (KeyFileError, ValueError, RuntimeError) as error:
        sys.stderr.write(f"scorehost keygen: error: {error}\n")
        return 1
    for name in made:
        sys.stdout.write(f"{os.path.join(words[0], name)}.key, {name}.pub\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
