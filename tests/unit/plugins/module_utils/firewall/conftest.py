# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Policy
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.firewall.policies import policy


@pytest.fixture
def rich() -> Policy:
    """A policy with some of everything."""
    return policy(
        published=[
            {"port": "8080", "sources": ["10.1.0.0/16", "2001:db8:1::/64"], "interface": "eth0"},
            {"port": "5000-5010", "protocol": "udp", "destinations": ["192.0.2.9"]},
            {"port": "443", "sources": ["10.1.0.0/16", "2001:db8::/48"], "destinations": ["192.0.2.9", "2001:db8::9"]},
        ],
        trusted_clients=["10.1.0.5"],
        input=[{"port": "22", "sources": ["10.0.0.0/8"]}],
        egress=[{"protocol": "any", "destinations": ["10.3.0.0/24"]}],
        egress_blocked=["169.254.169.254", "fd00:ec2::254"],
    )
