#!/bin/sh
# Takes the engine off the host with all that it has, as if there had never been one. The operating system is used on.
set -eu
systemctl stop docker.socket docker.service containerd.service
DEBIAN_FRONTEND=noninteractive apt-get purge -qq -y docker.io docker-cli containerd runc >/dev/null
rm -rf /etc/docker /etc/containerd /var/lib/docker /var/lib/containerd
iptables --flush
iptables --table nat --flush
iptables --delete-chain
iptables --table nat --delete-chain
iptables --policy FORWARD ACCEPT
for bridge in /sys/class/net/docker0 /sys/class/net/br-*; do
    ip link delete "$(basename "$bridge")"
done
