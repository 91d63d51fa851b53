#!/bin/sh
# Makes a Docker daemon answer on this machine, where that needs only root and Debian's own packages.
# Safe to run twice: with a daemon that answers it does nothing. Ends with status 75 where it may not help.
set -eu

log=${DOCKERD_LOG:-/var/log/synchronicity-dockerd.log}
pid=/var/run/docker.pid

say() { echo "docker-up: $*" >&2; }
answers() { command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; }

if answers; then
    say "a Docker daemon answers"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    say "no Docker daemon answers this user, and only root can start one: use the embedded sandbox, or ask for Docker"
    exit 75
fi

missing=
command -v dockerd >/dev/null 2>&1 || missing="$missing docker.io"
# dockerd sets up its bridge by iptables, which Debian only recommends.
command -v iptables >/dev/null 2>&1 || missing="$missing iptables"
if [ -n "$missing" ]; then
    command -v apt-get >/dev/null 2>&1 || { say "install$missing by your distribution's means"; exit 75; }
    say "installing$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    # The package starts its service only where an init system runs; below, a daemon that runs already is left alone.
    # shellcheck disable=SC2086
    apt-get install -qq -y --no-install-recommends $missing >&2
fi

if ! answers; then
    # A file left by a killed daemon, whose number another process may have by now, would stop the new one.
    if [ -f "$pid" ] && ! { [ -r "/proc/$(cat "$pid")/comm" ] && grep -q dockerd "/proc/$(cat "$pid")/comm"; }; then
        rm -f "$pid"
    fi
    if [ -f "$pid" ]; then
        say "a dockerd is starting or hanging (pid $(cat "$pid")); waiting for it"
    else
        say "starting dockerd; its log is $log"
        setsid dockerd >>"$log" 2>&1 </dev/null &
    fi
fi
waited=0
until answers; do
    [ "$waited" -lt 60 ] || { say "dockerd does not answer after 60 s: see $log"; tail -n 5 "$log" >&2 || true; exit 75; }
    sleep 1
    waited=$((waited + 1))
done
say "a Docker daemon answers after $waited s"
