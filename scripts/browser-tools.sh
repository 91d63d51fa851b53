#!/bin/sh
# A browser for tests of the pages: Debian's Chromium and its driver, where root on Debian may install them; and axe-core, which checks
# landmarks and contrast within it, in a folder of the workspace's target folder. Safe to run twice: what is there is left. Ends with
# status 75 where something cannot be installed; the tests that need it are then skipped.
#
# `--list` installs nothing and prints what is there, one name a line: browser, axe.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
folder=${CARGO_TARGET_DIR:-$root/target}/browser-tools
axe=$folder/node_modules/axe-core/axe.min.js
version=4.14.1

say() { echo "browser-tools: $*" >&2; }
has_browser() { command -v chromium >/dev/null 2>&1 && command -v chromedriver >/dev/null 2>&1; }

if [ "${1:-}" = --list ]; then
    if has_browser; then echo browser; fi
    if [ -f "$axe" ]; then echo axe; fi
    exit 0
fi

missing=0
if ! has_browser; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing chromium and chromium-driver"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium chromium-driver fonts-dejavu-core; } >&2 ||
            say "apt-get failed"
    fi
    has_browser || { say "no chromium with chromedriver; only root on Debian can install them here"; missing=75; }
fi
if [ ! -f "$axe" ]; then
    if command -v npm >/dev/null 2>&1; then
        say "installing axe-core $version into $folder"
        mkdir -p "$folder"
        npm install --prefix "$folder" --no-save --ignore-scripts --no-audit --no-fund --silent "axe-core@$version" >&2 ||
            say "npm failed"
    fi
    [ -f "$axe" ] || { say "no axe-core; it needs npm"; missing=75; }
fi
exit "$missing"
