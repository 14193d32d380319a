# The one door. Everything that people and CI do to this project is a target here; `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
# What test and demo images are built from: `release`, `dist` (smaller, slower to build) or `dev`.
IMAGE_PROFILE ?= release
PROFILE_DIR := $(if $(filter dev,$(IMAGE_PROFILE)),debug,$(IMAGE_PROFILE))
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARIES := $(TARGET)/$(PROFILE_DIR)
# Only the last step differs from an ordinary build, so that images cost two links more and not a second build.
STATIC := -C target-feature=+crt-static -C strip=debuginfo
CACHE := $(or $(CLUSTER_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/shopmesh-cluster)
export PATH := $(CACHE)/bin:$(PATH)

##@ Use it

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## A whole shop on a Kubernetes: installs, builds, starts, buys (CLUSTER=kind|minikube|current, YES=1 asks nothing)
	deploy/demo/up

.PHONY: demo-down
demo-down: ## Remove the demo; what was installed or built once stays
	deploy/demo/down

.PHONY: dev
dev: servers-up ## Run all services in one process against a local MongoDB and Redis
	deploy/demo/dev

##@ Build it

.PHONY: deps deps-judges
deps: ## Install what building and testing needs and is missing (Debian packages, Go tools, mongod)
	tests/cluster/deps
deps-judges: ## Install the outside judges of the API (schemathesis, redocly, k6 and others)
	tests/judges/deps --check
	$(MAKE) --no-print-directory deps
	tests/judges/deps

.PHONY: build
build: ## Build everything (debug)
	$(CARGO) build --workspace --all-targets

.PHONY: binaries
binaries: ## Build the two programs that images hold, static (IMAGE_PROFILE=release|dist|dev)
	$(CARGO) rustc --locked --profile $(IMAGE_PROFILE) -p shopmesh --bin shopmesh -- $(STATIC)
	$(CARGO) rustc --locked --profile $(IMAGE_PROFILE) -p operator --bin shopmesh-operator -- $(STATIC)

.PHONY: images
images: binaries ## Build the images of both programs, of Redis and of NGINX for tests and demo (target/images; the last two in the cache)
	tests/cluster/images shopmesh $(BINARIES)/shopmesh
	tests/cluster/images operator $(BINARIES)/shopmesh-operator
	tests/cluster/images redis
	tests/cluster/images nginx

.PHONY: crds
crds: ## Write what is generated from code: the definition of Shop, golden files, the operator's kustomize base
	UPDATE_GOLDEN=1 $(CARGO) test -p operator
	deploy/kustomize/generate

.PHONY: collection
collection: servers-up ## Write docs/reference/postman.json, the collection of all calls, from the code
	eval "$$(tests/servers/servers env)"; export SHOPMESH_TEST_MONGODB_URI SHOPMESH_TEST_REDIS_URL; \
		UPDATE_GOLDEN=1 $(CARGO) test -p tests --test journeys documents::

.PHONY: fmt
fmt: ## Format the code
	$(CARGO) fmt --all

##@ Test it

.PHONY: test
test: deps-judges ## All tiers on real servers: lint, code, judges, operator, faults, e2e, bench; prints the time of each (tests/README.md)
	tests/run

.PHONY: lint
lint: ## Formatting, clippy, documentation, dependency rules, generated manifests: all with warnings denied
	tests/cluster/deps --lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --workspace --test operator --test e2e --test faults -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --quiet
	$(CARGO) deny --locked check bans licenses sources
	deploy/kustomize/generate --check

.PHONY: test-code
test-code: servers-up ## Unit, API and convention tests, against a real MongoDB and Redis
	eval "$$(tests/servers/servers env)"; export SHOPMESH_TEST_MONGODB_URI SHOPMESH_TEST_REDIS_URL; \
		$(CARGO) test --workspace --locked

.PHONY: test-judges fuzz-api
test-judges: deps-judges ## What others' tools say of the HTTP API: validators of documents, schemathesis, k6
	tests/judges/run
fuzz-api: deps-judges ## schemathesis for long (JUDGES_CASES=7143 for each service, 50,000 in all; JUDGES_SEED=n)
	JUDGES_CASES=$(or $(JUDGES_CASES),7143) tests/judges/run schemathesis

.PHONY: test-operator
test-operator: ## The operator against a real API server
	tests/operator/run

.PHONY: test-e2e
test-e2e: ## The whole on a real cluster: install by helm, buy through NGINX, break it (E2E_PROFILE=dev|release|dist)
	$(MAKE) --no-print-directory images IMAGE_PROFILE=$(or $(E2E_PROFILE),dev)
	tests/e2e/run

.PHONY: test-faults soak
test-faults: deps ## Break a whole shop in every known way and judge what users were promised (tests/faults/run; release build)
	FAULTS_PROFILE=$(or $(FAULTS_PROFILE),release) tests/faults/run --all
	FAULTS_PROFILE=$(or $(FAULTS_PROFILE),release) tests/faults/run --planted
soak: deps ## Break it at random (MINUTES=60, SEED=n for the same again)
	tests/faults/run --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

.PHONY: test-bench
test-bench: ## One short round of everything that `make bench` measures: whether it answers, not how fast (debug build)
	IMAGE_PROFILE=dev BENCH_ROUNDS=1 BENCH_SECONDS=3 BENCH_STORED=100 CARGO="$(CARGO)" bench/run

.PHONY: check-each
check-each: ## Check every crate of crates/ and the operator alone, as its own features allow; tests and bench are left out
	for manifest in crates/shared/*/Cargo.toml crates/services/*/Cargo.toml crates/order-check/Cargo.toml crates/sandbox-psp/Cargo.toml crates/shopmesh/Cargo.toml operator/Cargo.toml; do \
		echo "$$manifest"; $(CARGO) check --quiet --manifest-path "$$manifest"; done

.PHONY: bench
bench: ## Measure what docs/reference/performance.md aims at
	bench/run

.PHONY: servers-up servers-down
servers-up: ## Start the MongoDB and Redis that tests use (127.0.0.1:27117 and :6479)
	tests/servers/servers up
servers-down: ## Stop them
	tests/servers/servers down

.PHONY: cluster-up cluster-down
cluster-up: ## Start a one-node Kubernetes on this machine, without Docker
	tests/cluster/cluster up
cluster-down: ## Stop it and remove everything it made
	tests/cluster/cluster down
