"""The peers' environments and the floors' programs, made on demand.

Both stand in a cache folder under a name that holds a digest of what they
were made from, so a changed list of requirements makes a new one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CFLAGS = ["-std=c17", "-D_POSIX_C_SOURCE=200809L", "-O2", "-Wall", "-Wextra"]


def cache_folder() -> Path:
    """SCOREHOST_BENCH_CACHE, or a folder of ours in the user's cache."""
    named = os.environ.get("SCOREHOST_BENCH_CACHE")
    folder = Path(named) if named else Path.home() / ".cache" / "scorehost-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def say(text: str) -> None:
    """A line for whoever waits, on stderr: stdout is for the result."""
    print(text, file=sys.stderr, flush=True)


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def python_version(python: str) -> str:
    """As in `3.11.7`."""
    code = "import platform; print(platform.python_version())"
    return subprocess.run(
        [python, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def venv(cache: Path, name: str, requirements: Path, python: str) -> Path:
    """The folder of an environment that holds these requirements."""
    version = python_version(python)
    texts = [path.read_bytes() for path in sorted(requirements.parent.glob("*.txt"))]
    folder = cache / f"{name}-{version}-{_digest(*texts)}"
    if (folder / "complete").exists():
        return folder
    say(f"making {folder} from {requirements.name} (once)")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "-r", str(requirements)],
        check=True,
        stdout=sys.stderr,
    )
    (folder / "complete").touch()
    return folder


def program(cache: Path, source: Path, libraries: list[str]) -> Path:
    """A floor, compiled."""
    compiler = os.environ.get("CC", "cc")
    target = cache / f"{source.stem}-{_digest(source.read_bytes(), compiler.encode())}"
    if not target.exists():
        say(f"compiling {source.name}")
        unfinished = target.with_suffix(".new")
        subprocess.run(
            [compiler, *CFLAGS, "-o", str(unfinished), str(source), *libraries], check=True
        )
        unfinished.rename(target)
    return target


def packages(folder: Path) -> dict[str, str]:
    """Name and version of what an environment holds."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "freeze", "--all"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pairs = [line.split("==", 1) for line in lines.splitlines() if "==" in line]
    return {name: version for name, version in pairs}
