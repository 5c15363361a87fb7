"""A CUDA runtime without a GPU: fake_cudart.c, compiled."""

import subprocess
from pathlib import Path


def build(folder: Path) -> str:
    """Compiles it into a folder, and returns the library's path."""
    library = folder / "libfake_cudart.so"
    source = Path(__file__).with_name("fake_cudart.c")
    subprocess.run(
        ["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", library, source,
         "-lpthread"],
        check=True,
    )
    return str(library)
