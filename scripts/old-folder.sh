#!/bin/sh
# Packs a node's folder as the program of an earlier commit writes it, for the tests that open such folders
# (crates/synchronicity-node/tests/it/old.rs). Needs what the embedded sandbox needs, and GNU tar. The keys in it are thrown away here:
# nobody ever runs a group with them.
#
#   scripts/old-folder.sh COMMIT SHAPE
#
# SHAPE is what the group, founded by that program, has come to when it is stopped in order:
#   open    four members have reproduced a crate; the fourth is down, and the others have committed to another one: the first
#           member's journal holds a sealed result
#   alone   one member has reproduced a crate
#   over    the same, and then the epoch was ended for new keys; the program was gone from its place, so that the node ended where
#           the next epoch begins
#
# Left out is what the program makes again, and what no later program reads: builds, artifacts, transcripts, proofs, lock and socket.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
case ${2:-} in open) members=4 ;; alone | over) members=1 ;; *) sed -n '2,17s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
shape=$2
commit=$(git -C "$root" rev-parse --verify "$1^{commit}")
short=$(printf %.7s "$commit")
fixtures=$root/crates/synchronicity-rebuild/fixtures
into=$root/crates/synchronicity-node/tests/it/old
shared=${SYNCHRONICITY_SHARED:-${CARGO_TARGET_DIR:-$root/target}/old/shared}
# Two for each member, and nobody else listens there.
port=${SYNCHRONICITY_PORT:-47310}

say() { echo "old-folder: $*" >&2; }
built=$(sh "$root/scripts/old-program.sh" "$commit")
work=$(mktemp -d)
pids=
tidy() {
    for pid in $pids; do kill -TERM "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap tidy EXIT
mkdir -p "$shared" "$into"
# A copy, which `over` takes away.
program=$work/synchronicity-node
cp "$built" "$program"

home() { echo "$work/builder-$1"; }
start() {
    "$program" run --die-with-parent --sandbox embedded --dir "$(home "$1")" --shared "$shared" 2>"$work/trace-$1" &
    eval "pid_$1=$!"
    pids="$pids $!"
}
# Ends a node in order, and waits for that.
stop() { eval "kill -TERM \"\$pid_$1\"; wait \"\$pid_$1\" || true"; }
# The first node's status in one line, without spaces.
status() { "$built" status --json --dir "$(home 1)" 2>/dev/null | tr -d ' \n' || true; }
shows() { status | grep -q "$1"; }
committed() { [ "$(status | grep -o '"committed":true' | wc -l)" -ge "$1" ]; }
over() { [ -f "$(home 1)/epochs/0.tlog-proof" ] && ! [ -e "$(home 1)/operator.sock" ]; }
until_so() {
    what=$1 waited=0
    shift
    until "$@"; do
        [ "$waited" -lt 240 ] || { say "never $what"; cat "$work"/trace-* >&2; exit 1; }
        sleep 1
        waited=$((waited + 1))
    done
}

say "founding a group of $members as $short does"
list=
for member in $(seq "$members"); do
    "$program" init --dir "$(home "$member")" --name "builder-$member" --listen "127.0.0.1:$port" --http "127.0.0.1:$((port + 1))" >/dev/null
    list="$list $(home "$member")/member.toml"
    port=$((port + 2))
done
# shellcheck disable=SC2086 # a list of files without spaces
"$program" group new --origin "test.invalid/old-$short" --threshold $((members / 2 + 1)) --commit-window 60 --reveal-window 20 \
    --out "$work/charter" --member $list >/dev/null
for member in $(seq "$members"); do
    cp "$work/charter/group.toml" "$(home "$member")/"
    install -m 600 "$work/charter/log.key" "$(home "$member")/keys/log.key"
    start "$member"
done
until_so "saw the others" shows "\"peers\":$((members - 1))"
"$program" submit "$fixtures/plain-binary" --dir "$(home 1)" >/dev/null
until_so "published an entry" shows '"published_size":1'
shows '"verdict":"reproduced"' || { say "the verdict is another one: $(status)"; exit 1; }
height=$(status | grep -o '"height":[0-9]*' | head -n 1 | cut -d: -f2)
group=$(status | grep -o '"group":"[0-9a-f]*"' | head -n 1 | cut -d'"' -f4)
case $shape in
open)
    stop 4
    "$program" submit "$fixtures/library-without-lock" --dir "$(home 1)" >/dev/null
    # Four of the first round, and three.
    until_so "committed to the second crate" committed 7
    ;;
over)
    "$program" group rotate --dir "$(home 1)" >/dev/null
    rm "$program"
    "$built" group propose --member "$(home 1)/keys-next/member.toml" --dir "$(home 1)" >/dev/null
    ;;
esac
case $shape in
open) for member in 1 2 3; do stop "$member"; done ;;
alone) stop 1 ;;
over)
    until_so "came to the end of the epoch" over
    wait "$pid_1" || true
    ;;
esac

cd "$(home 1)"
name=$short-$shape
kept=
for item in node.toml member.toml group.toml keys keys-next epochs state.redb chain log; do
    if [ -e "$item" ]; then kept="$kept $item"; fi
done
# shellcheck disable=SC2086
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf - $kept | gzip -9n >"$into/$name.tar.gz"
{
    echo "# What scripts/old-folder.sh $short $shape packed, without:$(ls -A | while read -r item; do
        case " $kept " in *" $item "*) ;; *) printf ' %s' "$item" ;; esac
    done)"
    echo "commit = \"$commit\""
    echo "# After the verdict: group and height."
    echo "group = \"$group\""
    echo "height = $height"
    echo "# At the end: the published checkpoint."
    echo "size = $(sed -n 2p log/checkpoint)"
    echo "root = \"$(sed -n 3p log/checkpoint | base64 -d | od -An -v -tx1 | tr -d ' \n')\""
} >"$into/$name.toml"
say "$name.tar.gz has $(wc -c <"$into/$name.tar.gz") bytes"
cat "$into/$name.toml"
