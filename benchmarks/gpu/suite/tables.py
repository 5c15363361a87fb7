"""Everything else that was measured, in Markdown."""

from collections.abc import Callable
from typing import Any

from suite.figures import Figure, Figures, median

KIB, MIB = 1024, 1024 * 1024


def _size(count: float) -> str:
    size = int(count)
    return f"{size // MIB} MiB" if size >= MIB else (
        f"{size // KIB} KiB" if size >= KIB else f"{size} B")


def _grid(head: list[str], rows: list[list[str]], texts: int = 1) -> str:
    rule = "|---" * texts + "|---:" * (len(head) - texts) + "|"
    lines = ["| " + " | ".join(head) + " |", rule]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _us(values: list[float]) -> str:
    return f"{median(values):.3g}" if values else "-"


def _spread(values: list[float]) -> str:
    return f"{median(values):.3g} ({min(values):.3g} to {max(values):.3g})" if values else "-"


def copies(figures: Figures) -> str:
    """One block: how long alone, how fast in a row."""
    memories, sizes = figures.values("copy", "memory"), figures.values("copy", "bytes")
    rows = []
    for way in figures.values("copy", "way"):
        for size in sizes:
            row = [f"{_size(size)} {way}"]
            for memory in memories:
                alone, many = (
                    figures.rounds("copy", "us", way=way, bytes=size, memory=memory, **{"in": how})
                    for how in ("alone", "a row")
                )
                best = many or alone
                speed = f"{size / median(best) / 1e3:.3g}" if best else "-"
                row.append(f"{_us(alone)} us, {speed} GB/s")
            rows.append(row)
    return _grid(["a copy alone, and speed in a row", *memories], rows)


def memory(figures: Figures) -> str:
    """What making memory takes."""
    rows = []
    for found in figures.all:
        if found["figure"] == "memory":
            took = f"{found['made_ms']:.3g} ms" if "made_ms" in found else found["why"]
            rows.append([found["memory"], _size(found["bytes"]), took])
    return _grid(["memory", "size", "made in"], rows)


def batches(figures: Figures) -> str:
    """The bodies of many requests as one array."""
    ways = figures.values("batch", "way")
    rows = []
    for requests in figures.values("batch", "requests"):
        for size in figures.values("batch", "bytes"):
            found = [figures.rounds("batch", "us", way=way, requests=requests, bytes=size)
                     for way in ways]
            rows.append([f"{requests:g} x {_size(size)}", *map(_us, found)])
    return _grid(["a batch, us", *ways], rows)


def completion(figures: Figures) -> str:
    """How one learns that the GPU is through."""
    works = figures.values("completion", "work")
    rows = []
    for way in figures.values("completion", "way"):
        row = [way]
        for work in works:
            beyond, cpu, every = (
                figures.rounds("completion", key, way=way, work=work)
                for key in ("beyond_us", "cpu_us", "all_cpu_us")
            )
            row.append(f"{_us(beyond)}, {_us(cpu)}, {_us(every)}")
        rows.append(row)
    return _grid(["us beyond the GPU's own, CPU us of the thread, of the process", *works], rows)


def _listed(kind: str, keys: list[str], what: str, value: str) -> Callable[[Figures], str]:
    """A table with a line for each figure of a kind."""

    def made(figures: Figures) -> str:
        rows = [[*(str(found[key]) for key in keys), _spread(found[value])]
                for found in figures.all if found["figure"] == kind]
        return _grid([*keys, what], rows, len(keys))

    return made


def feeding(figures: Figures) -> str:
    """A model, and where its batches come from."""
    columns = [(rows, model) for model in figures.values("feeding", "model")
               for rows in figures.values("feeding", "rows")]
    rows = [
        [way, *(_us(figures.rounds("feeding", "us", way=way, rows=count, model=model))
                for count, model in columns)]
        for way in figures.values("feeding", "way")
    ]
    return _grid(["us a batch, rows", *(f"{count} {model}" for count, model in columns)], rows)


def _many(found: Figure, key: str, form: Callable[[float], str]) -> str:
    return form(median([float(value) for value in found[key]])) if key in found else "-"


def endtoend(figures: Figures) -> str:
    """The model behind azmlinfsrv."""
    forms: dict[str, Callable[[float], str]] = {
        "rows_per_s": lambda value: f"{value:,.0f}", "batch": lambda value: f"{value:.0f}",
        "p50_us": lambda value: f"{value:,.0f}", "p99_us": lambda value: f"{value:,.0f}",
        "busy": lambda value: f"{value:.0f} %",
    }
    rows = [
        [f"{found['load']}: {found['way']}",
         *(_many(found, key, form) for key, form in forms.items())]
        for found in figures.all if found["figure"] == "end to end"
    ]
    return _grid(["load", "rows/s", "rows a batch", "p50 us", "p99 us", "GPU busy"], rows)


TABLES: dict[str, tuple[str, Callable[[Figures], str]]] = {
    "memory": ("Making memory", memory),
    "copy": ("Copies", copies),
    "batch": ("Bodies of many requests to one array", batches),
    "completion": ("Learning that the GPU is through", completion),
    "pipeline": ("Batches in flight", _listed("pipeline", ["way", "batch"], "us a batch", "us")),
    "handoff": ("An array of the framework's over memory that is there",
                _listed("handoff", ["framework", "way"], "us", "us")),
    "python cost": ("What Python does for a batch",
                    _listed("python cost", ["framework", "way"], "us", "us")),
    "feeding": ("MLP 128, 1024, 1024, 10: from bodies to outputs in main memory", feeding),
    "end to end": ("End to end", endtoend),
}


def about(figures: Figures) -> str:
    """Where it was measured."""
    return ", ".join(f"{key} {value}" for key, value in figures.about.items() if value is not None)


def report(figures: Figures, goal_table: str) -> str:
    """All tables that have something in them."""
    found: list[Any] = [about(figures), "### Goals\n\n" + goal_table]
    kinds = {figure["figure"] for figure in figures.all}
    found += [f"### {title}\n\n{make(figures)}"
              for kind, (title, make) in TABLES.items() if kind in kinds]
    if figures.failures:
        lines = [f"- {part}: {why}" for part, why in figures.failures]
        found.append("### Not measured\n\n" + "\n".join(lines))
    return "\n\n".join(found) + "\n"
