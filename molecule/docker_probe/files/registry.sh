#!/bin/sh
# Runs two registries: as Debian has it, without TLS, at port 5000, and with TLS at 5443. The certificate is left as /root/registry.crt.
set -eu

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends apache2-utils docker-registry >/dev/null
cd /etc/docker/registry
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out /root/registry.crt -days 30 \
    -subj "/CN=$(hostname)" -addext "subjectAltName=DNS:$(hostname)"
htpasswd -bBc htpasswd ada correct-horse
chmod 644 htpasswd
sed 's|addr: :5000|addr: :5443\n  tls: {certificate: /root/registry.crt, key: /etc/docker/registry/tls.key}|' config.yml >tls.yml
systemctl restart docker-registry
systemd-run --quiet --unit=tls-registry docker-registry serve /etc/docker/registry/tls.yml
