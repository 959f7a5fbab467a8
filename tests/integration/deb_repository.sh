#!/bin/sh
# deb_repository.sh DIRECTORY VERSION...: makes a signed repository like Docker's, with Debian's engine under the names and in the
# versions of docker-ce; prints the fingerprint of its key. Runs in a container host.
set -eu

root=$1/debian
shift
apt-get update -qq
apt-get install -qq -y --no-install-recommends gnupg >/dev/null
mkdir -p "$root/dists/trixie/stable/binary-amd64" "$root/pool" /tmp/build
cd /tmp/build
apt-get download -qq docker.io docker-cli containerd

repack() { # repack PACKAGE NEW_NAME VERSION
    rm -rf tree
    dpkg-deb -R "$1"_*.deb tree
    sed -i -e "s/^Package: .*/Package: $2/" -e "s/^Version: .*/Version: $3/" \
        -e "/^\(Provides\|Breaks\|Conflicts\|Replaces\|Suggests\|Recommends\):/d" tree/DEBIAN/control
    printf 'Provides: %s (= %s)\nConflicts: %s\n' "$1" "$3" "$1" >>tree/DEBIAN/control
    dpkg-deb -Znone -b tree "$root/pool/$2_${3#*:}.deb" >/dev/null
}

repack containerd containerd.io 2.1.5-1
for version in "$@"; do
    repack docker.io docker-ce "5:$version-1~debian.13~trixie"
    repack docker-cli docker-ce-cli "5:$version-1~debian.13~trixie"
done

cd "$root"
for package in pool/*.deb; do
    dpkg-deb -f "$package" | sed '/^$/d'
    printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
done >dists/trixie/stable/binary-amd64/Packages
cd dists/trixie
list=stable/binary-amd64/Packages
printf 'Suite: trixie\nCodename: trixie\nComponents: stable\nArchitectures: amd64\nDate: %s\nSHA256:\n %s %s %s\n' \
    "$(date -Ru)" "$(sha256sum $list | cut -d ' ' -f 1)" "$(stat -c %s $list)" "$list" >Release
gpg -q --batch --passphrase '' --quick-generate-key repository rsa3072 sign never 2>/dev/null
gpg -q --batch --clearsign -o InRelease Release
gpg -q --armor --export >"$root/gpg"
gpg -q --list-keys --with-colons | awk -F: '/^fpr/ {print $10; exit}'
