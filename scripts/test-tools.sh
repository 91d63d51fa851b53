#!/bin/sh
# What only tests need, where root on Debian may install it: faketime, which sets one process's clock apart.
# Safe to run twice. Ends with status 75 where it may not help; the test that needs it is then skipped.
set -eu

command -v faketime >/dev/null 2>&1 && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "test-tools: faketime is missing, and only root on Debian can install it here" >&2
    exit 75
fi
echo "test-tools: installing faketime" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
apt-get install -qq -y --no-install-recommends faketime >&2
