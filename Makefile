# make demo         builds Tocsin, runs its server, and lets a recorded attack happen now
# make test         everything that must hold before a change goes in
# make crash-test   the long form of the kills: at every numbered point, then 50 at random
# make reload-test  the long form of the reloads: 1,000 under load, and 20 kills around some
# make exhaustion   100 million forged keys under 512 MiB: nothing is hidden, nobody else is touched
# make differential Tocsin's reading of Sigma against pySigma's, on random rules and events
# make bench        Tocsin alone and beside other engines, written to bench/REPORT.md
# make bench-peers  the comparison with other engines only
# make profile      instructions an event by stage and file, into the same page
# Each does its own set-up (scripts/setup.sh).

SHELL := /bin/bash
export TOCSIN_TOOLS ?= $(CURDIR)/.tools
export PATH := $(TOCSIN_TOOLS)/bin:$(PATH):$(HOME)/.cargo/bin

TOCSIN := cargo run --quiet --locked --package tocsin --
PAGE_TESTS := $(wildcard crates/tocsin-api/page-tests/*.test.mjs)

.PHONY: demo test crash-test reload-test exhaustion differential bench bench-peers profile

# On a terminal the server runs on when the recording has ended; elsewhere it ends with a summary.
demo:
	@scripts/setup.sh
	@cargo build --locked --profile quick --package tocsin
	@cargo run --quiet --locked --profile quick --package tocsin -- demo $$([[ -t 1 ]] || echo --once)

test:
	@scripts/setup.sh tests
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo deny --locked check --hide-inclusion-graph licenses bans sources
	cargo xtask tidy
	cargo test --quiet --locked --workspace
	@if command -v node >/dev/null; then node --test $(PAGE_TESTS); \
	else echo "skipped: the page's own tests need node"; fi
	$(TOCSIN) check rules
	$(TOCSIN) test rules
	$(TOCSIN) conformance

crash-test:
	@scripts/setup.sh
	CRASH_KILLS=50 cargo test --quiet --locked --package tocsin --test cli server_crash -- --nocapture

reload-test:
	@scripts/setup.sh
	RELOADS=1000 CRASH_KILLS=20 cargo test --quiet --locked --package tocsin --test cli server_reload_load -- --nocapture

exhaustion:
	@scripts/setup.sh
	cargo test --quiet --locked --profile quick --package tocsin-testkit --test exhaustion --no-run
	EXHAUSTION_KEYS=100000000 scripts/capped.sh 512 \
	    cargo test --quiet --locked --profile quick --package tocsin-testkit --test exhaustion -- --nocapture

bench:
	@scripts/setup.sh
	@bench/run.sh

differential:
	@scripts/setup.sh
	@differential/run.sh

bench-peers:
	@scripts/setup.sh
	@bench/run.sh --peers

profile:
	@scripts/setup.sh
	@bench/run.sh --profile
