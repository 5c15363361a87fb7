"""Where the reference comes from: an environment of its own, from PyPI.

``DIFFERENTIAL_REFERENCE`` may name a ready one (its ``azmlinfsrv``); without
it one is made under ``build/`` for the Python that asks, once.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What the recorded answers were taken from.
PINNED = (
    "azureml-inference-server-http==1.5.1",
    "gunicorn==23.0.0",
    "Flask==3.1.3",
    "Werkzeug==3.1.8",
    "flask-cors==6.0.2",
    "pydantic-settings==2.14.1",
    "pydantic~=2.12.0",
    "inference-schema==1.8",
    "setuptools<80",
    "numpy",
    "pandas",
    "scikit-learn",
    "pillow",
)


def minor(python: str = sys.executable) -> str:
    """Give the version of a Python, as "3.11"."""
    if python == sys.executable:
        return f"{sys.version_info[0]}.{sys.version_info[1]}"
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], check=True, text=True,
                          capture_output=True).stdout.strip()


def command(python: str = sys.executable) -> str:
    """Give the reference's program; its environment is made if need be."""
    ready = os.environ.get("DIFFERENTIAL_REFERENCE")
    if ready:
        return ready
    folder = ROOT / "build" / f"reference-{minor(python)}"
    stamp = folder / "complete"
    if not stamp.exists():
        _make(python, folder)
        stamp.write_text("\n".join(PINNED))
    return str(folder / "bin" / "azmlinfsrv")


def _make(python: str, folder: Path) -> None:
    print(f"installing the reference in {folder}", file=sys.stderr)
    subprocess.run([python, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "-q",
           "--disable-pip-version-check", "install"]
    # Older ones fail to resolve these versions.
    subprocess.run([*pip, "pip>=24"], check=True)
    subprocess.run([*pip, *PINNED], check=True)
