#!/usr/bin/env bash
# Tocsin's reading of Sigma against pySigma's: `make differential`.
#   PAIRS=100000 SEEDS=4,5 JOBS=1 make differential   other sizes (1,000,000 pairs and seeds 1,2,3 without)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly TOOLS=${TOCSIN_TOOLS:-$PWD/.tools}
readonly VENV=$TOOLS/differential
export PYTHONDONTWRITEBYTECODE=1

fail() {
    printf 'differential: %s\n' "$@" >&2
    exit 1
}

# pySigma in an environment of its own, made anew when the versions change.
venv() {
    if cmp --silent differential/requirements.txt "$VENV/requirements.txt"; then return; fi
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || fail "python 3.11 or newer is needed"
    python3 -c 'import ensurepip, venv' 2>/dev/null ||
        fail "python's venv is missing" "install it, on Debian with: apt-get install python3-venv"
    echo "differential: installing pySigma, once, into $VENV" >&2
    python3 -m venv --clear "$VENV"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement differential/requirements.txt
    cp differential/requirements.txt "$VENV/requirements.txt"
}

venv
cargo build --locked --quiet --profile quick --package tocsin
target=$(cargo metadata --format-version 1 --no-deps |
    "$VENV/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
exec "$VENV/bin/python" differential/compare.py "$target/quick/tocsin" --data "${TOCSIN_RECORDINGS:-../shared/data}"
