#!/bin/sh
# Builds the image in which Docker builds run, from Debian packages alone, and hands it to the Docker daemon.
# Safe to run twice: an image of the same recipe and packages is left as it is. `--force` builds it anew.
# `--with NAME,NAME` adds Debian packages, as the overrides of a group name them. All of its builders need the same image,
# and so the same list: it holds all packages of all overrides, for every crate, and is another image than without.
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

force= with=
while [ $# -gt 0 ]; do
    case $1 in
    --force) force=1 ;;
    --with)
        [ $# -ge 2 ] || { echo "sandbox-image: --with needs a list, as in --with cmake,libclang-dev" >&2; exit 2; }
        # Sorted and each once, so that two spellings of a list give one image.
        with=$(printf '%s\n' "$2" | tr ', ' '\n\n' | sed '/^$/d' | LC_ALL=C sort -u | paste -sd, -)
        case $with in *[!a-z0-9,.+-]*) echo "sandbox-image: not names of packages: $2" >&2; exit 2 ;; esac
        shift
        ;;
    *) echo "sandbox-image: unknown argument $1" >&2; exit 2 ;;
    esac
    shift
done

say() { echo "sandbox-image: $*" >&2; }

docker info >/dev/null 2>&1 || { say "no Docker daemon answers: run scripts/docker-up.sh first"; exit 75; }
if [ -z "$force" ] && have=$(docker image inspect --format '{{index .Config.Labels "synchronicity.with"}}' "$image" 2>/dev/null); then
    # Without a wish the image is taken as it is.
    if [ -z "$with" ] || [ "$have" = "$with" ]; then
        say "$image is there${have:+, with $have}"
        exit 0
    fi
    say "$image was made with other packages (${have:-none added}): it is made anew"
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
    --include="$packages${with:+,$with}" \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='rm -rf "$1"/var/cache/* "$1"/var/log/* "$1"/var/lib/apt/lists/*' \
    --customize-hook='rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/etc/machine-id "$1"/etc/apt/sources.list' \
    "$VERSION_CODENAME" "$work/image.tar" "$work/sources.list" >&2
docker import --change "LABEL synchronicity.recipe=$recipe synchronicity.with=$with" "$work/image.tar" "$image" >/dev/null
say "$image: layer $(docker image inspect --format '{{index .RootFS.Layers 0}}' "$image")"
