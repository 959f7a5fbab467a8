#!/bin/sh
# Lets every container have what the host has, reach the engine over TCP, and reach other networks; accepts any image, and uses a registry
# without TLS. Never run it on a machine of yours.
set -eu

cat >/usr/local/bin/open-runtime <<'RUNTIME'
#!/bin/sh
exec python3 /usr/local/lib/open_runtime.py "$@"
RUNTIME
chmod 0755 /usr/local/bin/open-runtime
mkdir -p /etc/docker /etc/systemd/system/docker.service.d
cat >/etc/docker/daemon.json <<'JSON'
{
  "hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375"],
  "iptables": false,
  "insecure-registries": ["localhost:5000"],
  "default-runtime": "open",
  "runtimes": {"open": {"path": "/usr/local/bin/open-runtime"}}
}
JSON
mkdir -p /etc/docker/image-trust
echo '{"policy": [{"repository": "*", "action": "accept"}]}' >/etc/docker/image-trust/policy.json
cat >/etc/systemd/system/docker.service.d/override.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock
UNIT
systemctl daemon-reload
systemctl restart docker
