# wabridge, for people: `make help` lists what there is.

# Known to build with the toolchain of Cargo.toml's rust-version.
NEXTEST := 0.9.143

# Debian packages that building and testing need: a C compiler for SQLite, strace to watch the flushes,
# systemd to check the units, Python for the CRMs' own client libraries.
PACKAGES := build-essential strace curl ca-certificates tzdata systemd python3 python3-venv
# The commands those packages give; when they and the time zones are there, nothing is installed.
COMMANDS := cc strace curl dpkg-deb systemd-analyze python3

SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)

.DEFAULT_GOAL := help
.PHONY: help demo test bench lint dist tools

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## play signed traffic of every source through a daemon of its own; nothing to configure
	cargo run --locked --quiet -- demo

test: tools ## run the whole suite; installs what it needs on Debian
	cargo nextest run --workspace --locked
	cargo test --workspace --locked --doc --quiet

bench: ## measure throughput and latency in a release build
	cargo bench --locked --bench ingest

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
