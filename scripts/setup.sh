#!/usr/bin/env bash
# Sees to it that what the build needs is there.
#   scripts/setup.sh         for building
#   scripts/setup.sh tests   for the tests as well: rustfmt, clippy, cargo-deny
# As root on Debian it installs what is missing; otherwise it says what to install and ends with 1.
set -euo pipefail

readonly CARGO_MIN=1.95
readonly CARGO_DENY_VERSION=0.20.2
readonly TOOLS=${TOCSIN_TOOLS:-$(cd "$(dirname "$0")/.." && pwd)/.tools}

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

packages() {
    local missing=()
    have cc || missing+=(build-essential)
    have git || missing+=(git)
    if ((${#missing[@]} == 0)); then return; fi
    if [[ $(id -u) != 0 ]] || ! have apt-get; then
        fail "missing: ${missing[*]}" "install it, on Debian with: sudo apt-get install ${missing[*]}"
    fi
    echo "setup: installing ${missing[*]}" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update
    apt-get -qq install --no-install-recommends -y "${missing[@]}" >/dev/null
}

# What a test can do without, and says so.
wanted() {
    if have strace || [[ $(id -u) != 0 ]] || ! have apt-get; then return; fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq install --no-install-recommends -y strace >/dev/null || echo "setup: no strace" >&2
}

rust() {
    have cargo || fail "missing: cargo" "install Rust $CARGO_MIN or newer from https://rustup.rs"
    local version
    version=$(cargo --version | cut -d' ' -f2)
    if [[ $(printf '%s\n' "$CARGO_MIN" "$version" | sort -V | head -n 1) != "$CARGO_MIN" ]]; then
        fail "cargo $version is too old: $CARGO_MIN or newer is needed" "with rustup: rustup update stable"
    fi
}

# component COMMAND NAME: a part of the Rust toolchain that some installations leave out.
component() {
    if cargo "$1" --version >/dev/null 2>&1; then return; fi
    if [[ $(id -u) == 0 ]] && have rustup && rustup component add "$2"; then return; fi
    fail "missing: cargo $1" "with rustup: rustup component add $2"
}

cargo_deny() {
    if PATH=$TOOLS/bin:$PATH cargo deny --version >/dev/null 2>&1; then return; fi
    echo "setup: building cargo-deny $CARGO_DENY_VERSION, once, into $TOOLS" >&2
    cargo install --quiet --locked --root "$TOOLS" cargo-deny@"$CARGO_DENY_VERSION"
}

packages
rust
if [[ ${1:-} == tests ]]; then
    component fmt rustfmt
    component clippy clippy
    cargo_deny
    wanted
fi
