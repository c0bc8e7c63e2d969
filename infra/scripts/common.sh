# shellcheck shell=bash
# What the scripts share. Sourced, not run.
set -euo pipefail

WHAT_IF=0

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

say() { printf '%s\n' "$*" >&2; }

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed"
    done
}

# Prints the comment at the top of the calling script.
usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
}

# Runs what changes something; with --what-if it only says so.
change() {
    if [ "$WHAT_IF" = 1 ]; then
        printf 'would run:' >&2
        printf ' %q' "$@" >&2
        printf '\n' >&2
    else
        "$@"
    fi
}

# The SHA-256 of a file. macOS has another command for it.
digest_of() {
    if command -v sha256sum >/dev/null; then
        sha256sum <"$1"
    else
        shasum -a 256 <"$1"
    fi | cut -d ' ' -f 1
}

# The value behind an option, or an end with its name.
value() {
    [ $# -ge 2 ] && [ -n "$2" ] || die "$1 wants a value"
    printf '%s' "$2"
}
