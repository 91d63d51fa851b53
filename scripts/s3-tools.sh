#!/bin/sh
# A server of the S3 protocol for the tests of `log export`: moto from PyPI, in an environment of the workspace's target
# folder, never the system's. Safe to run twice. Ends with status 75 where it cannot be installed; the tests that need
# it are then skipped. `--list` installs nothing and prints `s3` if it is there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${CARGO_TARGET_DIR:-$root/target}/s3/python
# Of moto's own bundle `server` only what S3 needs: the rest is four times as much.
packages="moto[s3]==5.2.5 flask==3.1.3 flask-cors==6.0.5"

say() { echo "s3-tools: $*" >&2; }

if [ "${1:-}" = --list ]; then
    if "$venv/bin/python3" -c 'import moto.server' >/dev/null 2>&1; then echo s3; fi
    exit 0
fi
[ "$(cat "$venv/installed.txt" 2>/dev/null)" = "$packages" ] && exit 0
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
    say "no Python from 3.10 on with its venv module"
    exit 75
fi
say "installing $packages into $venv"
rm -rf "$venv"
# shellcheck disable=SC2086
if python3 -m venv "$venv" >&2 &&
    "$venv/bin/python3" -m pip install --quiet --disable-pip-version-check $packages >&2 &&
    "$venv/bin/python3" -c 'import moto.server' >&2; then
    # Last, so that an installation cut short is begun anew.
    echo "$packages" >"$venv/installed.txt"
else
    rm -rf "$venv"
    say "the packages cannot be installed"
    exit 75
fi
