#!/bin/sh
# apt-install.sh PACKAGE...: installs the Debian packages that are missing on this machine; does nothing when none is.
# Of several calls at once each waits for the one before.
set -eu

exec 9</var/lib/dpkg
flock 9

for package in "$@"; do
    if ! dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        export DEBIAN_FRONTEND=noninteractive
        if ! output=$({ apt-get update && apt-get install -y --no-install-recommends "$@"; } 2>&1 9<&-); then
            echo "$output" >&2
            exit 1
        fi
        exit 0
    fi
done
