#!/bin/sh
# Starts containers on a real kernel with AppArmor and cgroup v2.
set -eu

start() { # start NAME OPTION...
    name=$1
    shift
    docker run -d --name "$name" "$@" busybox:local sleep 100000
}

docker load -qi /usr/share/breakwater/busybox.tar
for profile in released complaining; do
    flags=
    [ "$profile" = released ] || flags='flags=(complain)'
    echo "profile $profile $flags { file, signal, capability, network, }" >"/etc/apparmor.d/$profile"
    apparmor_parser -r "/etc/apparmor.d/$profile"
    start "$profile" --security-opt "apparmor=$profile"
done
# the kernel lets go of the processes that the profile held
apparmor_parser -R /etc/apparmor.d/released
rm /etc/apparmor.d/released
start unconfined --security-opt apparmor=unconfined
start limited --memory 32m --pids-limit 20 --cpus 0.5
