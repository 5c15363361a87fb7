#!/usr/bin/env bash
# device.sh - all that wants a GPU, on a machine that has one and little else
#
#   benchmarks/gpu/device.sh [OUT]     build/gpu
#
# Needs python3 (or $PYTHON) with PyTorch and a C compiler; no network, no
# root. scorehost is the one that is installed; or a pack (pack.sh) in
# $GPU_PACK or build/gpu-pack; or it is built here, where CMake and the
# libraries are. Without any of these, what needs it is left out.
#
# It says what the GPU is, checks (check.py) and measures (run.py): about four
# minutes, nine at most. OUT has the tables (gpu.md), every figure (gpu.json),
# what the checks said (check.txt) and the servers' logs. The exit code is that
# of the checks.
#
# REHEARSE=1 does all of it without a GPU; then its figures mean nothing.
set -uo pipefail
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
out=${1:-build/gpu}
pack=${GPU_PACK:-build/gpu-pack}
flags=(${REHEARSE:+--rehearse})
mkdir -p "$out/lib"
out=$(cd "$out" && pwd)

say() { printf '==> %s\n' "$*"; }
has_scorehost() { "$python" -c 'import scorehost._core' 2>"$out/import.txt"; }

# Has $1 found before all else, by Python.
put_first() { export PYTHONPATH=$1${PYTHONPATH:+:$PYTHONPATH}; }

# Takes from the pack those libraries that are missing here, and no others.
link_missing() {
    local core missing name
    core=$(echo "$pack"/site/scorehost/_core*.so)
    export LD_LIBRARY_PATH=$out/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        missing=$(ldd "$core" "$out"/lib/* 2>/dev/null | awk '/not found/ { print $1 }' | sort -u)
        [ -n "$missing" ] || return 0
        for name in $missing; do
            cp "$pack/lib/$name" "$out/lib/" 2>/dev/null || return 1
        done
    done
}

use_pack() {
    [ -d "$pack/site" ] || return 1
    put_first "$(cd "$pack/site" && pwd)"
    link_missing
    has_scorehost
}

build_here() {
    command -v cmake >/dev/null || return 1
    timeout 150 bash -c '
        cmake -S csrc -B "$1/cmake" -DSCO_TESTS=OFF -DSCO_PYTHON=on \
            -DPython_EXECUTABLE="$(command -v "$2")" &&
        cmake --build "$1/cmake" -j "$(nproc)" --target _core
    ' build "$out" "$python" >"$out/build.txt" 2>&1 || return 1
    mkdir -p "$out/site"
    cp -r python/scorehost "$out/site/"
    cp "$out"/cmake/_core*.so "$out/site/scorehost/"
    put_first "$out/site"
    has_scorehost
}

say "$(command -v nvidia-smi >/dev/null || echo no nvidia-smi
       nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -n 1)"
say "$("$python" -c 'import sys, torch; print("Python", sys.version.split()[0], "PyTorch", torch.__version__)' 2>&1 | tail -n 1)"
if has_scorehost; then
    say "scorehost is installed"
elif use_pack; then
    say "scorehost of $pack"
elif build_here; then
    say "scorehost built here"
else
    say "no scorehost: no checks, and no figures end to end ($(tail -n 1 "$out/import.txt"))"
fi

checked=2
if has_scorehost; then
    say "checks"
    timeout 200 "$python" -u benchmarks/gpu/check.py "${flags[@]}" --logs "$out/logs" 2>&1 | tee "$out/check.txt"
    checked=${PIPESTATUS[0]}
fi
say "measurements"
timeout 340 "$python" -u benchmarks/gpu/run.py "${flags[@]}" --out "$out"
say "checks ended with $checked, measurements with $?"
exit "$checked"
