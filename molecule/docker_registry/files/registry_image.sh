#!/bin/sh
# Imports the image registry:local, which holds nothing but Debian's docker-registry and what it is linked with.
set -eu
work=$(mktemp -d)
cd "$work"
chmod 755 "$work" # apt's own user downloads
apt-get update -qq
apt-get download -qq docker-registry
dpkg -x docker-registry_*.deb package
program=package/usr/bin/docker-registry
mkdir -p tree/usr/bin tree/etc tree/tmp
cp "$program" tree/usr/bin/
for library in $(ldd "$program" | grep -o '/lib[^ ]*'); do
    mkdir -p "tree$(dirname "$library")"
    cp -L "$library" "tree$library"
done
tar -C tree -c . | docker import --change 'ENTRYPOINT ["/usr/bin/docker-registry"]' - registry:local
cd /
rm -rf "$work"
