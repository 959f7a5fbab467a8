#!/bin/sh
# Installs the distribution's engine, as a user does.
set -eu

apt-get update
apt-get install -y --no-install-recommends docker.io iptables
