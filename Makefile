# What a user or a developer runs. Each target prepares what it needs.

.DEFAULT_GOAL := help
.PHONY: help setup demo test up bench audit

CARGO ?= cargo
# Where the programs of a test build stand.
export HOOKME_BIN_DIR ?= $(CURDIR)/target/debug

help: ## shows this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-7s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## installs redis-server if it is missing
	@./scripts/setup

test: setup ## checks the style and runs every test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked
	$(CARGO) build --workspace --locked
	$(CARGO) test --workspace --locked

audit: ## checks the dependencies' advisories, licences and sources with cargo-deny
	@command -v cargo-deny >/dev/null || { echo "cargo-deny is missing; install it with: cargo install --locked cargo-deny"; exit 1; }
	$(CARGO) deny check
