# What a user or a developer runs. Each target prepares what it needs.

.DEFAULT_GOAL := help
.PHONY: help setup demo test up bench pace audit

CARGO ?= cargo
# Where the programs of a test build stand.
export HOOKME_BIN_DIR ?= $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/debug

help: ## shows this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## installs redis-server if it is missing
	@./scripts/setup

demo: setup ## shows all of it at work on this machine; STAY=1 stays up
	@echo "Building the programs; the first time this takes a few minutes."
	$(CARGO) build --locked --bin api --bin worker --bin demo
	@$(HOOKME_BIN_DIR)/demo

up: ## runs Redis, the API and a worker with the settings of .env
	@./scripts/up

test: setup ## checks the style and runs every test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked

bench: setup ## measures the speed and writes BENCHMARKS.md; QUICK=1 only shows that it runs
	@echo "Building the programs; the first time this takes a few minutes."
	$(CARGO) build --release --locked --bin api --bin worker --bin bench
	@env -u HOOKME_BIN_DIR $(CARGO) run --quiet --release --locked --bin bench -- $(if $(QUICK),--quick)

pace: setup ## measures the pace of comments in virtual time, and writes the table of GITHUB.md
	@echo "Building the programs; the first time this takes a few minutes."
	$(CARGO) build --locked --bin pace
	@$(HOOKME_BIN_DIR)/pace

audit: ## checks the dependencies' advisories, licences and sources with cargo-deny
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is missing; install it with: cargo install --locked cargo-deny"; exit 1; }
	$(CARGO) deny check
