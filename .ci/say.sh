# say.sh - what the scripts here have in common; sourced, not run

# One line about what happens next. When a script is not at a terminal it
# goes to stderr all the same: stdout is for what a script finds out.
say() {
    printf '==> %s\n' "$*" >&2
}

fail() {
    printf '*** %s\n' "$*" >&2
    exit 1
}
