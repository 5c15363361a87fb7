"""The C programs, compiled at their first use; the CUDA runtimes that there may be."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ROOT = HERE.parents[1]
CORE = ("csrc/cuda/gpu.c", "csrc/cuda/pinned.c", "csrc/cuda/runtime.c", "csrc/cuda/stage.c",
        "csrc/base/status.c")
PROGRAM = ("bench.c", "copies.c", "completion.c", "pipeline.c")
FLAGS = ("-std=c17", "-D_POSIX_C_SOURCE=200809L", "-O2", "-DNDEBUG", "-fPIC")
LIBRARIES = ("-ldl", "-lpthread", "-lm")


class CannotBuild(Exception):
    """There is no C compiler, or it failed; the text says so."""


def compiler() -> str:
    """The C compiler: $CC, or the first that is there."""
    for name in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    raise CannotBuild("there is no C compiler: set CC")


def compiled(target: Path, sources: list[Path], *flags: str) -> Path:
    """Compiles a program or library, unless it is newer than what it is made of."""
    reads = [*sources, *HERE.glob("*.h"), *(ROOT / "csrc").glob("base/*.h"),
             *(ROOT / "csrc").glob("cuda/*.h")]
    made = target.stat().st_mtime if target.exists() else 0.0
    if made > max(path.stat().st_mtime for path in reads):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [compiler(), *FLAGS, *flags, "-I", str(ROOT / "csrc"), "-I", str(HERE),
               "-o", str(target), *map(str, sources), *LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return target


def program(folder: Path) -> Path:
    """The program that measures copies, batches, completion and the pipeline."""
    sources = [HERE / name for name in PROGRAM] + [ROOT / name for name in CORE]
    return compiled(folder / "bench", sources)


def road(folder: Path) -> Path:
    """The stage as a library for ctypes."""
    sources = [HERE / "road.c", *(ROOT / name for name in CORE)]
    return compiled(folder / "road.so", sources, "-shared")


def clients(folder: Path) -> Path:
    """The clients of the load benchmarks."""
    return compiled(folder / "traffic", [HERE.parent / "load" / "clients" / "traffic.c"])


def runtimes() -> list[str]:
    """The CUDA runtimes that the product would try, in its order."""
    try:
        from scorehost import frameworks
    except ImportError:
        sys.path.append(str(ROOT / "python"))
        from scorehost import frameworks
    return list(frameworks.runtimes())
