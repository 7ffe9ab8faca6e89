#!/usr/bin/env bash
# Tocsin beside rsigma and the limits of the machine; the page is bench/REPORT.md.
#   bench/run.sh [--pairs N]   the real thing: a quarter of an hour on a quiet machine
#   bench/run.sh --quick       small inputs, quick build; the page stays with the generated files
#   bench/run.sh --server …    the server's part of the page only: half an hour, needs wrk
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly RSIGMA_VERSION=0.23.0
readonly TOOLS=${TOCSIN_TOOLS:-$PWD/.tools}
export PYTHONDONTWRITEBYTECODE=1

fail() {
    printf 'bench: %s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The path of an rsigma of the right version, if there is one.
rsigma_path() {
    local path
    for path in "$TOOLS/bin/rsigma" "$(command -v rsigma || true)"; do
        if [[ -x $path && $("$path" --version | head -n 1) == "rsigma $RSIGMA_VERSION" ]]; then
            echo "$path"
            return
        fi
    done
    return 1
}

install_rsigma() {
    echo "bench: building rsigma $RSIGMA_VERSION, once, into $TOOLS" >&2
    cargo install --quiet --locked --root "$TOOLS" --version "$RSIGMA_VERSION" rsigma
}

have python3 || fail "missing: python3" "install it, on Debian with: apt-get install python3"

server=false
if [[ ${1:-} == --server ]]; then
    server=true
    shift
    have wrk || fail "missing: wrk, which presses the servers" "install it, on Debian with: apt-get install wrk"
fi

profile=release
page=bench/REPORT.md
target=$(cargo metadata --format-version 1 --no-deps |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
folder=$target/bench-data/full
for argument in "$@"; do
    if [[ $argument == --quick ]]; then
        profile=quick
        folder=$target/bench-data/quick
        page=$folder/REPORT.md
    fi
done

rsigma_path >/dev/null || install_rsigma
rsigma=$(rsigma_path) || fail "rsigma $RSIGMA_VERSION could not be installed"
cargo build --locked --profile "$profile" --package tocsin # alone, with its own features only
cargo build --locked --profile "$profile" --package tocsin-bench --bins

mkdir -p "$folder"
if $server; then
    python3 bench/server.py --tocsin "$target/$profile/tocsin" --rsigma "$rsigma" --bare "$target/$profile/bare" \
        --latency "$target/$profile/latency" --folder "$folder" --page "$page" "$@"
    echo "bench: the server's part is in $page" >&2
    exit
fi
python3 bench/report.py --tocsin "$target/$profile/tocsin" --limits "$target/$profile/limits" \
    --rsigma "$rsigma" --folder "$folder" --page "$page" "$@"
echo "bench: written to $page" >&2
