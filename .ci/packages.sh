#!/usr/bin/env bash
# packages.sh - sees to the system packages
#
#   .ci/packages.sh build     what building and running takes
#   .ci/packages.sh test      that, and what the tests and lints take
#   .ci/packages.sh fuzz      that, and clang with libFuzzer
#
# It looks for the things themselves, so nothing is installed where all is
# there already, by whatever way it came. Missing packages are installed by
# apt when we are root; anybody else is told the command.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/say.sh

missing=()

# need PACKAGE COMMAND...: PACKAGE is missing when COMMAND fails.
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}

# A header of a library, and the library, as the compiler finds them.
links() {
    printf '#include <stdarg.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <setjmp.h>\n#include <%s>\nint main(void) { return 0; }\n' "$1" |
        cc -x c - -o /dev/null -l"$2"
}

new_cmake() {
    local version
    version=$(cmake --version | sed -n 's/^cmake version //p')
    [ "$(printf '%s\n3.25\n' "$version" | sort -V | head -n 1)" = 3.25 ]
}

need gcc command -v gcc
need libc6-dev links stdio.h c
need cmake new_cmake
need ninja-build command -v ninja
need pkg-config command -v pkg-config
need libmicrohttpd-dev links microhttpd.h microhttpd
need libcjson-dev links cjson/cJSON.h cjson
need libzmq3-dev links zmq.h zmq
if ! .ci/find-python.sh newest >/dev/null 2>&1; then
    missing+=(python3 python3-dev python3-venv)
fi
if [ "${1:-build}" != build ]; then
    need libcmocka-dev links cmocka.h cmocka
    # One version everywhere: another has other opinions. Debian 12 and 13
    # both have this one.
    need clang-tidy-19 command -v clang-tidy-19
    need cppcheck command -v cppcheck
    need universal-ctags sh -c 'ctags --version | grep -q Universal'
    need procps command -v ps
fi
if [ "${1:-build}" = fuzz ]; then
    need clang command -v clang
    need libclang-rt-dev sh -c 'echo "int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }" |
        clang -x c - -o /dev/null -fsanitize=fuzzer,address'
fi

[ ${#missing[@]} -gt 0 ] || exit 0

command="apt-get install -y --no-install-recommends ${missing[*]}"
if ! command -v apt-get >/dev/null; then
    fail "this machine lacks (by Debian's names): ${missing[*]}"
elif [ "$(id -u)" != 0 ]; then
    fail "system packages are missing. Type this and try again:
    sudo $command"
fi
say "installing system packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { apt-get -q update && $command; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get failed"
fi
rm -f "$log"
