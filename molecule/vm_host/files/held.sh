#!/bin/sh
# Tells of each running container its process, and by which profile and cgroup the kernel holds it.
set -eu

for container in $(docker ps -q | sort); do
    pid=$(docker inspect -f '{{.State.Pid}}' "$container")
    echo "$container $pid $(cat "/proc/$pid/attr/current" "/proc/$pid/cgroup" | xargs)"
done
