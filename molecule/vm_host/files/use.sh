#!/bin/sh
# What people do on a hardened host. The reboot and the audit afterwards find it recorded.
set -eu

docker load -qi /usr/share/breakwater/busybox.tar
# its first process reaps what a test leaves behind, which would go on counting as processes
docker run -d --name returning --restart always --memory 32m --pids-limit 20 --cpus 0.5 busybox:local \
    sh -c 'while sleep 5; do :; done'
docker run -d --name ended --restart no busybox:local sleep 100000
docker exec returning true
docker exec --user 0 --privileged returning true
touch /etc/docker/touched
cat /proc/sys/kernel/random/boot_id >/root/boot_id
