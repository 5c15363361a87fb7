#!/usr/bin/env bash
# venv.sh - a virtual environment with scorehost's Python packages in it
#
#   .ci/venv.sh VENV PYTHON EXTRA...
#
# PYTHON: a path, a name like python3.10, or "newest". EXTRA: extras of
# pyproject.toml. The environment is made anew when it is another Python's.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/say.sh

venv=$1
if [ "$2" = newest ]; then
    python=$(.ci/find-python.sh newest)
else
    python=$(.ci/find-python.sh named "$2")
fi
shift 2
version=$("$python" -c 'import platform; print(platform.python_version())')
if [ "$("$venv/bin/python" -c 'import platform; print(platform.python_version())' 2>/dev/null)" != "$version" ]; then
    say "making $venv with CPython $version ($python)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
pip=("$venv/bin/python" -m pip --disable-pip-version-check -q)
mapfile -t packages < <("$venv/bin/python" .ci/requirements.py "$@")
say "installing from PyPI: ${packages[*]}"
"${pip[@]}" install "${packages[@]}"
