#!/bin/sh
# Uses the engine in every way that a confinement of dockerd could spoil, and ends with the first that does.
set -eu

expect() { # expect OUTPUT COMMAND...: the command has to succeed and print just that
    wanted=$1
    shift
    got=$("$@") || { echo "failed: $*" >&2; exit 1; }
    [ "$got" = "$wanted" ] || { echo "$*: '$got', not '$wanted'" >&2; exit 1; }
}
run() { docker run --rm "$@"; }

docker load -qi /usr/share/breakwater/busybox.tar >/dev/null
# A daemon that maps users gives host namespaces only to those who ask for the host's users.
host=--userns=host
docker info -f '{{.SecurityOptions}}' | grep -q name=userns || host=--userns=
# Docker 20.10 asks for every capability, of which a container host of the test bed lacks one.
set -- --privileged
! docker --version | grep -q ' 20\.' || set -- --cap-add SYS_ADMIN --security-opt apparmor=unconfined

expect 0 run busybox:local id -u
expect mounted run "$@" "$host" busybox:local sh -c 'mkdir /x && mount -t tmpfs none /x && echo mounted'
expect 00000000aa0425fb run --cap-add SYS_TIME busybox:local sh -c "grep CapEff /proc/self/status | cut -f 2"
expect 1 run --ulimit core=512 busybox:local sh -c 'ulimit -c'
expect '' run -v workload:/data busybox:local sh -c 'echo kept >/data/file'
expect kept run -v workload:/data busybox:local cat /data/file
expect "$(hostname)" run -v /etc/hostname:/name:ro busybox:local cat /name
expect tmpfs run --tmpfs /t busybox:local sh -c "mount | grep ' /t ' | cut -d ' ' -f 1"
expect "$(hostname)" run --network host --pid host --ipc host --uts host "$host" busybox:local hostname
expect named run --hostname named busybox:local hostname

trap 'docker rm -f workload >/dev/null; docker network rm workload >/dev/null; docker volume rm workload >/dev/null' EXIT
docker network create workload >/dev/null
docker run -d --name workload --network workload --network-alias web -p 127.0.0.1:8099:80 -m 32m --pids-limit 50 --cpus 0.5 \
    busybox:local sh -c 'echo served >/index.html; httpd -f -p 80' >/dev/null
expect exec docker exec workload echo exec
expect served docker exec workload wget -qO- http://web/index.html
expect served curl -s --retry 5 --retry-connrefused http://127.0.0.1:8099/index.html
echo copied >/tmp/copied
docker cp /tmp/copied workload:/copied >/dev/null
expect copied docker exec workload cat /copied
docker cp workload:/index.html /tmp/index.html >/dev/null
expect served cat /tmp/index.html
expect workload docker pause workload
expect workload docker unpause workload
expect workload docker restart -t 0 workload
expect workload docker stats --no-stream --format '{{.Name}}' workload
docker commit workload workload:committed >/dev/null
docker save workload:committed | docker load -q >/dev/null
expect served run workload:committed cat /index.html

printf 'FROM busybox:local\nRUN chmod 4755 /bin/busybox && hostname >/dev/null && linux32 uname -m >/machine\n' >/tmp/Dockerfile
for buildkit in 0 1; do
    # Debian 13 has no BuildKit for the client unless docker-buildx is installed.
    [ "$buildkit" = 0 ] || docker --version | grep -q ' 20\.' || [ -e /usr/libexec/docker/cli-plugins/docker-buildx ] || continue
    DOCKER_BUILDKIT=$buildkit docker build --no-cache -q -t workload:built - </tmp/Dockerfile >/dev/null 2>&1
    expect 'i686 4755' run workload:built sh -c "echo \$(cat /machine) \$(stat -c %a /bin/busybox)"
    docker image rm workload:built >/dev/null
done
docker image rm workload:committed >/dev/null
