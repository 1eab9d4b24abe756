# wabridge, for people: `make help` lists what there is.

# Known to build with the toolchain of Cargo.toml's rust-version.
NEXTEST := 0.9.143

# Debian packages that building and testing need: a C compiler for SQLite, strace to watch the flushes,
# systemd to check the units, Python for the CRMs' own client libraries, a PostgreSQL server.
PACKAGES := postgresql build-essential strace curl ca-certificates tzdata systemd python3 python3-venv
# The commands those packages give; when they and the time zones are there, nothing is installed.
# Debian keeps the programs of servers away from the PATH, a folder for each version.
INITDB := $(firstword $(wildcard /usr/lib/postgresql/*/bin/initdb) initdb)
COMMANDS := $(INITDB) cc strace curl dpkg-deb systemd-analyze python3

SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

# What is run a second time, on PostgreSQL: the tests of the store by its traits, and of what stands on them.
ON_BOTH := binary(it) & test(/^(outbox|projection|delivery::modes|delivery::once::hubspot)::/)

.DEFAULT_GOAL := help
.PHONY: help demo test bench bench-peers lint dist tools

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## play signed traffic of every source through a daemon of its own; nothing to configure
	cargo run --locked --quiet -- demo

test: tools ## run the whole suite; installs what it needs on Debian
	cargo nextest run --workspace --locked
	WABRIDGE_TEST_STORE=postgres cargo nextest run --workspace --locked -E '$(ON_BOTH)'
	cargo test --workspace --locked --doc --quiet

bench: ## measure throughput and latency in a release build
	cargo bench --locked --bench ingest

bench-peers: ## measure wabridge beside Express, FastAPI, Node-RED and n8n; needs npm and PyPI
	cargo bench --locked --bench peers

lint: ## formatting, clippy and documentation; every warning is an error
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet

dist: ## build what is handed out: binary, Debian package, checksums, in dist/
	packaging/dist.sh

tools:
	@command -v cargo >/dev/null || { echo "cargo is missing: install Rust from https://rustup.rs" >&2; exit 1; }
	@missing=; \
	for command in $(COMMANDS); do \
	    command -v $$command >/dev/null || missing="$$missing $$command"; \
	done; \
	[ -d /usr/share/zoneinfo ] || missing="$$missing tzdata"; \
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	    echo "missing:$$missing; install what your system calls: $(PACKAGES)" >&2; exit 1; \
	fi; \
	if [ "$$(id -u)" != 0 ] && [ -z "$(SUDO)" ]; then \
	    echo "missing:$$missing; as root: apt-get install $(PACKAGES)" >&2; exit 1; \
	fi; \
	$(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $(PACKAGES)
	@cargo nextest --version >/dev/null 2>&1 || \
	    cargo install --locked --no-default-features --features default-no-update \
	        cargo-nextest --version $(NEXTEST)
