#!/bin/sh
# A host whose administrator wanted things to work: nearly every control that a role sees to fails here.
set -eu
# what of it an engine can't start by, and what only engines from 28 on know
opened='"api-cors-header": "*",'
dockerd --help | grep -q allow-direct-routing && opened='"allow-direct-routing": true, "ip-forward-no-drop": true,'
cat >/etc/docker/daemon.json <<JSON
{$opened "cgroup-parent": "careless.slice", "default-ipc-mode": "shareable", "experimental": true, "icc": true,
 "insecure-registries": ["registry.example:5000"], "ip": "0.0.0.0", "ip6tables": false, "iptables": false, "live-restore": false,
 "log-level": "debug", "metrics-addr": "0.0.0.0:9323", "no-new-privileges": false, "registry-mirrors": ["http://mirror.example:5000"],
 "seccomp-profile": "unconfined", "userland-proxy": true}
JSON
systemctl restart docker
docker load -qi /usr/share/breakwater/busybox.tar
docker network create old >/dev/null
gpasswd -a games docker
sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.all.accept_source_route=1 net.ipv4.tcp_syncookies=0

mkdir -p /etc/docker/certs.d/registry.example /etc/sysconfig
touch /etc/docker/certs.d/registry.example/ca.crt /etc/docker/certs.d/registry.example/client.key /etc/default/docker /etc/sysconfig/docker
for file in /etc/docker /etc/docker/daemon.json /etc/docker/certs.d/registry.example/* /etc/default/docker /etc/sysconfig/docker \
    /etc/systemd/system/docker.service.d/*.conf /usr/lib/systemd/system/docker.service /usr/lib/systemd/system/docker.socket \
    /run/docker.sock /run/containerd/containerd.sock /usr/sbin/dockerd /usr/bin/containerd /usr/*bin/runc /var/lib/docker; do
    [ ! -e "$file" ] || { chown games:games "$file" && chmod a+rwx "$file"; }
done
