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

say() { echo "attest-tools: $*" >&2; }
. "$root/scripts/venv.sh"

if [ "${1:-}" = --list ]; then
    if "$venv/bin/python3" -c "import in_toto, securesystemslib" >/dev/null 2>&1; then echo attesttools; fi
    if cosign version >/dev/null 2>&1; then echo cosigntool; fi
    exit 0
fi
install_into "$venv" "$root/interop/python/attest-requirements.txt"
