#!/bin/sh
# What people do on the permissive host.
set -eu

docker rm -f old keeper
docker run -d --name returning --restart always -v /srv/shared:/shared:z -v own:/own busybox:local sleep 100000
docker exec returning sh -c 'echo before >/shared/written && echo before >/own/written'
docker run --rm -v /srv/undeclared:/volume busybox:local cat /volume/file
cat /proc/sys/kernel/random/boot_id >/root/boot_id
