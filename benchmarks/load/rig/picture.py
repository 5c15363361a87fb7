"""The picture: one panel a load, a dot for each server on a logarithmic axis.

Dots and not bars, because a bar on a logarithmic axis has no honest length.
The line through a dot reaches from the least to the greatest repetition. The
colours follow the reader's choice of light or dark.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

from rig.results import Results

WIDTH = 1040
COLUMN = WIDTH // 2
LABELS = 230
RIGHT = 78
ROW = 21
HEAD = 50
FOOT = 34
TOP = 74

STYLE = """
text { font: 12px system-ui, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328 }
.back { fill: #ffffff } .title { font-size: 18px; font-weight: 600 }
.head { font-size: 13px; font-weight: 600 } .mute { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 } .guide { stroke: #d1d9e0; stroke-dasharray: 1 4 }
.ours { fill: #0b6bcb; stroke: #0b6bcb } .peer { fill: #b35900; stroke: #b35900 }
.floor { fill: #ffffff; stroke: #59636e } .range { stroke-width: 2 } .dot { stroke-width: 1.5 }
.mine { font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .back { fill: #0d1117 } .mute { fill: #9198a1 }
.grid, .guide { stroke: #3d444d }
.ours { fill: #58a6ff; stroke: #58a6ff } .peer { fill: #f0883e; stroke: #f0883e }
.floor { fill: #0d1117; stroke: #9198a1 }
}
""".strip()


@dataclass(frozen=True)
class Mark:
    """One server in one panel."""

    title: str
    kind: str
    values: list[float]

    def middle(self) -> float:
        """Where the dot stands."""
        return median(self.values)


@dataclass(frozen=True)
class Panel:
    """One question."""

    title: str
    unit: str
    marks: list[Mark]

    def height(self) -> int:
        """In pixels, with its axis."""
        return HEAD + ROW * len(self.marks) + FOOT


def _mark(results: Results, server: str, rows: Iterable[Any], of: Callable[[Any], float]) -> Mark:
    values = [of(row) for row in rows]
    return Mark(results.titles[server], results.kinds[server], values)


def _panel(
    results: Results,
    title: str,
    unit: str,
    rows: Callable[[str], Iterable[Any]],
    of: Callable[[Any], float],
) -> Panel:
    marks = [_mark(results, server, rows(server), of) for server in results.titles]
    measured = [mark for mark in marks if mark.values and min(mark.values) > 0]
    return Panel(title, unit, sorted(measured, key=Mark.middle))


def panels(results: Results) -> list[Panel]:
    """One for each load, then start-up and memory; empty ones left out."""
    layout = results.layouts()[0] if results.runs else "split"
    found = []
    for load, title in results.loads.items():
        connections = results.focus[load]

        def cell(server: str, load: str = load, connections: int = connections) -> list[Any]:
            return results.cell(server, load, connections, layout)

        name = f"{title}, {connections} connections"
        found.append(
            _panel(results, name, "CPU µs per request", cell, lambda run: float(run.cpu_us))
        )
    found.append(
        _panel(
            results,
            "Start to the first 200 on /",
            "ms",
            results.started,
            lambda start: float(start.seconds * 1e3),
        )
    )
    found.append(
        _panel(
            results,
            "Memory of the whole tree (PSS), no-op",
            "MB",
            results.started,
            lambda start: float(start.tree_pss_mb),
        )
    )
    return [panel for panel in found if panel.marks]


def _text(x: float, y: float, words: str, style: str = "", anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" '
        f'text-anchor="{anchor}">{escape(words)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def _figure(value: float) -> str:
    """Three digits are as many as the machine grants."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}"


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis between two powers of ten."""

    left: float
    right: float
    low: int
    high: int

    def at(self, value: float) -> float:
        """The x of a value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.left + share * (self.right - self.left)


def _axis(panel: Panel, x: float) -> Axis:
    values = [value for mark in panel.marks for value in mark.values]
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    return Axis(x + LABELS, x + COLUMN - RIGHT, low, high)


def _draw_grid(panel: Panel, axis: Axis, top: float) -> list[str]:
    bottom = top + ROW * len(panel.marks)
    parts = []
    for power in range(axis.low, axis.high + 1):
        x = axis.at(10.0**power)
        parts.append(_line(x, top, x, bottom, "grid"))
        parts.append(_text(x, bottom + 15, f"{10.0**power:,g}", "mute", "middle"))
    return parts


def _draw_mark(mark: Mark, axis: Axis, y: float) -> list[str]:
    mine = "mine" if mark.kind == "ours" else ""
    x = axis.at(mark.middle())
    low, high = axis.at(min(mark.values)), axis.at(max(mark.values))
    return [
        _text(axis.left - 10, y + 4, mark.title, mine, "end"),
        _line(axis.left, y, axis.right, y, "guide"),
        _line(low, y, high, y, f"range {mark.kind}"),
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" class="dot {mark.kind}"/>',
        _text(axis.right + 10, y + 4, _figure(mark.middle()), mine),
    ]


def _draw_panel(panel: Panel, x: float, y: float) -> list[str]:
    axis = _axis(panel, x)
    top = y + HEAD - 8
    parts = [_text(x + 16, y + 14, panel.title, "head")]
    parts.append(_text(axis.right + 10, y + 32, panel.unit, "mute", "end"))
    parts += _draw_grid(panel, axis, top)
    for index, mark in enumerate(panel.marks):
        parts += _draw_mark(mark, axis, top + ROW * (index + 0.5))
    return parts


def _legend() -> list[str]:
    parts = []
    words = [("ours", "scorehost"), ("peer", "other servers"), ("floor", "floors: no Python")]
    for index, (kind, word) in enumerate(words):
        x = WIDTH - 400 + index * 125
        parts.append(f'<circle cx="{x}" cy="24" r="4.5" class="dot {kind}"/>')
        parts.append(_text(x + 10, 28, word))
    return parts


def draw(results: Results) -> str:
    """The whole picture, as SVG."""
    every = panels(results)
    settings = results.about.get("settings", "")
    parts = [_text(16, 28, "scorehost beside other servers", "title")]
    note = f"Less is better. Logarithmic axes. One worker each; {settings}; line: spread."
    parts.append(_text(16, 50, note, "mute"))
    parts += _legend()
    y = TOP
    for index in range(0, len(every), 2):
        pair = every[index : index + 2]
        for column, panel in enumerate(pair):
            parts += _draw_panel(panel, column * COLUMN, y)
        y += max(panel.height() for panel in pair)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" '
        f'width="{WIDTH}" height="{y}" role="img">'
    )
    back = f'<rect width="{WIDTH}" height="{y}" class="back"/>'
    body = "\n".join(parts)
    return f"{head}\n<style>{STYLE}</style>\n{back}\n{body}\n</svg>\n"
