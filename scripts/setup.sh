#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Set up spiceprop on a bare Debian 12+ or Ubuntu 24.04+: ngspice and its library, a virtual environment
# in .venv, and the packages of constraints.txt; where they can be had, also a C compiler and, on Debian 12, a newer
# ngspice (newer_ngspice.sh). `make setup` calls it; to call it twice does no harm.
#
# System packages are installed when this runs as root. Otherwise those missing are named in one command
# to run first: asking for a password in the middle of a build helps nobody.
#
# PYTHON  the interpreter to make .venv with; by default the first of python3, python3.14 .. python3.11 that
#         is recent enough. A .venv that works already is kept.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
version_of() {
    "$1" -c 'import platform; print(platform.python_version())' 2>/dev/null || echo 'not one that runs here'
}
# Debian splits ensurepip off into python3.X-venv; without it venv makes environments that have no pip.
can_make_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
venv_package() { "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; }
# A .venv cut short, or made with a Python that is gone since, does not work.
venv_works() { is_recent .venv/bin/python && .venv/bin/python -c 'import pip' 2>/dev/null; }
# ldconfig lies in /sbin, often not on the path of a user other than root. grep reads to the end: with -q it
# would stop ldconfig by a broken pipe, which pipefail takes for "not found".
has_libngspice() { PATH="$PATH:/usr/sbin:/sbin" ldconfig -p | grep 'libngspice\.so' >/dev/null; }

# Debian's gcc only recommends libc6-dev, without which no program can be linked.
has_c_compiler() (
    scratch=$(mktemp -d)
    trap 'rm -r "$scratch"' EXIT
    echo '#include <math.h>' | cc -x c -shared -fPIC -o "$scratch/one.so" - 2>/dev/null
)

# Sets `python` to an interpreter that is recent enough, or to nothing where there is none at all.
choose_python() {
    local candidate candidates=(python3 python3.14 python3.13 python3.12 python3.11)
    [ -z "${PYTHON:-}" ] || candidates=("$PYTHON")
    python=
    for candidate in "${candidates[@]}"; do
        if is_recent "$candidate"; then
            python=$candidate
            return
        fi
    done
    # One that is there and too old is the user's to replace; apt would install no newer one.
    if [ -n "${PYTHON:-}" ] || command -v python3 >/dev/null; then
        fail "Python 3.11 or newer is needed; ${candidates[0]} is $(version_of "${candidates[0]}")." \
            "Name a newer one: make setup PYTHON=/path/to/python3"
    fi
}

# The command that installs the Debian packages named.
installation_of() { printf 'apt-get update && apt-get install -y --no-install-recommends %s' "$*"; }
apt_install() {
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive sh -c "$(installation_of "$@")" >&2
}

# Installs the Debian packages named, or says how and stops.
install_needed() {
    if ! command -v apt-get >/dev/null; then
        fail "missing: $*. There is no apt-get here: install what these Debian packages hold," \
            "then run make again"
    fi
    if [ "$(id -u)" -ne 0 ]; then
        fail "missing: $*. Run this, then make again:"$'\n\n'"    sudo sh -c '$(installation_of "$@")'"$'\n'
    fi
    apt_install "$@"
}

# A C compiler is wanted and not needed.
install_c_compiler() {
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && apt_install gcc libc6-dev; then return; fi
    say "there is no C compiler that works: kernels run in torch, several times slower, and neurons are not compiled;" \
        "all else works. To have one: sudo sh -c '$(installation_of gcc libc6-dev)'"
}

missing=()
if ! venv_works; then
    choose_python
    if [ -z "$python" ]; then
        missing+=(python3 python3-venv)
    elif ! can_make_venv "$python"; then
        missing+=("$(venv_package "$python")")
    fi
fi
command -v ngspice >/dev/null || missing+=(ngspice)
has_libngspice || missing+=(libngspice0)
[ "${#missing[@]}" -eq 0 ] || install_needed "${missing[@]}"
has_c_compiler || install_c_compiler
bash scripts/newer_ngspice.sh

if ! venv_works; then
    choose_python
    can_make_venv "$python" || fail "$python lacks the modules venv and ensurepip, which make .venv"
    say "making .venv with Python $(version_of "$python")"
    "$python" -m venv --clear .venv
fi

say "installing the packages of constraints.txt (the first time takes minutes)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' >&2
say "ready"
