# The one door. Everything that people and CI do to this project is a target here; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
# What images are built from: `release`, `dist` (smaller, slower to build) or `dev`.
IMAGE_PROFILE ?= release
TARGET_DIR := $(shell $(CARGO) metadata --no-deps --format-version 1 2>/dev/null | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: deps
deps: ## Install what building and testing needs and is missing (Debian packages, Go tools, mongod)
	tests/cluster/deps

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

.PHONY: lint
lint: ## Formatting, clippy, documentation, dependency rules: all with warnings denied
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet
	@if command -v cargo-deny >/dev/null; then cargo deny check bans licenses sources; else echo "cargo-deny is missing: run 'make deps'"; exit 1; fi

.PHONY: build
build: ## Build everything (debug)
	$(CARGO) build --workspace --all-targets

.PHONY: servers-up servers-down
servers-up: ## Start the MongoDB and Redis that tests use (127.0.0.1:27117 and :6479)
	tests/servers/servers up
servers-down: ## Stop them
	tests/servers/servers down

.PHONY: clean-servers
