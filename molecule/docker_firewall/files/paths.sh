#!/bin/sh
# Opens an engine's host as far as it goes, so that nothing but the role's rules is in the way: a service at each port, a way to the
# addresses of a cloud's metadata, which client a has, nothing of what Docker itself closes between bridges and, from 28 on, before
# containers' own addresses, and loopback addresses routed on its bridge, as without docker-proxy: paths.sh NUMBER
set -eu
for port in 2222 2376; do
    systemctl is-active -q "serve-$port" || systemd-run -q --unit="serve-$port" python3 -m http.server --bind :: "$port"
done
systemctl is-active -q serve-loopback || systemd-run -q --unit=serve-loopback python3 -m http.server --bind 127.0.0.1 4444
systemctl is-active -q serve-apart || systemd-run -q --unit=serve-apart python3 -m http.server --bind "198.18.10.$1" 4000
echo 1 >/proc/sys/net/ipv4/conf/docker0/route_localnet
ip route replace 169.254.169.254 via 198.18.10.100
ip -6 route replace fd00:ec2::254 via fd00:bed:a::100
for iptables in iptables ip6tables; do
    while $iptables -D DOCKER-ISOLATION-STAGE-1 -j RETURN 2>/dev/null; do :; done
    $iptables -n -L DOCKER-ISOLATION-STAGE-1 >/dev/null 2>&1 && $iptables -I DOCKER-ISOLATION-STAGE-1 1 -j RETURN
    if $iptables -t raw -S PREROUTING 2>/dev/null | grep -q DROP; then
        $iptables -t raw -F PREROUTING
        while $iptables -D DOCKER -j ACCEPT 2>/dev/null; do :; done
        $iptables -I DOCKER 1 -j ACCEPT
    fi
done
