#!/bin/sh
# Meddles with a hardened host: what somebody in a hurry, or in good faith, takes back of it.
set -eu
python3 - <<'END'
import json
from pathlib import Path

path = Path("/etc/docker/daemon.json")
config = json.loads(path.read_text())
config.pop("live-restore")
config |= {"icc": True, "insecure-registries": ["breakwater-journey-13:5000"], "log-level": "debug"}
path.write_text(json.dumps(config))
END
chown games /etc/docker/tls/*.pem /etc/docker/certs.d/*/ca.crt
chmod a+rw /etc/docker/daemon.json /etc/docker/tls/*.pem /etc/docker/certs.d/*/ca.crt /run/docker.sock
gpasswd -a games docker
rm /etc/docker/seccomp/web.json
rm -f /var/lib/breakwater/verified-images.json # of images that have to be signed
rm -r /root/.docker/contexts

iptables -F BREAKWATER-FORWARD
sed -i '/docker.sock/d' /etc/audit/rules.d/zz-breakwater.rules
sed -i 's/kptr_restrict = 2/kptr_restrict = 0/' /etc/sysctl.d/zz-breakwater.conf
sysctl -qw net.ipv4.conf.all.accept_redirects=1
rm /etc/modprobe.d/zz-breakwater.conf
systemctl unmask debug-shell.service
systemctl disable docker.service
dpkg --remove apparmor
docker tag "$(docker inspect -f '{{.Image}}' web)" kept:1 # an image without a name is not audited
docker rm -f web
[ ! -e /etc/docker/registry/config.yml ] || sed -i 's/info/debug/' /etc/docker/registry/config.yml
