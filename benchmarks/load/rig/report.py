"""Tables, as text for a terminal and as Markdown for a page."""

from collections.abc import Callable, Sequence

from rig.results import Results, Run, middle
from rig.targets import verdicts

Table = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

RUN_HEADS = ["server", "requests/s", "p50 us", "p99 us", "CPU us/request", "spread", "errors"]
LAYOUTS = {
    "split": "server and client on a CPU each",
    "same": "server and client on one CPU",
}


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded; the first to the left, the others to the right."""
    table = [heads, *rows]
    widths = [max(len(row[index]) for row in table) for index in range(len(heads))]
    lines = []
    for row in table:
        first, *others = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join([first, *others]).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As GitHub renders it."""
    lines = ["| " + " | ".join(heads) + " |"]
    lines.append("|" + "---|" + "---:|" * (len(heads) - 1))
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _run_row(results: Results, server: str, cell: list[Run]) -> list[str]:
    costs = [run.cpu_us for run in cell]
    return [
        results.titles[server],
        _number(middle(cell, lambda run: run.rps)),
        _number(middle(cell, lambda run: run.p50_us)),
        _number(middle(cell, lambda run: run.p99_us)),
        _number(middle(cell, lambda run: run.cpu_us), 1),
        f"{min(costs):.1f} to {max(costs):.1f}",
        str(sum(run.errors for run in cell)),
    ]


def _cells(results: Results, load: str, layout: str) -> dict[int, list[list[str]]]:
    """Rows for each number of connections, cheapest server first."""
    tables: dict[int, list[list[str]]] = {}
    for connections in sorted({run.connections for run in results.runs}):
        cells = [
            (server, results.cell(server, load, connections, layout)) for server in results.titles
        ]
        found = [(server, cell) for server, cell in cells if cell]
        found.sort(key=lambda pair: middle(pair[1], lambda run: run.cpu_us) or 0.0)
        if found:
            tables[connections] = [_run_row(results, *pair) for pair in found]
    return tables


def _load_tables(results: Results, table: Table, heading: str) -> list[str]:
    parts = []
    for load, title in results.loads.items():
        for layout in results.layouts():
            for connections, rows in _cells(results, load, layout).items():
                plural = "connection" if connections == 1 else "connections"
                parts.append(f"{heading}{title}, {connections} {plural}, {LAYOUTS[layout]}")
                parts.append(table(RUN_HEADS, rows))
    return parts


def _start_table(results: Results, table: Table, heading: str) -> list[str]:
    heads = ["server", "first 200, ms", "CPU, ms", "first process, PSS MB", "tree, PSS MB"]
    heads += ["first process alone, MB", "tree alone, MB", "processes"]
    rows = []
    for server, title in results.titles.items():
        starts = results.started(server)
        if not starts:
            continue
        row = [
            title,
            _number(middle(starts, lambda start: start.seconds * 1e3)),
            _number(middle(starts, lambda start: start.cpu_seconds * 1e3)),
            _number(middle(starts, lambda start: start.root_pss_mb), 1),
            _number(middle(starts, lambda start: start.tree_pss_mb), 1),
            _number(middle(starts, lambda start: start.root_alone_mb), 1),
            _number(middle(starts, lambda start: start.tree_alone_mb), 1),
            _number(middle(starts, lambda start: start.processes)),
        ]
        rows.append(row)
    return [f"{heading}Start-up and memory", table(heads, rows)] if rows else []


def _idle_table(results: Results, table: Table, heading: str) -> list[str]:
    heads = ["server", "CPU us/request, none idle", "with 900 idle", "ratio", "still open"]
    rows = []
    for server, title in results.titles.items():
        crowded = results.cell(server, "noop", 16, "split", "idle")
        empty = results.cell(server, "noop", 16, "split", "none")
        with_idle = middle(crowded, lambda run: run.cpu_us)
        without = middle(empty, lambda run: run.cpu_us)
        if with_idle is None or without is None:
            continue
        still_open = str(min(run.idle_open for run in crowded))
        ratio = f"{with_idle / without:.2f}"
        rows.append([title, _number(without, 1), _number(with_idle, 1), ratio, still_open])
    name = f"{heading}900 idle connections beside 16 busy ones, no-op"
    return [name, table(heads, rows)] if rows else []


def _burst_table(results: Results, table: Table, heading: str) -> list[str]:
    heads = ["server", "ready at once", "answered, worst", "last answer after, ms"]
    rows = []
    for server, title in results.titles.items():
        for sent in sorted({burst.sent for burst in results.bursts}):
            seen = [b for b in results.bursts if b.server == server and b.sent == sent]
            if seen:
                worst = min(burst.answered for burst in seen)
                took = middle(seen, lambda burst: burst.seconds * 1e3)
                rows.append([title, str(sent), str(worst), _number(took, 1)])
    return [f"{heading}Requests ready at once", table(heads, rows)] if rows else []


def _target_table(results: Results, table: Table, heading: str) -> list[str]:
    rows = [
        [verdict.target.title, verdict.goal_text(), verdict.value_text(), verdict.word()]
        for verdict in verdicts(results)
    ]
    heads = ["target (requests per CPU-second, 64 connections, or as it says)"]
    return [f"{heading}Targets", table([*heads, "goal", "median (spread)", "verdict"], rows)]


def _about(results: Results) -> str:
    about = results.about
    keys = ["started", "machine", "python", "commit", "settings", "load_before"]
    keys += ["cpu_accounting", "finished"]
    return "\n".join(f"- {key}: {about[key]}" for key in keys if key in about)


def _report(results: Results, table: Table, heading: str) -> str:
    parts = [_about(results)]
    for part in (_load_tables, _idle_table, _burst_table, _start_table, _target_table):
        parts += part(results, table, heading)
    if results.failures:
        parts.append(f"{heading}What failed")
        parts.append("\n".join(f"- {line}" for line in results.failures))
    return "\n\n".join(parts) + "\n"


def as_text(results: Results) -> str:
    """For a terminal."""
    return _report(results, text_table, "")


def as_markdown(results: Results) -> str:
    """For a page."""
    return "# Benchmark\n\n" + _report(results, markdown_table, "## ")
