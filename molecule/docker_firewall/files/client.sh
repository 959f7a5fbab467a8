#!/bin/sh
# Makes a client serve, have the addresses of a cloud's metadata, and know the way to the engines' containers: client.sh a|b.
set -eu
systemd-run -q --unit=serve python3 -m http.server --bind :: 80
ip address add 169.254.169.254/32 dev lo
ip -6 address add fd00:ec2::254/128 dev lo
net=10
[ "$1" = a ] || net=20
for number in 12 13 29; do
    ip route add "172.30.$number.0/24" via "198.18.$net.$number"
    ip -6 route add "fd00:bed:$number::/64" via "fd00:bed:$1::$number"
done
