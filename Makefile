# Nothing has to be set up: each target builds what it needs, under $(CARGO_TARGET_DIR) or target/. See `make help`.

SHELL := bash
.DEFAULT_GOAL := help

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
export TARGET
export CARGO_TARGET_DIR := $(TARGET)

DENY_VERSION := 0.20.2
DENY := $(TARGET)/tools/bin/cargo-deny
MUTANTS_VERSION := 27.1.0
MUTANTS := $(TARGET)/tools/bin/cargo-mutants
LLVM_COV_VERSION := 0.9.1
LLVM_COV := $(TARGET)/tools/bin/cargo-llvm-cov

STEP := .ci/step

# Most tests wait for the operator, or for time to pass: more of them at once than there are processors.
export RUST_TEST_THREADS ?= 4

.PHONY: help
help: ## Says what there is to make
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do \
		printf '  make %-14s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: controlplane ## Shows Countersign at work on this machine, and leaves it running
	cargo build --locked --package countersign --package billing-sim
	@examples/demo/demo.sh up

.PHONY: demo-down
demo-down: ## Ends what `make demo` left running
	@examples/demo/demo.sh down

# The third billing API comes first: it leaves an operator that knows it, and what comes after builds the shipped one.
.PHONY: test
test: lint controlplane ## Checks and tests everything, on a real control plane
	@$(STEP) "a third billing API" cargo test --locked --package countersign --features fake --test fake
	@$(STEP) "tests" cargo test --workspace --locked
	@$(STEP) "tests of the control plane" $(MAKE) --no-print-directory test-controlplane
	@$(STEP) "policies" $(MAKE) --no-print-directory test-policy
	@$(STEP) "demo and documentation" $(MAKE) --no-print-directory test-demo

.PHONY: lint
lint: tools $(DENY) ## Checks form, lints, dependencies and licences
	@$(STEP) "form" cargo fmt --all --check
	@$(STEP) "purity of core" cargo check --package countersign-core --locked
	@$(STEP) "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(STEP) "lints of a third billing API" cargo clippy --package countersign-core --package countersign --all-targets \
		--features fake --locked -- -D warnings
	@$(STEP) "dependencies" $(DENY) --locked check --hide-inclusion-graph bans licenses sources

.PHONY: conformance
conformance: ## Holds billing-sim against the published clients of Zoo (Rust) and Metronome (Python 3)
	@$(STEP) "Zoo's client" cargo test --locked --package billing-sim-conformance
	@$(STEP) "Metronome's client" sim/conformance-metronome/run

# Of every hundred lines that decide, how many the unit tests of core run at least. `make mutants` says what they notice.
COVERED := 95

.PHONY: coverage
coverage: tools $(LLVM_COV) ## Counts the lines of the protocol and of plans that unit tests run
	rustup component add llvm-tools
	@$(STEP) "unit tests" $(LLVM_COV) llvm-cov --locked --package countersign-core --lib --lcov --output-path $(TARGET)/coverage.lcov
	@$(STEP) "coverage" .ci/coverage $(TARGET)/coverage.lcov $(COVERED) protocol plan

# Every change of one operator or value in what decides, made in a copy of the tree: its tests must notice each of them.
# Left out is what decides nothing: text for programmers, what there is none of, what changes nothing, and Fake, which is
# not built here.
OF ?= protocol
NO_RULE := Box::leak|Debug for|NoPackages|replace (Others|Planner)::[a-z_]+ -> Vec<[A-Za-z]+> with vec!\[\]

.PHONY: mutants
mutants: tools $(MUTANTS) ## Finds rules that no test holds: OF=protocol (an hour) or OF=plan (a day); SHARD=0/40 is a fortieth
	@$(STEP) "mutants of $(OF)" $(MUTANTS) mutants --package countersign-core --file 'core/src/$(OF)/**' \
		--exclude-re '$(NO_RULE)' --exclude '**/fake.rs' $(if $(SHARD),--shard $(SHARD)) --timeout 300 --jobs 1 --cargo-arg=--lib \
		--output $(TARGET) -- $(OF)

