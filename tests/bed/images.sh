#!/bin/sh
# images.sh WORK_DIRECTORY: builds the test bed's images where they are missing or their inputs have changed.
#   busybox:local                    what containers run, in the hosts and on this machine
#   breakwater-host:debian12|13      a pristine container host
#   breakwater-host:debian13-docker  the same with Debian's docker.io
# The hosts' base is pulled where a registry answers, else made by debootstrap as breakwater-base:debian12|13.
# BREAKWATER_BASE_IMAGE (Debian 13) and BREAKWATER_BASE_IMAGE_DEBIAN12 name other bases.
set -eu

here=$(dirname "$0")
work=$1
context=$work/context

import_base() { # import_base CODENAME IMAGE
    "$here/apt-install.sh" debootstrap
    tree=$(mktemp -d "$work/$1.XXXXXX")
    trap 'rm -rf "$tree"' EXIT
    debootstrap --variant=minbase "$1" "$tree" >"$work/debootstrap-$1.log"
    # debootstrap leaves the main suite alone; a stock Debian has the updates and the security suite as well.
    sed -i 's|^deb \(.*\)/debian \([a-z]*\) main$|&\ndeb \1/debian \2-updates main\ndeb \1/debian-security \2-security main|' \
        "$tree/etc/apt/sources.list"
    echo force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/container"
    rm -rf "$tree"/var/cache/apt/archives/*.deb "$tree"/var/lib/apt/lists/*
    tar -C "$tree" -c . | docker import - "$2" >/dev/null
    rm -rf "$tree"
}

base_image() { # base_image RELEASE CODENAME OVERRIDE: prints the image's name
    if [ -n "$3" ]; then
        if ! docker image inspect "$3" >/dev/null 2>&1 && ! docker pull -q "$3" >/dev/null; then
            echo "The base image $3 is neither on this machine nor can it be pulled: correct BREAKWATER_BASE_IMAGE." >&2
            exit 1
        fi
        echo "$3"
        return
    fi
    image=breakwater-base:debian$1
    if ! docker image inspect "$image" >/dev/null 2>&1; then
        if timeout 60 docker pull -q "debian:$1" >/dev/null 2>&1; then
            docker tag "debian:$1" "$image"
        else
            echo "No registry gives debian:$1: making $image by debootstrap (a minute)." >&2
            import_base "$2" "$image"
        fi
    fi
    echo "$image"
}

build() { # build TARGET BASE IMAGE
    inputs=$({ echo "$1"; docker image inspect -f '{{.Id}}' "$2"; cat "$here/Dockerfile"; } | sha256sum | cut -c 1-64)
    if [ "$(docker image inspect -f '{{index .Config.Labels "inputs"}}' "$3" 2>/dev/null)" != "$inputs" ]; then
        echo "Building $3."
        if ! docker build --target "$1" --build-arg "BASE=$2" --label "inputs=$inputs" -t "$3" -f "$here/Dockerfile" "$context" \
            >"$work/build.log" 2>&1; then
            echo "Building $3 failed; the end of $work/build.log says why:" >&2
            tail -n 20 "$work/build.log" >&2
            exit 1
        fi
    fi
}

mkdir -p "$context"
debian13=$(base_image 13 trixie "${BREAKWATER_BASE_IMAGE:-}")
debian12=$(base_image 12 bookworm "${BREAKWATER_BASE_IMAGE_DEBIAN12:-}")
build busybox "$debian13" busybox:local
docker save -o "$context/busybox.tar" busybox:local
build host "$debian13" breakwater-host:debian13
build host-docker "$debian13" breakwater-host:debian13-docker
build host "$debian12" breakwater-host:debian12
