#!/bin/sh
# Builds the builder's program of an earlier commit, in a worktree that is gone afterwards, and prints where it is. It stays in the
# target folder, so that the same commit costs nothing the second time.
#
#   scripts/old-program.sh COMMIT
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
[ $# = 1 ] || { echo "old-program: which commit?" >&2; exit 2; }
commit=$(git -C "$root" rev-parse --short=7 --verify "$1^{commit}")
old=${CARGO_TARGET_DIR:-$root/target}/old
program=$old/$commit/synchronicity-node

if [ ! -x "$program" ]; then
    scratch=$(mktemp -d)
    tree=$scratch/tree
    trap 'git -C "$root" worktree remove --force "$tree" 2>/dev/null || true; rm -rf "$scratch"' EXIT
    echo "old-program: building $commit, which takes as long as it takes" >&2
    git -C "$root" worktree add --quiet --detach "$tree" "$commit" >&2
    # A target folder of its own: programs of two commits have one name, and tests must not find the wrong one.
    (cd "$tree" && CARGO_TARGET_DIR=$old/target cargo build --quiet --locked --workspace --bin synchronicity-node) >&2
    mkdir -p "$old/$commit"
    cp "$old/target/debug/synchronicity-node" "$program.new"
    mv "$program.new" "$program"
fi
echo "$program"
