#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Debian 12 has ngspice 39, which has neither OSDI (compiled devices) nor KLU. This puts the newer one of
# bookworm-backports into the folder .ngspice, where spiceprop/engines/libraries.py looks first. Nothing outside
# that folder changes, and root is not needed: apt downloads with lists and a cache of its own, from the mirrors
# of the system's own sources. scripts/setup.sh calls it; where it is not needed or fails, everything works
# with the system's ngspice.
#
# The packaged spinit is left out: it loads code models from /usr/lib, those of another version, and ngspice then
# crashes when it ends.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

WITH_OSDI=44
PLACE=.ngspice

say() { printf 'setup: %s\n' "$*" >&2; }
version_of() { "$@" --version </dev/null 2>/dev/null | sed -n 's/^\** *ngspice-\([0-9]*\).*/\1/p' | head -n 1; }
is_bookworm() { [ -r /etc/os-release ] && (. /etc/os-release && [ "${ID:-} ${VERSION_ID:-}" = 'debian 12' ]); }

# The system's own entries for the suite bookworm, with bookworm-backports in its place. What else stands in an entry
# stays: mirror, key, components. Entries of other archives with a suite of that name do no harm.
write_sources() {
    mkdir "$1"
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -nE 's/^[[:space:]]*(deb[[:space:]]+(\[[^]]*\][[:space:]]*)?[^[:space:]]+[[:space:]]+)bookworm([[:space:]])/\1bookworm-backports\3/p' \
            >"$1/lines.list" || true
    local file
    for file in /etc/apt/sources.list.d/*.sources; do
        [ ! -r "$file" ] || { grep -v '^#' "$file" && echo; } || true
    done | awk -v RS= -v ORS='\n\n' '
        tolower($0) ~ /(^|\n)enabled:[ \t]*(no|false|0|off)/ { next }
        sub(/(^|\n)Suites:[^\n]*[ \t]bookworm([ \t][^\n]*)?(\n|$)/, "\nSuites: bookworm-backports\n") {
            sub(/^\n/, ""); sub(/\n$/, ""); print
        }' >"$1/stanzas.sources"
    [ -s "$1/lines.list" ] || [ -s "$1/stanzas.sources" ]
}

# Packages into the current folder. A mirror that has no such suite makes `update` fail although others have it.
download() {
    local options=(-q -t bookworm-backports -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$PWD/sources"
        -o "Dir::State::Lists=$PWD/lists" -o "Dir::Cache=$PWD/cache")
    mkdir -p lists/partial cache/archives/partial
    timeout 300 apt-get "${options[@]}" update </dev/null || true
    timeout 300 apt-get "${options[@]}" download "$@" </dev/null
}

# From the packages in folder $1 to the folder $2: program, library, and a spinit that does nothing.
unpack() {
    local package
    for package in "$1"/*.deb; do dpkg -x "$package" "$1/root"; done
    mkdir -p "$2/bin" "$2/lib" "$2/share/scripts"
    mv "$1"/root/usr/bin/ngspice "$2/bin/"
    mv "$1"/root/usr/lib/*/libngspice.so.0* "$2/lib/"
    echo '* Empty: the packaged one loads the code models of another version.' >"$2/share/scripts/spinit"
}

# A function that is a condition is not stopped by its first failure, hence all the &&.
provide() {
    write_sources "$scratch/sources" && (cd "$scratch" && download ngspice libngspice0) &&
        unpack "$scratch" "$scratch/new" &&
        version=$(version_of env "SPICE_LIB_DIR=$scratch/new/share" "$scratch/new/bin/ngspice") &&
        [ "${version:-0}" -ge "$WITH_OSDI" ] && mv "$scratch/new" "$PLACE"
}

[ ! -d "$PLACE" ] || exit 0
version=$(version_of ngspice || true)
[ "${version:-0}" -lt "$WITH_OSDI" ] || exit 0
if ! is_bookworm; then
    say "ngspice ${version:-of this system} has no OSDI, so neurons are not compiled and networks simulate more slowly;" \
        "all else works. ngspice $WITH_OSDI or newer has it: NGSPICE_LIBRARY_PATH may name its library"
    exit 0
fi

scratch=$(mktemp -d "$PWD/$PLACE.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
say "getting a newer ngspice than ${version:-none} from bookworm-backports, for this folder only"
if provide >"$scratch/log" 2>&1; then
    say "ngspice $version is in $PLACE"
else
    tail -n 5 "$scratch/log" >&2
    say "no ngspice of bookworm-backports could be had, so ngspice $(version_of ngspice) is used: it has no OSDI," \
        "neurons are not compiled and networks simulate more slowly; all else works. To try again:" \
        "bash scripts/newer_ngspice.sh"
fi
