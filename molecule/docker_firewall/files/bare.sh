#!/bin/sh
# Takes iptables and the package lists off a host.
set -eu
apt-get remove -qq -y iptables
rm -rf /var/lib/apt/lists/*
touch /root/untouched
