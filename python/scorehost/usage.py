"""The slow road of the command line: help, abbreviations and mistakes.

Imported only when `scorehost.flags` could not read the command line.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from scorehost import COMPAT_VERSION
from scorehost.flags import FLAGS, Flag, find


class _Parser(argparse.ArgumentParser):
    """argparse with the exit code of the contract, which is 1 for everything."""

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Leaves with 1 whatever argparse thinks of it, as clients expect."""
        if message:
            sys.stderr.write(message)
        raise SystemExit(1)

    def error(self, message: str) -> NoReturn:
        """Shows the options on stdout, and the usage with what is wrong on stderr."""
        text = self.format_help()
        sys.stdout.write(text[text.index("\n\n") + 1 :])
        sys.stdout.flush()
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: error: {message}\n")


def _reader(flag: Flag) -> Callable[[str], object]:
    """What argparse calls on a value; a new flag says itself what is wrong."""
    read = flag.read
    assert read is not None
    if flag.contract:
        return read  # "invalid validate_port value: '0'" is made from its name

    def explain(text: str) -> object:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return explain


def _parser(prog: str) -> _Parser:
    parser = _Parser(
        prog=prog,
        description=f"Azure ML Inferencing HTTP server v{COMPAT_VERSION}",
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for flag in FLAGS:
        name = f"--{flag.name}"
        text = flag.help or argparse.SUPPRESS
        if flag.read is None:
            parser.add_argument(name, action="store_true", help=text)
        elif flag.name == "host":
            parser.add_argument(name, type=_reader(flag), action="append", help=text)
        else:
            parser.add_argument(name, type=_reader(flag), help=text)
    return parser


def _spell_out(word: str, parser: _Parser) -> str:
    """Completes an abbreviation, among the contract's own flags only.

    A new flag must never make an abbreviation ambiguous that a command line
    of today relies on.
    """
    stem, equals, value = word.partition("=")
    flag = find(stem[2:]) if stem[:2] == "--" else None
    if flag is not None:
        return f"--{flag.name}{equals}{value}"
    every = {"--help"}
    if len(stem) < 3 or stem[:2] != "--" or " " in stem or stem in every:
        return word
    names = ["--help", *(f"--{flag.name}" for flag in FLAGS if flag.contract)]
    matches = [name for name in names if name.startswith(stem)]
    if len(matches) > 1:
        parser.error(f"ambiguous option: {word} could match {', '.join(matches)}")
    return matches[0] + equals + value if matches else word


def parse(argv: list[str]) -> dict[str, object]:
    """Reads any command line; SystemExit(1) after help or a message."""
    prog = os.path.basename(sys.argv[0] or "azmlinfsrv").removesuffix(".py")
    parser = _parser(prog)
    end = argv.index("--") if "--" in argv else len(argv)
    words = [_spell_out(word, parser) for word in argv[:end]] + argv[end:]
    return dict(vars(parser.parse_args(words)))
