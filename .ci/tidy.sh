#!/usr/bin/env bash
# tidy.sh - clang-tidy over the C files, the changed ones alone
#
#   .ci/tidy.sh CLANG-TIDY BUILD FILE...    BUILD: where compile_commands.json is
#
# A file that passed is not looked at again until it, any header, or
# .clang-tidy changes.
set -euo pipefail
cd "$(dirname "$0")/.."

tidy=$1 build=$2
shift 2
passed=build/tidy
mkdir -p "$passed"
common=$(cat .clang-tidy tests/unit/.clang-tidy $(find csrc tests/unit -name '*.h' -o -name '*.def' | sort) | sha256sum | cut -c1-16)

todo=()
for file in "$@"; do
    # What no preset compiles (a module without its library) has no command.
    grep -q "\"file\": \".*/$file\"" "$build/compile_commands.json" || continue
    stamp=$passed/$(sha256sum "$file" | cut -c1-16)-$common
    [ -e "$stamp" ] || todo+=("$file" "$stamp")
done
[ ${#todo[@]} -gt 0 ] || exit 0

one() {
    local out
    if out=$("$1" --quiet -p "$2" "$3" 2>&1); then
        touch "$4"
    else
        printf '%s\n' "$out" | grep -v ' warnings\? generated\.$'
        return 1
    fi
}
export -f one
printf '%s\n' "${todo[@]}" |
    xargs -n 2 -P "$(nproc)" bash -c 'one "$0" "$1" "$2" "$3"' "$tidy" "$build"
