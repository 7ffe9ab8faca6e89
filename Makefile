# make demo    builds Tocsin and scans the recording of an attack
# make test    everything that must hold before a change goes in
# make bench   Tocsin beside a peer and the limits of the machine, written to bench/REPORT.md
# Each does its own set-up (scripts/setup.sh).

SHELL := /bin/bash
export TOCSIN_TOOLS ?= $(CURDIR)/.tools
export PATH := $(TOCSIN_TOOLS)/bin:$(PATH):$(HOME)/.cargo/bin

TOCSIN := cargo run --quiet --locked --package tocsin --
DEMO := demo/recording

.PHONY: demo test bench

demo:
	@scripts/setup.sh
	@cargo build --locked --profile quick --package tocsin
	@cargo run --quiet --locked --profile quick --package tocsin -- \
	    scan $(DEMO)/auth.log.gz $(DEMO)/access.log.gz --as-of "$$(cat $(DEMO)/as_of)" --table

test:
	@scripts/setup.sh tests
	cargo fmt --all --check
	cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	cargo deny --locked check --hide-inclusion-graph licenses bans sources
	cargo xtask tidy
	cargo test --quiet --locked --workspace
	$(TOCSIN) check rules
	$(TOCSIN) test rules

bench:
	@scripts/setup.sh
	@bench/run.sh
