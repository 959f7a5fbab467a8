#!/bin/sh
# Gives a host containers that publish ports, on two bridges: engine.sh NUMBER, which parts the hosts' IPv6 addresses.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
if [ "$1" = 12 ]; then
    update-alternatives --set iptables /usr/sbin/iptables-legacy
    update-alternatives --set ip6tables /usr/sbin/ip6tables-legacy
    apt-get install -qq -y --no-install-recommends docker.io
fi
[ "$1" != 13 ] || apt-get install -qq -y --no-install-recommends openssh-server sudo
docker load -qi /usr/share/breakwater/busybox.tar
mkdir -p /etc/docker
echo '{"live-restore": true}' >/etc/docker/daemon.json
systemctl reload docker
docker network create --ipv6 --subnet "172.30.$1.0/24" --subnet "fd00:bed:$1::/64" -o com.docker.network.bridge.name=backbone back
serve() { # serve NAME OPTION...
    name=$1
    shift
    docker run -d --name "$name" --restart always "$@" busybox:local sh -c 'echo ok >/index.html; httpd -f -p 80 -h /'
}
serve web -p 8080:80
serve open -p 8081:80
serve apart -p "198.18.20.$1:4000:80" # and at the host's other address a service of its own
serve back -p 9090:80 --network back
# one that takes 127.0.0.1 for the host's
docker run -d --name raw --restart always --cap-add NET_ADMIN --sysctl net.ipv4.conf.all.route_localnet=1 busybox:local \
    sh -c 'ip address del 127.0.0.1/8 dev lo; sleep infinity'
docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' web open back >/root/processes
touch /root/untouched
