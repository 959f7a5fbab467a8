#!/bin/sh
# apt-install.sh PACKAGE...: installs the Debian packages that are missing on this machine; does nothing when none is.
set -eu

for package in "$@"; do
    if ! dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq
        exec apt-get install -qq -y --no-install-recommends "$@" >/dev/null
    fi
done
