#!/bin/sh
# What only tests need, where root on Debian may install it: faketime, which sets one process's clock apart, and diffoscope.
# Safe to run twice. Ends with status 75 where it may not help; the test that needs it is then skipped.
set -eu

missing=
for program in faketime diffoscope; do
    command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "test-tools: missing:$missing; only root on Debian can install that here" >&2
    exit 75
fi
echo "test-tools: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
apt-get install -qq -y --no-install-recommends faketime diffoscope-minimal >&2
