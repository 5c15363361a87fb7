"""Reads a page of metrics, and forgives nothing: the text format 0.0.4 as Prometheus has it."""

from __future__ import annotations

import math
import re
from pathlib import Path

from .host import Host

TYPE = "text/plain; version=0.0.4; charset=utf-8"
DEF = Path(__file__).resolve().parents[2] / "csrc" / "metrics" / "metrics.def"

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_VALUE = r'"((?:[^"\\\n]|\\[\\"n])*)"'
_LABEL = re.compile(rf"([a-zA-Z_][a-zA-Z0-9_]*)={_VALUE}(,|$)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.+)\}})? (\S+)")
_HELP = re.compile(rf"# HELP ({_NAME}) ((?:[^\\\n]|\\[\\n])+)")
_TYPE = re.compile(rf"# TYPE ({_NAME}) (counter|gauge|histogram)")

Labels = tuple[tuple[str, str], ...]


def table() -> dict[str, tuple[str, tuple[str, ...], str]]:
    """The metrics of metrics.def: type, labels and sentence, by name."""
    entry = re.compile(
        r'^X\(\w+, (\w+), "(\w+)", "([\w ]*)",\n((?:  "[^"\n]*"\n?)+)\)', re.MULTILINE
    )
    found = {}
    text = DEF.read_text()
    for kind, name, labels, sentence in entry.findall(text):
        pieces = re.findall(r'"([^"]*)"', sentence)
        found[name] = (kind.lower(), tuple(labels.split()), "".join(pieces))
    assert len(found) == text.count("\nX("), "an entry was not read"
    return found


def _labels(text: str) -> Labels:
    """The labels between two braces, in their order."""
    found = []
    at = 0
    while at < len(text):
        label = _LABEL.match(text, at)
        assert label, f"no label: {text[at:]!r}"
        found.append((label[1], re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), label[2])))
        at = label.end()
        assert not (label[3] and at == len(text)), f"a comma too many: {text!r}"
    names = [name for name, _ in found]
    assert len(set(names)) == len(names), f"a label twice: {text!r}"
    return tuple(found)


class Family:
    """A metric with all its samples."""

    def __init__(self, name: str, sentence: str) -> None:
        self.name = name
        self.sentence = sentence
        self.type = ""
        self.samples: dict[tuple[str, Labels], float] = {}

    def add(self, name: str, labels: Labels, value: float) -> None:
        """Take a sample, which must be one of this family."""
        suffixes = ("_bucket", "_sum", "_count") if self.type == "histogram" else ("",)
        assert name in [self.name + suffix for suffix in suffixes], f"{name} in {self.name}"
        assert (name, labels) not in self.samples, f"{name} {labels} twice"
        assert not math.isnan(value)
        assert value >= 0, f"{name} {labels} is {value}"
        self.samples[name, labels] = value

    def check(self) -> None:
        """See whether it makes sense as a whole."""
        assert self.name.endswith("_total") == (self.type == "counter"), self.name
        if self.type != "histogram":
            return
        series: dict[Labels, list[tuple[float, float]]] = {}
        for (name, labels), value in self.samples.items():
            if name.endswith("_bucket"):
                assert labels[-1][0] == "le", labels
                series.setdefault(labels[:-1], []).append((float(labels[-1][1]), value))
        for labels, buckets in series.items():
            assert buckets == sorted(buckets), f"{self.name} {labels}: {buckets}"
            assert [count for _, count in buckets] == sorted(count for _, count in buckets)
            assert buckets[-1][0] == math.inf
            assert buckets[-1][1] == self.samples[self.name + "_count", labels]
            assert (self.name + "_sum", labels) in self.samples
        assert len(self.samples) == sum(len(buckets) + 2 for buckets in series.values())


class Page:
    """What one scrape told."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: dict[str, Family] = {}
        assert text.endswith("\n"), "the last line has no end"
        family = None
        for line in text[:-1].split("\n"):
            family = self._read(line, family)
        for found in self.families.values():
            found.check()

    def _read(self, line: str, family: Family | None) -> Family:
        if help_line := _HELP.fullmatch(line):
            assert help_line[1] not in self.families, f"{help_line[1]} twice"
            family = self.families[help_line[1]] = Family(help_line[1], help_line[2])
            return family
        assert family, f"no HELP before {line!r}"
        if type_line := _TYPE.fullmatch(line):
            assert type_line[1] == family.name and not family.type, line
            family.type = type_line[2]
            return family
        sample = _SAMPLE.fullmatch(line)
        assert sample and family.type, f"no sample: {line!r}"
        assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", sample[3]), line
        family.add(sample[1], _labels(sample[2] or ""), float(sample[3]))
        return family

    def value(self, name: str, **labels: str) -> float:
        """The value of one sample; `name` without the prefix, labels in any order."""
        name = "scorehost_" + name
        for family in self.families.values():
            for (found, pairs), value in family.samples.items():
                if found == name and dict(pairs) == labels:
                    return value
        raise AssertionError(f"no sample {name} {labels} in\n{self.text}")

    def by(self, name: str, label: str) -> dict[str, float]:
        """The samples of a metric that are not 0, by a label; others are added up."""
        found: dict[str, float] = {}
        for (sample, pairs), value in self.families["scorehost_" + name].samples.items():
            if sample == "scorehost_" + name and value:
                key = dict(pairs)[label]
                found[key] = found.get(key, 0) + value
        return found


def scrape(host: Host) -> Page:
    """Ask a host for its metrics."""
    response = host.ask("GET", "/metrics")
    assert (response.status, response.get("content-type")) == (200, TYPE), response
    return Page(response.body.decode())
