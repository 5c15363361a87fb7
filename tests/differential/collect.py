"""Putting plays to a server and writing down what it does.

Run as a program, in a process of its own, so that it can move to a network
of its own before it starts anything::

    python -m differential.collect OUT.json --command CMD [--play GLOB ...]
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Union

from . import netns, normal
from .model import START, STOP, Answer, Play
from .plays import PLAYS
from .server import Ports, Server, Target

EXIT_S = 60.0
STREAMS = ("stdout", "stderr")

_running: set[Server] = set()


def collect(plays: Iterable[Play], target: Target, jobs: int = 2,
            ports: Union[Ports, None] = None) -> dict[str, Answer]:
    """Run `plays` against `target`; give the answer to each case by its id."""
    ports = ports or Ports(21000, 21999)
    answers: dict[str, Answer] = {}
    # A short place, alike on all machines: its length shows in answers.
    with tempfile.TemporaryDirectory(prefix="diff-", dir="/tmp") as folder:
        with ThreadPoolExecutor(jobs) as pool:
            for done in pool.map(
                    lambda play: run_play(play, target, Path(folder), ports),
                    sorted(plays, key=_longest_first)):
                answers.update(done)
    return answers


def _longest_first(play: Play) -> int:
    return -len(play.requests) - 1000 * bool(play.endless_s)


def run_play(play: Play, target: Target, folder: Path,
             ports: Ports) -> dict[str, Answer]:
    """Run one play from its start to its stop."""
    server = Server(play, target, folder / play.name, ports)
    _running.add(server)
    try:
        server.start()
        names = normal.Normaliser(
            server.app, server.process.pid,
            {"port": server.port, "health-port": server.health_port})
        if play.exits:
            return {f"{play.name}/{START}": _ending(server, names)}
        return _served(server, names)
    finally:
        _running.discard(server)
        server.kill()


def _abandon(number: int, frame: object) -> None:
    """End on a signal, and take all servers along."""
    for server in list(_running):
        server.kill()
    os._exit(128 + number)


def _ending(server: Server, names: normal.Normaliser) -> Answer:
    endless = server.play.endless_s
    answer: Answer = {"exit": server.wait_end(endless or EXIT_S)}
    server.kill()
    return _with_logs(answer, server, names, server.play.logs)


def _served(server: Server, names: normal.Normaliser) -> dict[str, Answer]:
    play = server.play
    ready = server.wait_ready()
    start: Answer = {"ready": ready}
    if not ready and not server.alive():
        start["exit"] = server.wait(1)
    answers = {START: _with_logs(start, server, names, play.logs)}
    for request in play.requests:
        if not ready:
            answers[request.name] = {"ended": "not started"}
            continue
        answer = normal.answer_of(server.ask(request), names)
        answer = _with_logs(answer, server, names, request.logs)
        if not request.ordered:
            answer.update((name, sorted(answer[name])) for name in STREAMS)
        answers[request.name] = answer
    stop: Answer = {"exit": server.stop()}
    answers[STOP] = _with_logs(stop, server, names, play.logs)
    return {f"{play.name}/{name}": answer for name, answer in answers.items()}


def _with_logs(answer: Answer, server: Server, names: normal.Normaliser,
               wanted: bool) -> Answer:
    for stream in STREAMS:
        lines = names.lines(server.new_lines(stream))
        if wanted:
            answer[stream] = lines
    return normal.name_uuids(answer)


def target_of(command: str, env: Sequence[str] = ()) -> Target:
    """Describe a server by its command line and its NAME=VALUE settings."""
    pairs = tuple((name, value) for name, _, value in
                  (item.partition("=") for item in env))
    return Target(tuple(shlex.split(command)), pairs)


def chosen(patterns: Sequence[str]) -> list[Play]:
    """Give the plays whose names match one of `patterns` (all if none)."""
    return [play for play in PLAYS
            if not patterns
            or any(fnmatch.fnmatch(play.name, item) for item in patterns)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--loopback", action="append", default=[],
                        help="flag for the case that the network is shared")
    parser.add_argument("--play", action="append", default=[])
    parser.add_argument("--jobs", type=int, default=2)
    return parser.parse_args()


def main() -> int:
    """Collect answers as the command line says."""
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _abandon)
    alone = netns.enter()
    target = target_of(arguments.command, arguments.env)
    if not alone:
        target = Target(target.command, target.env, tuple(arguments.loopback))
    began = time.monotonic()
    answers = collect(chosen(arguments.play), target, arguments.jobs)
    arguments.out.write_text(json.dumps(answers, indent=1, sort_keys=True))
    print(f"{len(answers)} cases in {time.monotonic() - began:.1f} s, "
          f"{'own' if alone else 'shared'} network", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
