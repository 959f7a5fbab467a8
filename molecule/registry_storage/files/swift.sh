#!/bin/sh
# Runs Swift on one node, with the account `test`, whose user `tester` has the password `testing`.
set -eu
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    memcached swift-account swift-container swift-object swift-proxy >/dev/null
mkdir -p /srv/node/d1
chown -R swift:swift /srv/node
cat >/etc/swift/swift.conf <<END
[swift-hash]
swift_hash_path_suffix = test
[storage-policy:0]
name = Policy-0
default = yes
END
port=6202
for server in account container object; do
    cat >/etc/swift/$server-server.conf <<END
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = $port
devices = /srv/node
mount_check = false
workers = 1
[pipeline:main]
pipeline = $server-server
[app:$server-server]
use = egg:swift#$server
END
    (
        cd /etc/swift
        swift-ring-builder $server.builder create 8 1 1
        swift-ring-builder $server.builder add "r1z1-127.0.0.1:$port/d1" 1
        swift-ring-builder $server.builder rebalance
    ) >/dev/null
    port=$((port - 1))
done
cat >/etc/swift/proxy-server.conf <<END
[DEFAULT]
bind_ip = 0.0.0.0
bind_port = 8080
workers = 1
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
END
chown -R swift:swift /etc/swift
systemctl restart memcached swift-account swift-container swift-object swift-proxy
for _ in $(seq 100); do
    curl -sf -o /dev/null -H 'X-Auth-User: test:tester' -H 'X-Auth-Key: testing' http://127.0.0.1:8080/auth/v1.0 && exit
    sleep 0.3
done
journalctl -u 'swift-*' -n 20 --no-pager >&2
exit 1
