#!/bin/sh
# Tools of others that check our attestations: in-toto and securesystemslib, in an environment of the workspace's target
# folder, never the system's. Safe to run twice: what is there is left. Ends with status 75 where they cannot be
# installed; the tests that need them are then skipped.
#
# `--list` installs nothing and prints what is there, one name a line: attesttools, and cosigntool for a cosign that this
# machine has.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${CARGO_TARGET_DIR:-$root/target}/attest-tools
requirements=$root/interop/python/attest-requirements.txt

say() { echo "attest-tools: $*" >&2; }
good() { "$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))" >/dev/null 2>&1; }

if [ "${1:-}" = --list ]; then
    if "$venv/bin/python3" -c "import in_toto, securesystemslib" >/dev/null 2>&1; then echo attesttools; fi
    if cosign version >/dev/null 2>&1; then echo cosigntool; fi
    exit 0
fi

cmp -s "$requirements" "$venv/installed.txt" && exit 0

find_python() {
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if good "$candidate"; then echo "$candidate"; return; fi
    done
}

if [ -z "$(find_python)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "installing python3-venv"
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv; } >&2 || say "apt-get failed"
fi
python=$(find_python)
if [ -z "$python" ]; then
    say "no Python from 3.10 on with its venv module"
    exit 75
fi
say "installing interop/python/attest-requirements.txt into $venv with $python"
rm -rf "$venv"
if "$python" -m venv "$venv" >&2 &&
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2; then
    # Last, so that an installation cut short is begun anew.
    cp "$requirements" "$venv/installed.txt"
else
    rm -rf "$venv"
    exit 75
fi
