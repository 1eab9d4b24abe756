#!/usr/bin/env bash
# What is handed out: binary, Debian package and checksums, in dist/. SQLite and TLS are linked in; glibc
# and libgcc are not, because name resolution needs the machine's own glibc, and libgcc comes with it.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(cargo pkgid --locked --package wabridge | sed 's/.*[#@]//')
rm -rf dist
mkdir dist
cargo build --release --locked --package wabridge --bin wabridge
target=${CARGO_TARGET_DIR:-target}
# It starts, and holds nothing of the faults that tests plant in debug builds.
"$target/release/wabridge" --version
if grep --quiet --text WABRIDGE_FAULT "$target/release/wabridge"; then
    echo "the binary knows of planted faults: it is no release build" >&2
    exit 1
fi
install -m 755 "$target/release/wabridge" "dist/wabridge-$version-$(uname -m)-linux-gnu"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
packaging/deb.sh "$target/release/wabridge" "$version" dist
(cd dist && sha256sum -- * >SHA256SUMS && cat SHA256SUMS)
