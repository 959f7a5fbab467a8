#!/bin/sh
# Starts what the probes must leave alone, and notes it.
set -eu

docker load -qi /usr/share/breakwater/busybox.tar
docker network create app >/dev/null
docker volume create data >/dev/null
docker run -d --name strong --cap-add SYS_ADMIN --cap-add DAC_READ_SEARCH --cap-add SYS_MODULE --security-opt seccomp=unconfined \
    busybox:local sleep 100000 >/dev/null
docker run -d --name socket -v /var/run/docker.sock:/var/run/docker.sock busybox:local sleep 100000 >/dev/null
docker run -d --name careful --network none --user 65532:65532 --read-only --cap-drop ALL --security-opt no-new-privileges \
    --memory 64m --memory-swap 64m --pids-limit 64 -v data:/data busybox:local sleep 100000 >/dev/null
