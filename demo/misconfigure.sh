#!/bin/sh
# Turns a container host with Docker into a deliberately insecure one. Runs as root inside that host; never run it on a machine of yours.
set -eu

mkdir -p /etc/docker /etc/systemd/system/docker.service.d
cat >/etc/docker/daemon.json <<'JSON'
{
  "hosts": ["unix:///var/run/docker.sock", "tcp://127.0.0.1:2375"],
  "icc": true,
  "live-restore": false,
  "insecure-registries": ["registry.example.org:5000"],
  "userland-proxy": true,
  "log-level": "debug",
  "labels": ["purpose=demo"]
}
JSON
cat >/etc/systemd/system/docker.service.d/override.conf <<'UNIT'
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd --containerd=/run/containerd/containerd.sock
UNIT
chmod 0666 /etc/docker/daemon.json
systemctl daemon-reload
systemctl restart docker

docker load -q -i /usr/share/breakwater/busybox.tar
run() { docker run -d --restart always --stop-timeout 1 "$@" >/dev/null; }
run --name privileged --privileged busybox:local sleep 100000000
run --name docker-socket -v /var/run/docker.sock:/var/run/docker.sock:ro busybox:local sleep 100000000
run --name host-namespaces --network host --pid host --ipc host busybox:local sleep 100000000
run --name host-files -v /etc:/host/etc:ro -v /:/host/root:ro --cap-add SYS_ADMIN busybox:local sleep 100000000
run --name unconfined --security-opt seccomp=unconfined --security-opt apparmor=unconfined busybox:local sleep 100000000
run --name shop -e SECRET_TOKEN=correct-horse-battery-staple -p 8080:80 busybox:local \
    sh -c 'mkdir /www && echo shop >/www/index.html && exec httpd -f -h /www'
docker run -d --name careful --stop-timeout 1 --restart on-failure:5 --user 1000:1000 --read-only --cap-drop ALL --security-opt no-new-privileges \
    --memory 64m --memory-swap 64m --cpu-shares 512 --pids-limit 64 --network none busybox:local sleep 100000000 >/dev/null
