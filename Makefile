# The commands of this project. `make help` lists them; CI runs `make test` (.ci/run).
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config
export PGRX_PG_CONFIG_PATH := $(PG_CONFIG)
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
# Always the whole workspace: the same features every time, so nothing is built twice.
CARGO_BUILD := cargo build --workspace --locked
CARGO_TEST := cargo test --workspace --locked
DEMO := $(TARGET)/release/headroom-demo --checkout $(CURDIR) --programs $(TARGET)/release
# Built once, kept outside the target folder: `make clean` leaves it, a new version replaces it.
DENY_VERSION := 0.20.2
DENY := $(CURDIR)/.headroom/tools/cargo-deny-$(DENY_VERSION)/bin/cargo-deny
ASSETS := forecaster/assets/node_modules/.package-lock.json
STEP = @printf '\n== %s (%s)\n'

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install what is missing on Debian 12; the PostgreSQL that is there is left as it is
	@xtask/setup build

$(ASSETS): forecaster/assets/package-lock.json forecaster/assets/package.json
	npm ci --prefix forecaster/assets --no-audit --no-fund --ignore-scripts
	@touch $@

.PHONY: build
build: setup $(ASSETS) ## build everything in release mode
	$(STEP) "release build" "the first takes 10 to 16 minutes on 2 cores"
	$(CARGO_BUILD) --release

NODE_TARGET := $(shell uname -m)-unknown-linux-gnu
NODE_STATIC := $(TARGET)/$(NODE_TARGET)/node/headroom-node
NODE_BYTES_MAX := 8000000
# What the store asks of SQLite, and nothing more of it.
NODE_SQLITE := -USQLITE_ENABLE_FTS3 -USQLITE_ENABLE_FTS3_PARENTHESIS -USQLITE_ENABLE_FTS5 -USQLITE_ENABLE_RTREE \
	-USQLITE_ENABLE_STAT4 -USQLITE_ENABLE_DBSTAT_VTAB -USQLITE_SOUNDEX

.PHONY: node-static
node-static: setup ## build the node as one static program of at most 8 MB, for any Linux of this processor
	$(STEP) "static node" "the first takes about 5 minutes on 2 cores"
	RUSTFLAGS="-C target-feature=+crt-static -C link-arg=-fuse-ld=mold" LIBSQLITE3_FLAGS="$(NODE_SQLITE)" \
		cargo build --locked --package headroom-node --profile node --target $(NODE_TARGET)
	@! ldd $(NODE_STATIC) 2>/dev/null | grep -q '=>' || { echo "$(NODE_STATIC) needs shared libraries"; exit 1; }
	@bytes=$$(stat -c %s $(NODE_STATIC)); echo "$(NODE_STATIC): $$bytes bytes"; [ $$bytes -le $(NODE_BYTES_MAX) ]

.PHONY: demo
demo: build ## run the demo on this machine until Ctrl-C
	@exec $(DEMO) run

.PHONY: demo-faster
demo-faster: ## let DAYS=30 days of the demo's held-back part pass at once
	@$(DEMO) faster --days $(or $(DAYS),30)

.PHONY: psql
psql: ## SQL on the demo's database; ARGS="-c 'select 1'" for one statement
	@exec $(DEMO) psql -- $(ARGS)

.PHONY: stop
stop: ## stop the demo; its data stays
	@$(DEMO) stop

.PHONY: clean
clean: ## stop the demo and remove its data and everything that was built
	@if [ -x $(TARGET)/release/headroom-demo ]; then $(DEMO) stop; fi
	rm -rf .headroom/demo target forecaster/assets/node_modules tests/browser/node_modules

.PHONY: fmt
fmt: ## format the sources
	cargo fmt --all

.PHONY: test
test: check deny test-unit test-sql test-system test-browser ## everything that a change must pass
	$(STEP) "passed" "make test"

.PHONY: check
check: setup $(ASSETS) ## formatter and lints
	$(STEP) "formatter and lints" "cargo fmt, cargo clippy"
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

.PHONY: deny
deny: $(DENY) ## licences, bans and sources of the dependencies
	$(STEP) "licences, bans, sources" "cargo deny"
	$(DENY) --locked check licenses bans sources

$(DENY):
	$(STEP) "building cargo-deny" "once, about 2 minutes"
	cargo install cargo-deny --version $(DENY_VERSION) --locked --root $(patsubst %/bin/cargo-deny,%,$@)

.PHONY: built
built: setup $(ASSETS) # what tests start: the programs and the extension's library, in the profile of the tests
	$(STEP) "build for the tests" "cargo build"
	$(CARGO_BUILD)

.PHONY: test-unit
test-unit: built ## tests beside the code
	$(STEP) "tests beside the code" "cargo test"
	$(CARGO_TEST) --lib --bins

.PHONY: test-sql
test-sql: built ## the extension and the schema, on throw-away servers
	$(STEP) "extension and schema" "throw-away PostgreSQL servers"
	$(CARGO_TEST) --test 'sql_*'

.PHONY: test-system
test-system: built ## the real processes together, and the checks of the project itself
	$(STEP) "the system" "real node, hub and PostgreSQL"
	$(CARGO_TEST) --test 'system_*' --test devices_arrays --test devices_captures --test tidy

.PHONY: test-browser
test-browser: built ## every page as every role, in a headless Chromium
	@xtask/setup browser
	$(STEP) "browser" "headless Chromium"
	$(CARGO_TEST) --test 'browser_*'

.PHONY: test-devices
test-devices: built node-static ## the node inside emulated machines; fetches 200 MB of Debian packages once, installs none
	tests/devices/packages
	rustc --edition 2024 -O -C target-feature=+crt-static --target $(NODE_TARGET) -o .headroom/devices/thin-lun tests/devices/thin_lun/main.rs
	tests/devices/initrd $(NODE_STATIC) .headroom/devices/thin-lun
	$(STEP) "devices" "emulated machines, about two minutes"
	$(CARGO_TEST) --features headroom-tests/devices --test 'devices_*' -- --nocapture

.PHONY: soak
soak: built test-devices ## what takes longer: emulated machines, kill loops, fuzzing (which needs a nightly toolchain)
	$(STEP) "soak" "tests that are left out of make test"
	$(CARGO_TEST) --test 'system_*' --test 'sql_*' -- --ignored
	$(STEP) "codecs" "$(or $(SOAK_CASES),200000) random blocks and sections a property"
	PROPTEST_CASES=$(or $(SOAK_CASES),200000) $(CARGO_TEST) --lib -- block::
	$(STEP) "fuzzing" "every decoder for $(or $(FUZZ_SECONDS),600) seconds"
	tests/fuzz/run $(or $(FUZZ_SECONDS),600)

.PHONY: bench
bench: bench-store bench-intake bench-forecast bench-fleet ## measure: the series store, the intake, the forecast and the fleet run

.PHONY: bench-store
bench-store: build ## bytes and CPU of the series store against plain PostgreSQL, and TimescaleDB where it is installed
	cargo bench --workspace --locked --bench store -- $(BENCH)

.PHONY: bench-intake
bench-intake: build ## pushes a second that one hub takes from 1,000 nodes, with their latency
	cargo bench --workspace --locked --bench intake -- $(BENCH)

.PHONY: bench-forecast
bench-forecast: build ## accuracy and speed of the forecast against others, beside the goals
	tests/bench/forecast/run $(BENCH)

.PHONY: bench-fleet
bench-fleet: build ## seconds and memory of a fleet run over 100,000 units of 400 days, from PostgreSQL to stored forecasts
	cargo bench --workspace --locked --bench fleet -- $(BENCH)
