#!/bin/sh
# What people do on the permissive host.
set -eu

docker rm -f old keeper
docker run -d --name returning --restart always -v /srv/shared:/shared:z -v own:/own busybox:local sleep 100000
docker exec returning sh -c 'echo before >/shared/written && echo before >/own/written'
docker run --rm -v /srv/undeclared:/volume busybox:local cat /volume/file
echo quite-a-secret | docker login -u alice --password-stdin 10.0.2.15:5000
docker tag busybox:local 10.0.2.15:5000/lab/before:1
docker push -q 10.0.2.15:5000/lab/before:1
cat /proc/sys/kernel/random/boot_id >/root/boot_id
