# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Who can reach an address that something listens on.

from __future__ import annotations

import ipaddress


def is_local(address: str, private: bool = False) -> bool:
    """Tell whether only this host reaches the address; with `private` also whether only private networks do.

    An IPv6 address may be in brackets. Of names only localhost is known.
    """
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address.strip("[]") == "localhost"
    return parsed.is_loopback or (private and parsed.is_private and not parsed.is_unspecified)
