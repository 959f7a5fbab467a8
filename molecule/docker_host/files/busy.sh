#!/bin/sh
# A host in use: containers that must outlive everything, packages and services that it does not need, files that are too open.
set -eu

package() { # package NAME DEPENDENCY: installs an empty package
    mkdir -p "/tmp/$1/DEBIAN"
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: test\nDescription: test\n%s' "$1" "${2:+Depends: $2
}" >"/tmp/$1/DEBIAN/control"
    dpkg-deb --build "/tmp/$1" "/tmp/$1.deb" >/dev/null
    dpkg -i "/tmp/$1.deb" >/dev/null
}

unit() { # unit NAME LINES: runs a service that does nothing
    printf '[Unit]\n%b\n[Service]\nExecStart=sleep infinity\n' "$2" >"/usr/lib/systemd/system/$1"
    systemctl daemon-reload
    systemctl start "$1"
}

docker load -qi /usr/share/breakwater/busybox.tar
docker network create web
docker run -d --name idle busybox:local sleep infinity
docker run -d --name published -p 8080:80 --network web busybox:local httpd -f -p 80
docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' idle published >/root/processes

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends e2fsprogs openssh-server sudo >/dev/null
useradd --create-home admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/admin

package talkd
package make
package our-dkms make
package libgone
apt-mark auto libgone >/dev/null

unit cups.service ''
unit rpcbind.service ''
unit our-nfs.service 'Requires=rpcbind.service\n'
printf '[Install]\nRequiredBy=our-nfs.service\n' >>/usr/lib/systemd/system/rpcbind.service
systemctl enable rpcbind.service
systemctl daemon-reload
unit avahi-daemon.service ''

echo '{"icc": false}' >/etc/docker/daemon.json
chmod 0666 /etc/docker/daemon.json
chmod 0777 /etc/docker
chown games /etc/default/docker
mkdir -p /etc/docker/certs.d/registry.example
touch /etc/docker/certs.d/registry.example/ca.crt /etc/docker/certs.d/registry.example/client.key
chmod 0664 /usr/lib/systemd/system/docker.service
chmod 0666 /run/containerd/containerd.sock
sysctl -w net.ipv4.conf.all.accept_source_route=1
# The machine's kernel must be as it was.
for key in dev.tty.ldisc_autoload fs.protected_fifos fs.suid_dumpable kernel.core_pattern kernel.dmesg_restrict \
    kernel.kptr_restrict kernel.perf_event_paranoid kernel.unprivileged_bpf_disabled vm.unprivileged_userfaultfd; do
    sysctl -e "$key" | sed 's/ =//'
done >/root/machine
# Somebody who can write here wants root to give him another file.
echo secret >/root/secret
ln -s /root/secret /etc/docker/certs.d/registry.example/link.crt
chown -h games /etc/docker/certs.d/registry.example/link.crt
