#!/usr/bin/env bash
# Run a list of experiments in order of value on a machine that is lent for minutes, and leave what was measured.
#
#   run.sh <list> <minutes> <folder>
#
# The list has one line of overrides a run. Each runs until it is done or the time is over; it is then interrupted, and the
# same command goes on with it next time, where the machine still has its folder runs/. Records and logs are copied to
# <folder> after every run.
set -ufo pipefail  # no file names made of overrides such as [1,2]
[[ $# -eq 3 && -f $1 ]] || { sed -n '4p' "$0" >&2; exit 2; }
list=$1 deadline=$(($(date +%s) + $2 * 60)) folder=$3
python=${PYTHON:-.venv/bin/python}
mkdir -p "$folder"

keep() {  # rows.jsonl of every experiment, as one flat file each
    find results -name rows.jsonl -newer "$folder/started" 2>/dev/null | while read -r rows; do
        cp "$rows" "$folder/$(dirname "${rows#results/}" | tr / .).jsonl"
    done
}

[[ -e $folder/started ]] || touch "$folder/started"
while read -r overrides; do
    [[ -z $overrides || $overrides == \#* ]] && continue
    left=$((deadline - $(date +%s)))
    ((left > ${RESERVE:-10})) || { echo "time is over before: $overrides"; break; }
    echo "$(date +%T) $left s left: $overrides"
    # shellcheck disable=SC2086  # overrides are words
    timeout --signal INT --kill-after 10 $((left - ${RESERVE:-10})) \
        "$python" -m position_interpolation $overrides wandb=disabled </dev/null >>"$folder/log" 2>&1
    code=$?
    keep
    case $code in
    0) echo "$(date +%T) done" ;;
    124 | 137) echo "$(date +%T) interrupted; the same command goes on with it" ;;
    *) echo "$(date +%T) failed with $code: $(tail -n 1 "$folder/log")" ;;
    esac
done <"$list"
