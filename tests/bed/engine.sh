#!/bin/sh
# engine.sh LOG_DIRECTORY: makes a Docker engine answer on this machine, installing and starting Debian's where none does.
set -eu

here=$(dirname "$0")
log=$1/dockerd.log

answers() { docker version >/dev/null 2>&1; }

if answers; then exit 0; fi
echo "No Docker engine answers: starting Debian's docker.io."
"$here/apt-install.sh" docker.io docker-cli iptables
if [ -d /run/systemd/system ]; then
    systemctl start docker
else
    # Detached from this shell's session, files and directory: the engine outlives make.
    mkdir -p "$1"
    setsid sh -c 'cd / && exec dockerd' </dev/null >"$log" 2>&1 &
fi
for _ in $(seq 120); do
    if answers; then exit 0; fi
    sleep 0.5
done
echo "The Docker engine did not answer within 60 s; the end of $log (or of 'journalctl -u docker') says why:" >&2
tail -n 20 "$log" >&2 || true
exit 1
