# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The rules as text for nft(8), in a table of their own, for engines that use nftables themselves.

from __future__ import annotations

from typing import Iterator, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.firewall.iptables import LOG_PREFIX
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.ruleset import (
    DROP,
    FORWARD,
    INPUT,
    IPV6,
    PASS,
    Chain,
    Rule,
)

TABLE = "inet breakwater"
#: Before the chains of Docker and others, which are at priority `filter`.
_BASE = "type filter hook {} priority filter - 1; policy accept;"
_HOOKS = {FORWARD: "forward", INPUT: "input"}
_PORT_OF = {True: "ct original proto-dst", False: "th dport"}


def text(chains: Sequence[Chain]) -> str:
    """Return the table with these chains for both families; it replaces what it was before, all at once."""
    # Naming the table first makes sure that there is one to delete.
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    for chain in chains:
        lines.append(f"\tchain {chain.name} {{")
        if chain.name in _HOOKS:
            lines.append("\t\t" + _BASE.format(_HOOKS[chain.name]))
        lines += ["\t\t" + " ".join(_words(rule)) for rule in chain.rules]
        lines.append("\t}")
    return "\n".join([*lines, "}", ""])


def _words(rule: Rule) -> Iterator[str]:
    if rule.iif:
        yield f"iifname {_interface(rule.iif)}"
    if rule.oif:
        yield f"oifname {_interface(rule.oif)}"
    protocol = "ip6" if rule.family == IPV6 else "ip"
    if rule.family and not (rule.source or rule.destination):
        yield f"meta nfproto {'ipv6' if rule.family == IPV6 else 'ipv4'}"
    if rule.source:
        yield f"{protocol} saddr {rule.source}"
    if rule.destination:
        yield f"{'ct original ' if rule.dialled else ''}{protocol} daddr {rule.destination}"
    if rule.protocol:
        yield f"meta l4proto {rule.protocol}"
    if rule.ports:
        first, last = rule.ports
        yield f"{_PORT_OF[rule.dialled]} {first}" + (f"-{last}" if last != first else "")
    if rule.state:
        yield "ct state established,related" if rule.state == "established" else f"ct status {rule.state}"
    if rule.log_per_minute:
        yield f"limit rate {rule.log_per_minute}/minute burst {rule.log_per_minute} packets"
        yield f'log prefix "{LOG_PREFIX}"'
    elif rule.verdict == PASS:
        yield "accept"  # of this table's chain only; others see the packet all the same
    elif rule.verdict == DROP:
        yield "drop"
    else:
        yield f"goto {rule.verdict}"


def _interface(name: str) -> str:
    return f'"{name[:-1]}*"' if name.endswith("+") else f'"{name}"'
