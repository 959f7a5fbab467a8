#!/bin/sh
# Runs a bare registry as what a cache mirrors: like Docker Hub it has TLS and lets everybody pull.
set -eu
apt-get update -qq
mkdir -p /etc/docker/registry
cd /etc/docker/registry
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$(hostname)" \
    -addext "subjectAltName=DNS:$(hostname)" -keyout key.pem -out cert.pem 2>/dev/null
cat >config.yml <<END
version: 0.1
storage: {filesystem: {rootdirectory: /var/lib/docker-registry}}
http: {addr: ":5000", tls: {certificate: /etc/docker/registry/cert.pem, key: /etc/docker/registry/key.pem}}
END
chmod 644 key.pem
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold \
    docker-registry >/dev/null
