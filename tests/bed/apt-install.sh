#!/bin/sh
# apt-install.sh PACKAGE...: installs the Debian packages that are missing on this machine; does nothing when none is.
set -eu

for package in "$@"; do
    if ! dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        export DEBIAN_FRONTEND=noninteractive
        if ! output=$({ apt-get update && apt-get install -y --no-install-recommends "$@"; } 2>&1); then
            echo "$output" >&2
            exit 1
        fi
        exit 0
    fi
done
