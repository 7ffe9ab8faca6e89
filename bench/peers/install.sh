#!/usr/bin/env bash
# Installs the engines Tocsin is held against, each once, from crates.io and PyPI, into the tools folder, and says where
# they are: one line each, NAME, a tab, its PATH; or NAME, a tab, `-`, a tab and why it is missing.
#   bench/peers/install.sh [NAME...]      rsigma sigma-rust flink zircolite; without names all of them
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly RSIGMA_VERSION=0.23.0
readonly FLINK_VERSION=2.3.0
readonly TOOLS=${TOCSIN_TOOLS:-$(cd ../.. && pwd)/.tools}
readonly LOGS=$TOOLS/peers

have() { command -v "$1" >/dev/null 2>&1; }
is_at() { printf '%s\t%s\n' "$1" "$2"; }
is_missing() { printf '%s\t-\t%s\n' "$1" "$2"; }
told() { echo "bench: $*" >&2; }

# The path of an rsigma of the right version, if there is one.
rsigma_path() {
    local path
    for path in "$TOOLS/bin/rsigma" "$(type -P rsigma || true)"; do
        if [[ -x $path && $("$path" --version | head -n 1) == "rsigma $RSIGMA_VERSION" ]]; then
            echo "$path"
            return
        fi
    done
    return 1
}

# With the index it can be told to use, which its default build leaves out.
install_rsigma() {
    if ! rsigma_path >/dev/null; then
        told "building rsigma $RSIGMA_VERSION, once, into $TOOLS"
        if ! cargo install --quiet --locked --root "$TOOLS" --version "$RSIGMA_VERSION" --features daachorse-index \
            rsigma >"$LOGS/rsigma.log" 2>&1; then
            is_missing rsigma "\`cargo install rsigma\` failed: $(tail -n 1 "$LOGS/rsigma.log")"
            return
        fi
    fi
    is_at rsigma "$(rsigma_path)"
}

install_sigma-rust() {
    told "building the runner for sigma-rust, unless it is built"
    if ! CARGO_TARGET_DIR=$LOGS/sigma-rust cargo build --quiet --locked --release \
        --manifest-path sigma-rust/Cargo.toml >"$LOGS/sigma-rust.log" 2>&1; then
        is_missing sigma-rust "its runner does not build: $(grep -m 1 error "$LOGS/sigma-rust.log" || true)"
        return
    fi
    is_at sigma-rust "$LOGS/sigma-rust/release/sigma-rust-runner"
}

# The classes alone: Flink's Python is not needed to run SQL.
install_flink() {
    local home=$TOOLS/flink-$FLINK_VERSION
    if ! have java || ! have javac; then
        is_missing flink "no Java here: it needs \`java\` and \`javac\` 17 (on Debian: apt-get install openjdk-17-jdk-headless)"
        return
    fi
    if [[ ! -e $home/lib/flink-dist-$FLINK_VERSION.jar ]]; then
        told "downloading apache-flink-libraries $FLINK_VERSION from PyPI, once, into $home"
        rm -rf "$home.draft"
        if ! python3 -m pip download --quiet --no-deps --dest "$home.draft" "apache-flink-libraries==$FLINK_VERSION" \
            >"$LOGS/flink.log" 2>&1 ||
            ! python3 -m zipfile -e "$home.draft"/*.whl "$home.draft" >>"$LOGS/flink.log" 2>&1; then
            is_missing flink "\`pip download apache-flink-libraries\` failed: $(tail -n 1 "$LOGS/flink.log")"
            return
        fi
        mkdir -p "$home"
        rm -rf "$home/lib"
        mv "$home.draft/pyflink/lib" "$home/lib"
        rm -rf "$home.draft"
    fi
    if ! javac -d "$home" -cp "$home/lib/*" FlinkSql.java >"$LOGS/flink.log" 2>&1; then
        is_missing flink "its runner does not compile: $(grep -m 1 error "$LOGS/flink.log" || true)"
        return
    fi
    is_at flink "$home"
}

# A name that a registry does not have is not asked for: whoever takes it tomorrow would run code here.
install_zircolite() {
    is_missing zircolite "in no registry: not on PyPI, not on crates.io, not in Debian"
}

mkdir -p "$LOGS"
if (($# == 0)); then set -- rsigma sigma-rust flink zircolite; fi
for name in "$@"; do "install_$name"; done
