"""The verbs of `scorehost` that read their own command line."""

from __future__ import annotations

import json
from typing import Any

import click

from scorehost import cli


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def group() -> None:
    """Serves Azure-ML-style scoring scripts: init() and run() in a score.py."""


@group.command(short_help="Try a script and say which worker fits it.")
@click.argument("script", type=click.Path())
@click.option("--sample", default="", metavar="FILE|JSON", help="A request body to run() on.")
@click.option(
    "--header", multiple=True, metavar="NAME:VALUE", help="A header that goes with the sample."
)
@click.option(
    "--model_dir", "--model-dir", default="", help="The directory that the model is in."
)
@click.option(
    "--worker_kind",
    "--worker-kind",
    type=click.Choice(["auto", "process", "interpreter", "thread"]),
    help="The kind to check for; otherwise what the environment says, or auto.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option("--no-init", is_flag=True, help="Do not call init(), nor run().")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600.0,
    show_default=True,
    help="Seconds that all of it may take.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show what the script wrote.")
@click.pass_context
def check(ctx: click.Context, /, script: str, as_json: bool, verbose: bool, **given: Any) -> None:
    """Loads SCRIPT in a process of its own, calls init() and, with --sample, run().

    Tells which kind of worker fits and why, how long it takes, how much
    memory it needs, what it accepts and answers, and what is wrong with it.
    The exit code is 0 if the script is good, 1 if it is not.
    """
    from scorehost import check as checking
    from scorehost import checktext

    order = checking.Order(script)
    order.sample = "" if given["no_init"] else given["sample"]
    order.headers = list(given["header"])
    order.model_dir = given["model_dir"]
    order.worker_kind = given["worker_kind"] or ""
    order.init = not given["no_init"]
    order.timeout_s = given["timeout"]
    try:
        report = checking.examine(order)
    except checking.Usage as error:
        raise click.UsageError(str(error)) from None
    text = json.dumps(report, indent=2) if as_json else checktext.render(report, verbose)
    click.echo(text, nl=as_json)
    ctx.exit(0 if report["good"] else 1)


@group.command(short_help="Have a running server load its script anew.")
@click.argument("pid", type=click.IntRange(min=2), required=False)
@click.option("--port", type=click.IntRange(1, 65535), help="The port that it serves on.")
def reload(pid: int | None, port: int | None) -> None:
    """Has a server load its script anew, as SIGHUP does.

    PID or the port says which; neither is needed while only one runs.
    """
    from scorehost import running

    if pid is not None and port is not None:
        raise click.UsageError("give a PID or --port, not both")
    try:
        found = running.pick(pid, port)
        running.reload(found)
    except running.NoServer as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Told {found.name} (pid {found.pid}) to load its script anew; its log says how.")


@group.command(short_help="Print the versions of scorehost and its libraries.")
def version() -> None:
    """Prints the versions of scorehost and its libraries."""
    from scorehost import _core

    click.echo(_core.version())


def _passed_on(name: str, text: str) -> None:
    """Lists a verb whose arguments are read elsewhere."""

    @group.command(
        name,
        short_help=text,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True},
    )
    @click.argument("words", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def run(ctx: click.Context, words: tuple[str, ...]) -> None:
        ctx.exit(cli.PASSED_ON[name](list(words)))


_passed_on("serve", "Serve a script: scorehost serve score.py, and the flags of azmlinfsrv.")
_passed_on("worker", "Join a host as a remote worker.")
_passed_on("keygen", "Make keys for remote workers.")


def main(words: list[str]) -> int:
    """Reads the command line and obeys; the exit code, 2 for a mistake in it."""
    try:
        group.main(args=words or ["--help"], prog_name="scorehost")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
