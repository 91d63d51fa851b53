#!/bin/sh
# Builds the image in which Docker builds run, from Debian packages alone, and hands it to the Docker daemon.
# Safe to run twice: an image of the same recipe is left as it is. `--force` builds it anew.
#
# The packages come from the mirrors that apt on this machine is configured with. Two runs over the same package
# versions give the same layer: fixed order, fixed times, no logs, no caches. A request pins that layer's digest.
set -eu

# Raise it with every change below that should replace images built before.
recipe=1
image=${SYNCHRONICITY_IMAGE:-synchronicity-sandbox:$recipe}
# Noon, 1 October 2026: any fixed moment serves.
SOURCE_DATE_EPOCH=1790856000
export SOURCE_DATE_EPOCH
# C and C++ toolchains, and the libraries that build scripts of widespread crates look for.
packages=ca-certificates,cmake,g++,gcc,libc6-dev,libsqlite3-dev,libssl-dev,make,perl,pkg-config,zlib1g-dev

say() { echo "sandbox-image: $*" >&2; }

docker info >/dev/null 2>&1 || { say "no Docker daemon answers: run scripts/docker-up.sh first"; exit 75; }
if [ "${1:-}" != --force ] && docker image inspect "$image" >/dev/null 2>&1; then
    say "$image is there"
    exit 0
fi
if ! command -v mmdebstrap >/dev/null 2>&1; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || { say "install mmdebstrap (Debian) first"; exit 75; }
    say "installing mmdebstrap"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -qq -y --no-install-recommends mmdebstrap >&2
fi

. /etc/os-release
[ "${ID:-}" = debian ] || { say "apt here is configured for ${ID:-an unknown system}; the image needs Debian's mirrors"; exit 75; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

# Third-party repositories of this machine stay out. Field 3 ends in the suite: .../dists/SUITE/
mirrors=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(BASE_URI) $(COMPONENT)' 'Identifier: Packages' |
    awk -v suite="$VERSION_CODENAME" '
        $1 == "Debian" && $4 == "main" {
            sub("/$", "", $3); sub(".*/dists/", "", $3)
            if ($3 == suite || $3 == suite "-updates" || $3 == suite "-security") print "deb " $2 " " $3 " main"
        }' | sort -u)
[ -n "$mirrors" ] || { say "apt knows no Debian mirror for $VERSION_CODENAME: run apt-get update"; exit 75; }
printf '%s\n' "$mirrors" >"$work/sources.list"

say "building $image from Debian $VERSION_CODENAME; this takes about a minute"
# The hooks remove what differs between two runs or serves no build.
mmdebstrap --quiet --variant=minbase --format=tar \
    --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -rf "$1"/var/cache/* "$1"/var/log/* "$1"/var/lib/apt/lists/*' \
    --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/machine-id "$1"/etc/apt/sources.list' \
    "$VERSION_CODENAME" "$work/image.tar" "$work/sources.list" >&2
docker import --change "LABEL synchronicity.recipe=$recipe" "$work/image.tar" "$image" >/dev/null
say "$image: layer $(docker image inspect --format '{{index .RootFS.Layers 0}}' "$image")"
