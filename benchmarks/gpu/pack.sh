#!/usr/bin/env bash
# pack.sh - scorehost for a machine that can fetch and install nothing
#
#   benchmarks/gpu/pack.sh [PYTHON] [FOLDER]     python3, build/gpu-pack
#
# Builds it for this PYTHON, whose version the other machine's must have (3.12
# and 3.12), and puts it into a folder with what it needs of Python's packages
# and of the system's libraries. device.sh takes it from there. The other
# machine needs the same kind of processor, and a C library that is not older.
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${1:-python3}
pack=${2:-build/gpu-pack}
rm -rf "$pack"
mkdir -p "$pack/lib"
"$python" -m pip --disable-pip-version-check -q install --target "$pack/site" .
core=$(echo "$pack"/site/scorehost/_core*.so)
ldd "$core" | awk '$3 ~ /^\// && $1 !~ /^lib(c|m|dl|pthread|rt)\.so/ { print $1, $3 }' |
    while read -r name path; do cp -L "$path" "$pack/lib/$name"; done
find "$pack" -name __pycache__ -prune -exec rm -rf {} +
du -sh "$pack"
