#!/usr/bin/env bash
# How fast Tocsin is, alone, beside other engines and as a server; the page is bench/REPORT.md.
#   bench/run.sh [--pairs N]     alone, then beside the engines: 45 minutes on a quiet machine
#   bench/run.sh --peers …       beside the engines only: 40 minutes; `--only ROW` (repeatable) for some rows
#   bench/run.sh --server …      the server's part of the page only: half an hour, needs wrk
#   bench/run.sh --profile …     instructions an event, by stage and by file, with callgrind
#   --small                      small inputs; the page stays with the generated files
#   --quick                      the same with a quick build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export TOCSIN_TOOLS=${TOCSIN_TOOLS:-$PWD/.tools}
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=bench

fail() {
    printf 'bench: %s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

have python3 || fail "missing: python3" "install it, on Debian with: apt-get install python3"

parts=(alone peers)
if [[ ${1:-} =~ ^--(server|peers|profile)$ ]]; then
    parts=("${1#--}")
    shift
fi

profile=release page=bench/REPORT.md size=full
passed=()
for argument in "$@"; do
    if [[ $argument == --quick ]]; then
        profile=quick argument=--small
    fi
    if [[ $argument == --small ]]; then size=small; fi
    passed+=("$argument")
done
target=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
folder=$target/bench-data/$size
if [[ $size == small ]]; then page=$folder/REPORT.md; fi
mkdir -p "$folder"

cargo build --locked --profile "$profile" --package tocsin # alone, with its own features only
cargo build --locked --profile "$profile" --package tocsin-bench --bins
built=$target/$profile
common=(--folder "$folder" --page "$page" --tocsin "$built/tocsin")

for part in "${parts[@]}"; do
    case $part in
    alone)
        python3 bench/report.py "${common[@]}" "${passed[@]}"
        ;;
    peers)
        have wrk || echo "bench: no wrk (Debian: apt-get install wrk): the row over HTTP will fail" >&2
        bench/peers/install.sh >"$folder/engines"
        python3 -m peers "${common[@]}" --limits "$built/limits" --engines "$folder/engines" "${passed[@]}"
        ;;
    profile)
        python3 bench/profile.py "${common[@]}" --folder "$target/bench-data/profile" "${passed[@]}"
        ;;
    server)
        have wrk || fail "missing: wrk, which presses the servers" "install it, on Debian with: apt-get install wrk"
        bench/peers/install.sh rsigma >"$folder/engines"
        rsigma=$(cut -f 2 "$folder/engines")
        [[ $rsigma != - ]] || fail "$(cut -f 3 "$folder/engines")"
        python3 bench/server.py "${common[@]}" --rsigma "$rsigma" --bare "$built/bare" --latency "$built/latency" \
            "${passed[@]}"
        ;;
    esac
done
echo "bench: written to $page" >&2
