#!/bin/sh
# schemathesis, which asks our API for all that its document says may be asked, and holds the answers against the document: in an
# environment of the workspace's target folder, never the system's. Safe to run twice: what is there is left. Ends with status 75
# where it cannot be installed; the test that needs it is then skipped.
#
# `--list` installs nothing and prints `schemathesis` if it is there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=${CARGO_TARGET_DIR:-$root/target}/api-tools

say() { echo "api-tools: $*" >&2; }
. "$root/scripts/venv.sh"

if [ "${1:-}" = --list ]; then
    if "$venv/bin/python3" -c "import schemathesis" >/dev/null 2>&1; then echo schemathesis; fi
    exit 0
fi
install_into "$venv" "$root/interop/python/api-requirements.txt"