# As it is shipped, so the first run builds for some minutes.
.PHONY: bench
bench: controlplane ## Measures what has a bound: large contracts found again, ten thousand files, tenants beside slow ones
	@$(STEP) "a large contract whose record is lost" cargo bench --locked --quiet --package countersign-core --bench lost_record
	@$(STEP) "ten thousand contracts" cargo bench --locked --package countersign --bench many
	cargo build --locked --package countersign --package billing-sim
	@$(STEP) "tenants beside slow ones" cargo test --locked --package countersign --test it -- --ignored measured_ --nocapture

# One thread and virtual time: the same seed does the same everywhere.
SEEDS ?= 1000

.PHONY: simulate
simulate: export SEEDS := $(SEEDS)
simulate: tools ## Runs the fault simulation: SEEDS=n of them, or SEED=n alone
	@$(STEP) "fault simulation" cargo run --locked --quiet --package countersign-simulation --profile simulation

.PHONY: simulate-shell
simulate-shell: export SEEDS := $(SEEDS)
simulate-shell: tools ## Runs the operator itself in virtual time: SEEDS=n, or SEED=n alone
	@$(STEP) "the operator in virtual time" cargo run --locked --quiet --package countersign-shell --profile simulation

.PHONY: chaos
chaos: controlplane ## Lets everything fail at once on the real parts, and counts every contract and invoice
	cargo build --locked --package countersign --package billing-sim
	@$(STEP) "chaos" cargo test --locked --package countersign --test it -- --ignored chaos --nocapture

.PHONY: controlplane
controlplane: tools ## Builds the Kubernetes control plane of the demo and the tests, once
	@tests/controlplane/build

.PHONY: crds
crds: tools ## Writes crds/ and schemas/ anew from the types in core/src/api
	cargo run --quiet --locked --package countersign -- crds --dir crds
	cargo run --quiet --locked --package countersign -- crds --json-schema --dir schemas
	cargo run --quiet --locked --package countersign -- crds --kustomize --dir schemas

.PHONY: tools
tools:
	@.ci/check-tools

.PHONY: test-controlplane
test-controlplane: export CGO_ENABLED := 0
test-controlplane:
	cd tests/controlplane && go vet ./internal/...
	cd tests/controlplane && go test ./internal/...
	cd tests/controlplane && go test ./internal/up -args -controlplane "$(TARGET)/controlplane/controlplane"

# The example of policies, on plans of the program, with the engine of conftest; and the health check for Argo CD of the
# documentation, with the interpreter that Argo CD has.
.PHONY: test-policy
test-policy: export CGO_ENABLED := 0
test-policy: export COUNTERSIGN := $(TARGET)/debug/countersign
test-policy:
	cargo build --locked --package countersign
	cd tests/policy && go vet . && go test .

# The demo as the README has it, in a folder of its own, and the documentation held against what then runs.
.PHONY: test-demo
test-demo: export DEMO := $(TARGET)/demo-test
test-demo:
	cargo build --locked --package countersign --package billing-sim
	trap 'examples/demo/demo.sh down' EXIT && examples/demo/demo.sh up && .ci/check-docs

# Unoptimized: it runs for two seconds, and is built in a fraction of the time.
$(DENY):
	@$(STEP) "cargo-deny" cargo install cargo-deny --version $(DENY_VERSION) --locked --debug \
		--root $(TARGET)/tools --target-dir $(TARGET)/tools/build
	rm -rf $(TARGET)/tools/build

$(MUTANTS):
	@$(STEP) "cargo-mutants" cargo install cargo-mutants --version $(MUTANTS_VERSION) --locked --debug \
		--root $(TARGET)/tools --target-dir $(TARGET)/tools/build
	rm -rf $(TARGET)/tools/build

$(LLVM_COV):
	@$(STEP) "cargo-llvm-cov" cargo install cargo-llvm-cov --version $(LLVM_COV_VERSION) --locked --debug \
		--root $(TARGET)/tools --target-dir $(TARGET)/tools/build
	rm -rf $(TARGET)/tools/build
