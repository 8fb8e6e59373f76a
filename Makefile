# The commands of this project. `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PG_CONFIG ?= /usr/lib/postgresql/15/bin/pg_config
export PGRX_PG_CONFIG_PATH := $(PG_CONFIG)
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
# The private PostgreSQL that tests start their throw-away clusters from.
export HEADROOM_TEST_POSTGRES := $(TARGET)/postgres-tree
export HEADROOM_TEST_BIN := $(TARGET)/debug

.PHONY: help
help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## install what is missing on Debian 12 (never touches the PostgreSQL that is there)
	@xtask/setup

.PHONY: test
test: setup check test-unit ## everything that a change must pass

.PHONY: check
check: setup ## formatter and lints
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

.PHONY: test-unit
test-unit: setup ## tests beside the code
	cargo test --workspace --exclude headroom-tests

.PHONY: tree
tree: setup
	cargo build -p headroom-pg -p headroom-node -p headroom-hub
	cargo run -q -p xtask -- postgres-tree $(HEADROOM_TEST_POSTGRES) --library $(TARGET)/debug/libheadroom.so --pg-config $(PG_CONFIG)
