"""Figures as they come from a part, and as they are kept.

A figure is a dict: "figure" is its kind, texts and numbers say what it is of, and lists hold a
number for each round.
"""

import json
import statistics
import subprocess
import threading
from pathlib import Path
from typing import Any

Figure = dict[str, Any]


class Figures:
    """All that was measured, and what could not be."""

    def __init__(self) -> None:
        self.about: dict[str, Any] = {}
        self.all: list[Figure] = []
        self.failures: list[tuple[str, str]] = []

    def add(self, part: str, line: str) -> None:
        """Takes a line of a part's output."""
        try:
            figure = json.loads(line)
        except ValueError:
            self.fail(part, f"it printed {line[:200]!r}")
            return
        if figure.get("figure") == "about":
            self.about.update({key: figure[key] for key in figure if key != "figure"})
        elif figure.get("figure") == "absent":
            self.fail(part, f"{figure['what']}: {figure['why']}")
        else:
            self.all.append({"part": part, **figure})

    def fail(self, part: str, why: str) -> None:
        """Notes what could not be measured, and why."""
        self.failures.append((part, why))

    def find(self, figure: str, **what: Any) -> Figure | None:
        """The one figure of a kind with these texts and numbers."""
        for found in self.all:
            if found["figure"] == figure and all(
                found.get(key) == value for key, value in what.items()
            ):
                return found
        return None

    def rounds(self, figure: str, key: str, **what: Any) -> list[float]:
        """Its numbers, one for each round; none if there is no such figure."""
        found = self.find(figure, **what)
        return [float(value) for value in found[key]] if found is not None else []

    def values(self, figure: str, name: str) -> list[Any]:
        """What a kind of figure was measured for, in the order of measuring."""
        return list(dict.fromkeys(
            found[name] for found in self.all if found["figure"] == figure and name in found
        ))

    def write(self, path: Path, goals: list[dict[str, Any]]) -> None:
        """Keeps everything."""
        whole = {"about": self.about, "goals": goals, "figures": self.all,
                 "failures": [{"part": part, "why": why} for part, why in self.failures]}
        path.write_text(json.dumps(whole, indent=1) + "\n")


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def ratios(above: list[float], below: list[float]) -> list[float]:
    """Round by round."""
    return [a / b for a, b in zip(above, below) if b > 0]


def end(process: "subprocess.Popen[str]", late: threading.Event) -> None:
    """Ends a process whose time is over; it may end its own first."""
    late.set()
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()


def run_part(figures: Figures, name: str, command: list[str], env: dict[str, str],
             limit_s: float) -> None:
    """Runs a part as a process of its own, for so long at most; what it printed is kept."""
    said: list[str] = []
    late = threading.Event()
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, errors="replace") as process:
        timer = threading.Timer(limit_s, end, (process, late))
        timer.start()
        assert process.stdout is not None and process.stderr is not None
        listener = threading.Thread(target=said.extend, args=(process.stderr,))
        listener.start()
        for line in process.stdout:
            if line.strip():
                figures.add(name, line)
        code = process.wait()
        timer.cancel()
        listener.join()
    if late.is_set():
        figures.fail(name, f"it was not through after {limit_s:.0f} s, and was ended")
    elif code != 0:
        told = [line.strip() for line in said if line.strip()]
        figures.fail(name, f"it ended with {code}: {told[-1] if told else 'it said nothing'}")
