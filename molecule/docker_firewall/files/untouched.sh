#!/bin/sh
# Fails when there is anything of the role's on the host.
set -eu
rm /root/untouched
for path in /etc/breakwater /run/breakwater-firewall /usr/local/lib/breakwater /etc/systemd/system/breakwater-firewall.service; do
    [ ! -e "$path" ]
done
for tool in iptables-save ip6tables-save; do
    ! command -v "$tool" || ! "$tool" | grep BREAKWATER
done
