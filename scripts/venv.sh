# To be sourced by scripts that install Python packages for tests: each into an environment of its own in the workspace's target
# folder, never the system's. `say` is the caller's.

# Whether a Python is new enough, and can make environments.
good() { "$1" -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))" >/dev/null 2>&1; }

find_python() {
    for candidate in python3 /usr/bin/python3 python3.13 python3.12 python3.11; do
        if good "$candidate"; then echo "$candidate"; return; fi
    done
}

# install_into ENVIRONMENT REQUIREMENTS: nothing where that is done already; status 75 where it cannot be.
install_into() {
    cmp -s "$2" "$1/installed.txt" && return 0
    if [ -z "$(find_python)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing python3-venv"
        export DEBIAN_FRONTEND=noninteractive
        { apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv; } >&2 || say "apt-get failed"
    fi
    python=$(find_python)
    if [ -z "$python" ]; then
        say "no Python from 3.10 on with its venv module"
        return 75
    fi
    say "installing $2 into $1 with $python"
    rm -rf "$1"
    if "$python" -m venv "$1" >&2 && "$1/bin/python3" -m pip install --quiet --disable-pip-version-check -r "$2" >&2; then
        # Last, so that an installation cut short is begun anew.
        cp "$2" "$1/installed.txt"
    else
        rm -rf "$1"
        say "the packages cannot be installed"
        return 75
    fi
}
