#!/bin/sh
# testing_images.sh WORK_DIRECTORY: builds the container hosts of Debian testing anew, as testing is today:
#   breakwater-host:debiantesting         a pristine container host
#   breakwater-host:debiantesting-docker  the same with Debian's docker.io
# Needs breakwater-host:debian13 (images.sh).
set -eu

here=$(dirname "$0")
log=$1/build-testing.log

build() { # build TARGET IMAGE ARGUMENT...
    target=$1 image=$2
    shift 2
    if ! docker build --target "$target" --build-arg HOST=breakwater-host:debian13 -t "$image" -f "$here/Dockerfile.testing" "$@" "$here" \
        >"$log" 2>&1; then
        echo "Building $image failed, which a suite in motion may do at any time; the end of $log says why:" >&2
        tail -n 20 "$log" >&2
        exit 1
    fi
}

build host breakwater-host:debiantesting --no-cache
build host-docker breakwater-host:debiantesting-docker
