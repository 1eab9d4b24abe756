#!/usr/bin/env bash
# Builds the Debian package from a binary: packaging/deb.sh BINARY VERSION FOLDER. Prints the package's path.
# Needs dpkg-deb and objdump; does not need root.
set -euo pipefail
binary=$1 version=$2 folder=$3
here=$(cd "$(dirname "$0")/.." && pwd)
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

put() { install -D -m "$1" "$2" "$tree/$3"; }
put 755 "$binary" usr/bin/wabridge
for unit in wabridge.service wabridge.socket wabridge@.service wabridge@.socket; do
    put 644 "$here/systemd/$unit" "usr/lib/systemd/system/$unit"
done
put 644 "$here/systemd/wabridge.sysusers" usr/lib/sysusers.d/wabridge.conf
put 644 "$here/systemd/wabridge.tmpfiles" usr/lib/tmpfiles.d/wabridge.conf
for page in README.md CHANGELOG.md docs/install.md docs/migrate.md docs/move-provider.md docs/two-brands.md; do
    put 644 "$here/$page" "usr/share/doc/wabridge/$(basename "$page")"
done
put 644 "$here/LICENSE" usr/share/doc/wabridge/copyright

# The newest glibc whose symbols the binary asks for: it runs on no older one.
glibc=$(objdump -T "$binary" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -Vu | tail -1)
mkdir "$tree/DEBIAN"
cat >"$tree/DEBIAN/control" <<CONTROL
Package: wabridge
Version: $version
Architecture: $architecture
Maintainer: The wabridge authors <wabridge@localhost>
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f1)
Depends: libc6 (>= $glibc), libgcc-s1, systemd
Recommends: ca-certificates, tzdata
Section: net
Priority: optional
Description: carries WhatsApp Business conversations into CRMs
 A daemon that takes the webhooks of WhatsApp Business providers, proves who
 sent them, keeps them durably, and keys every lead on the phone number.
CONTROL
for script in postinst prerm postrm; do
    install -m 755 "$here/packaging/debian/$script" "$tree/DEBIAN/$script"
done

mkdir -p "$folder"
package="$folder/wabridge_${version}_$architecture.deb"
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
