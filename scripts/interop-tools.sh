#!/bin/sh
# Tools of others with which tests read our log: Go and its transparency log library from Debian, and Python packages
# in an environment of the workspace's target folder, never the system's; and vectors, from a crate's package. Safe to run
# twice: what is there is left.
# Ends with status 75 where something is missing and may not be installed; the tests that need it are then skipped.
#
# `--list` installs nothing and prints what is there, one name a line: go, python, python-aics, vectors.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
venv=$target/interop/python
requirements=$root/interop/python/requirements.txt
vectors=$target/interop/vectors
lock=$root/interop/vectors/Cargo.lock

say() { echo "interop-tools: $*" >&2; }
has_go() { command -v go >/dev/null 2>&1 && [ -d /usr/share/gocode/src/golang.org/x/mod/sumdb/tlog ]; }
imports() { [ -x "$venv/bin/python3" ] && "$venv/bin/python3" -c "import $1" >/dev/null 2>&1; }
newer_than() { "$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, $2))" >/dev/null 2>&1; }
is_debian_root() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; }

if [ "${1:-}" = --list ]; then
    if has_go; then echo go; fi
    if imports "tlog_scales, pymerkle"; then echo python; fi
    if imports aics_tlog; then echo python-aics; fi
    if [ -f "$vectors/Cargo.lock" ]; then echo vectors; fi
    exit 0
fi

# A Python for which all packages exist (3.12), or one for which all but one do (3.11).
find_python() {
    for minor in 12 11; do
        for candidate in python3.14 python3.13 python3.12 python3 /usr/bin/python3 \
            "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3; do
            if newer_than "$candidate" "$minor"; then echo "$candidate"; return; fi
        done
    done
}

missing=
has_go || missing="$missing golang-go golang-golang-x-mod-dev"
[ -n "$(find_python)" ] || missing="$missing python3-venv"
if [ -n "$missing" ] && is_debian_root; then
    say "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing; } >&2 || say "apt-get failed"
fi

failed=
has_go || { say "Go or golang.org/x/mod is missing; on Debian root installs golang-go golang-golang-x-mod-dev"; failed=1; }
python=$(find_python)
if [ -z "$python" ]; then
    say "no Python from 3.11 on with its venv module"
    failed=1
elif ! cmp -s "$requirements" "$venv/installed.txt"; then
    say "installing interop/python/requirements.txt into $venv with $python"
    rm -rf "$venv"
    if "$python" -m venv "$venv" >&2 &&
        "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2; then
        # Last, so that an installation cut short is begun anew.
        cp "$requirements" "$venv/installed.txt"
    else
        rm -rf "$venv"
        failed=1
    fi
fi
if ! cmp -s "$lock" "$vectors/Cargo.lock"; then
    say "unpacking what interop/vectors/Cargo.lock names into $vectors"
    rm -rf "$vectors"
    if cargo vendor --quiet --locked --manifest-path "$root/interop/vectors/Cargo.toml" "$vectors" >/dev/null; then
        cp "$lock" "$vectors/Cargo.lock"
    else
        rm -rf "$vectors"
        failed=1
    fi
fi
[ -z "$failed" ] || exit 75
imports aics_tlog || say "aics-tlog is left out: it wants Python 3.12"
