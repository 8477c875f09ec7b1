#!/usr/bin/env bash
# Carry files to a machine that takes only so much at a time, and put them together there.
#
#   parts.sh split <folder> <MiB> <path>...   here: an archive of the paths, in numbered parts with their fingerprints
#   parts.sh join <folder>                    there: once every part is there, unpack beside each other; else say which lack
set -euo pipefail

split_up() {
    local folder=$1 size=$2
    shift 2
    rm -rf "$folder" && mkdir -p "$folder"
    tar --create --dereference --gzip "$@" | split --bytes "${size}M" --numeric-suffixes --suffix-length 3 - "$folder/part."
    (cd "$folder" && sha256sum part.* >parts.sha256)
    echo "$(ls "$folder" | grep -c '^part\.') parts of at most $size MiB in $folder; parts.sha256 goes with the first"
}

join() {
    local folder=$1
    [[ -f $folder/parts.sha256 ]] || { echo "$folder/parts.sha256 is not there: bring it with the parts" >&2; exit 3; }
    if ! missing=$(cd "$folder" && sha256sum --check --quiet parts.sha256 2>/dev/null); then
        echo "not every part is there and whole yet: $(cut -d: -f1 <<<"$missing" | tr '\n' ' ')" >&2
        exit 3
    fi
    cat "$folder"/part.* | tar --extract --gzip
}

case "${1:-}" in
split) [[ $# -ge 4 ]] && split_up "${@:2}" ;;
join) [[ $# -eq 2 ]] && join "$2" ;;
*) sed -n '2,6p' "$0" >&2 && exit 2 ;;
esac
