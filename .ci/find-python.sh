#!/usr/bin/env bash
# find-python.sh - which CPythons of this machine can build and run scorehost
#
#   .ci/find-python.sh newest     the path of the newest one
#   .ci/find-python.sh all        "3.13 PATH" a line, one for each 3.x, newest first
#   .ci/find-python.sh named N    the path of N, a path or a name like python3.10
#
# A candidate counts when it runs: a version manager's shim on PATH may not.
# It must be CPython 3.10 to 3.15 with its lock (GIL), its headers, and venv.
# The version manager's own folder is looked into as well.
set -euo pipefail
. "$(dirname "$0")/say.sh"

# Prints "VERSION PATH", or what is missing and fails.
probe='
import importlib.util, os, platform, sys, sysconfig
version = sys.version_info[:2]
def no(why):
    print(why)
    sys.exit(1)
if platform.python_implementation() != "CPython":
    no("is not CPython")
if not (3, 10) <= version <= (3, 15):
    no("is %d.%d; 3.10 to 3.15 will do" % version)
if sysconfig.get_config_var("Py_GIL_DISABLED"):
    no("is a free-threaded build")
include = sysconfig.get_path("include")
if not os.path.exists(os.path.join(include, "Python.h")):
    no("has no Python.h (Debian: python%d.%d-dev)" % version)
for name in "venv", "ensurepip":
    if importlib.util.find_spec(name) is None:
        no("has no module %s (Debian: python%d.%d-venv)" % ((name,) + version))
print("%d.%d %s" % (version + (sys.executable,)))
'

candidates() {
    local minor folder
    for minor in 15 14 13 12 11 10; do
        type -aP "python3.$minor" || true
        for folder in "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin; do
            [ ! -x "$folder/python3.$minor" ] || echo "$folder/python3.$minor"
        done
    done
    type -aP python3 || true
}

all() {
    local candidate seen=" " found
    while read -r candidate; do
        found=$("$candidate" -c "$probe" 2>/dev/null) || continue
        case $seen in *" ${found%% *} "*) continue ;; esac
        seen="$seen${found%% *} "
        echo "$found"
    done < <(candidates) | sort -t. -k2,2nr
}

case ${1:-newest} in
newest)
    found=$(all)
    [ -n "$found" ] || fail "no CPython 3.10 to 3.15 with headers and venv here"
    head -n 1 <<<"$found" | cut -d' ' -f2-
    ;;
all) all ;;
named)
    if why=$("$2" -c "$probe" 2>/dev/null); then
        echo "${why#* }"
    elif found=$(all | sed -n "s/^${2#python} //p") && [ -n "$found" ]; then
        echo "$found"
    else
        fail "$2 ${why:-does not run}"
    fi
    ;;
*) fail "usage: $0 newest|all|named PYTHON" ;;
esac
