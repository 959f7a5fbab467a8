#!/bin/sh
# Gives a host a daemon.json of its owner's, and containers that must outlive everything.
set -eu
docker load -qi /usr/share/breakwater/busybox.tar
cat >/etc/docker/daemon.json <<'JSON'
{"labels": ["owner=kept"], "icc": true, "insecure-registries": ["registry.example:5000"], "log-opts": {"max-size": "50m", "tag": "{{.Name}}"}}
JSON
systemctl restart docker
docker run -d --name idle busybox:local sleep infinity
docker run -d --name published -p 8080:80 busybox:local httpd -f -p 80
gpasswd -a games docker
docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' idle published >/root/processes
