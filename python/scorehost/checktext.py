"""The report of `scorehost check`, written for people."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

_WIDTH = 14
_MAX_BODY = 400
_MAX_EXAMPLE = 300
_MAX_LOG_LINES = 40

_KINDS = {
    "process": "worker processes",
    "interpreter": "interpreters inside the host",
    "thread": "threads of the host",
}
_MODES = {
    "plain": "run({}) gets the body as text",
    "schema": "run({}) gets the members of a JSON object",
    "raw": "run({}) gets the Flask request",
    "batch": "run({}) gets a list of bodies as text",
    "tensor": "{}",
}


def render(report: dict[str, Any], verbose: bool = False) -> str:
    """The whole report; with `verbose` what the script wrote, too."""
    lines = [_verdict(report), ""]
    if "import_ms" in report:
        lines += [f"  {label:<{_WIDTH}}{text}" for label, text in _facts(report)]
        lines.append("")
    lines += _answer(report)
    lines += [f"warning: {text}" for text in report["warnings"]]
    lines += _failure(report)
    if verbose or (report["failure"] and not report["failure"]["traceback"]):
        lines += _output(report, verbose)
    return "\n".join(lines).rstrip("\n") + "\n"


def _verdict(report: dict[str, Any]) -> str:
    name = os.path.relpath(report["script"])
    if report["failure"]:
        return f"{name}: cannot be served"
    return f"{name}: good, runs in {_KINDS[report['kind']['chosen']]}"


def _facts(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind, inside = report["kind"], report["subinterpreters"]
    yield "kind", f"{kind['chosen']}: {kind['reason']}"
    if inside["loads"] is not None and inside["reason"] != kind["reason"]:
        yield "interpreters", str(inside["reason"])
    started = f", init() {report['init_ms']:.0f} ms" if "init_ms" in report else ""
    yield "time", f"import {report['import_ms']:.0f} ms{started}"
    memory = ", ".join(_memory(report["memory"]))
    if memory:
        yield "memory", memory
    slow = [f"{item['module']} {item['ms']:.0f} ms" for item in report.get("slow_imports", [])]
    if slow:
        yield "slow imports", ", ".join(slow)
    if "mode" in report:
        yield "input", f"{report['mode']}: {_MODES[report['mode']].format(_taken(report))}"
    yield from _model(report)
    if report.get("example") is not None:
        yield "sample input", _short(json.dumps(report["example"]), _MAX_EXAMPLE)


def _taken(report: dict[str, Any]) -> str:
    if report["mode"] == "tensor":
        return ", ".join(report["model"]["inputs"])
    return ", ".join(map(_parameter, report["parameters"]))


def _model(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the script is as a model, and what its batches are."""
    model, batching = report.get("model"), report.get("batching")
    if model is not None and report["mode"] != "tensor":
        yield "tensors", ", ".join(model["inputs"])
    if model is not None:
        yield "output", ", ".join(model["outputs"]) or "any arrays: none are declared"
    if batching is not None:
        what = "bodies" if batching["bodies"] else "rows"
        delay = batching["max_queue_delay_ms"]
        waits = f", which wait up to {delay:g} ms for company" if delay else ""
        yield "batches", f"up to {batching['max_batch_size']} {what}{waits}"


def _memory(memory: dict[str, dict[str, int]]) -> Iterator[str]:
    """How much each step added, then the sum."""
    steps = [(name, memory[name]) for name in ("start", "import", "init") if name in memory]
    for (_, before), (name, after) in zip(steps, steps[1:]):
        if "rss" in before and "rss" in after:
            yield f"{name} +{max(0, after['rss'] - before['rss']) / 1e6:.1f} MB"
    last = steps[-1][1] if steps else {}
    if "rss" in last:
        private = f" (private {last['private'] / 1e6:.1f} MB)" if "private" in last else ""
        yield f"{last['rss'] / 1e6:.1f} MB in all{private}"


def _parameter(parameter: dict[str, Any]) -> str:
    default = "" if parameter["required"] else f"={parameter['default']}"
    return f"{parameter['name']}{default}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}... ({len(text)} characters)"


def _answer(report: dict[str, Any]) -> list[str]:
    answer = report.get("answer")
    if answer is None:
        return []
    size = f"{answer['bytes']} bytes" + ("" if answer["whole"] else " and more to come")
    how = "streamed, " if answer["streamed"] else ""
    kind = f"run() returned {answer['type']}, " if answer["type"] else ""
    head = f"  POST /score -> {answer['status']}, {kind}{how}{size}, {answer['ms']:.1f} ms"
    body = _short(answer["body"], _MAX_BODY).rstrip("\n")
    return [head, *(f"  {line}" for line in body.split("\n")), ""]


def _failure(report: dict[str, Any]) -> list[str]:
    failure = report["failure"]
    if failure is None:
        return []
    lines = [f"error: {failure['error']}"]
    where = failure["where"]
    if where:
        line = f", line {where['line']}" if where["line"] else ""
        function = f", in {where['function']}" if where["function"] else ""
        lines.append(f"  at {os.path.relpath(where['file'])}{line}{function}")
    if failure["traceback"] not in ("", failure["error"]):
        lines += ["", *(f"  {line}" for line in failure["traceback"].split("\n"))]
    return [*lines, "", f"What to do: {failure['advice']}"]


def _output(report: dict[str, Any], everything: bool) -> list[str]:
    lines = report["output"].rstrip("\n").split("\n") if report["output"] else []
    if not lines:
        return []
    kept = lines if everything else lines[-_MAX_LOG_LINES:]
    return ["", "What was written meanwhile:", *(f"  {line}" for line in kept)]
