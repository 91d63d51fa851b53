#!/bin/sh
# A live group goes over from the program of an earlier commit to that of this checkout: four nodes on this machine, one after the
# other, with verdicts and a change of members meanwhile. Takes some minutes, and as long as the commit takes to build.
#
#   scripts/rolling-upgrade.sh [COMMIT]
#
# Without a commit it is the oldest one whose nodes can be in one group with those of this checkout, and whose state.redb has their
# schema, so that a node can go back.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
SYNCHRONICITY_EARLIER_PROGRAM=$(sh "$root/scripts/old-program.sh" "${1:-7fb21b7}")
export SYNCHRONICITY_EARLIER_PROGRAM
cd "$root"
# A machine without the sandbox fails, and is not passed over.
SYNCHRONICITY_REQUIRE=embedded
export SYNCHRONICITY_REQUIRE
# Of the whole workspace, as ./test compiles it: nothing is built twice.
exec cargo test --quiet --workspace --locked --test e2e -- --exact a_live_group_goes_over_to_this_program_node_by_node --nocapture
