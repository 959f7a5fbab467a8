#!/bin/sh
# Volumes that anybody may read and write as far as their modes go, one that is not declared, and a container.
set -eu

for name in shared settings tenant notes undeclared; do
    mkdir -p "/srv/$name"
    echo "of $name" >"/srv/$name/file"
    chmod -R a=rwX "/srv/$name"
done
mkdir -p /data/docker/volumes/old/_data
docker load -qi /usr/share/breakwater/busybox.tar
# as much of Python as opens a socket
python=$(readlink -f /usr/bin/python3)
ldd "$python" | grep -o '/[^ ]*' |
    tar -C / -ch --exclude=test --exclude=__pycache__ "${python#/}" usr/bin/python3 "usr/lib/${python##*/}" -T - 2>/dev/null |
    docker import - python:local
docker run -d --name old --restart always busybox:local sleep 100000
