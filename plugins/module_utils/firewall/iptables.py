# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The rules as text for iptables-restore(8), and what iptables-save(8) tells of them. Options: iptables-extensions(8).

from __future__ import annotations

from typing import Iterator, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.firewall.ruleset import DROP, PASS, Chain, Rule

PREFIX = "BREAKWATER-"
LOG_PREFIX = "breakwater drop: "
#: Chains that jump to ours, and whether they have to do so before anything else. DOCKER-USER is where forwarded packets
#: meet us first; FORWARD is for engines that don't manage the family at all, and Docker puts its own rules before it.
HOOKS = (("INPUT", "INPUT", True), ("DOCKER-USER", "FORWARD", True), ("FORWARD", "FORWARD", False))


def text(chains: Sequence[Chain], family: int) -> str:
    """Return the table `filter` with these chains and nothing else, for one family (4 or 6)."""
    lines = ["*filter", *(f":{_name(chain.name)} - [0:0]" for chain in chains)]
    for chain in chains:
        lines += [
            " ".join(("-A", _name(chain.name), *_words(rule))) for rule in chain.rules if rule.family in (0, family)
        ]
    return "\n".join([*lines, "COMMIT", ""])


def rules_in(saved: str) -> list[str]:
    """Return the rules in our chains as iptables-save shows them."""
    return [line for line in saved.splitlines() if line.startswith(f"-A {PREFIX}")]


def is_hooked(saved: str) -> bool:
    """Tell whether packets meet our chains, and meet them first."""
    lines = saved.splitlines()
    for parent, chain, first in HOOKS:
        rules = [line for line in lines if line.startswith(f"-A {parent} ")]
        if f"-A {parent} -j {PREFIX}{chain}" not in (rules[:1] if first else rules):
            return False
    return True


def _name(chain: str) -> str:
    return PREFIX + chain.upper()


def _words(rule: Rule) -> Iterator[str]:
    if rule.iif:
        yield from ("-i", rule.iif)
    if rule.oif:
        yield from ("-o", rule.oif)
    if rule.source:
        yield from ("-s", rule.source)
    if rule.destination and not rule.dialled:
        yield from ("-d", rule.destination)
    if rule.protocol:
        yield from ("-p", rule.protocol)
    if rule.ports and not rule.dialled:
        yield from ("-m", rule.protocol, "--dport", _range(rule))
    yield from _conntrack(rule)
    if rule.log_per_minute:
        yield from ("-m", "limit", "--limit", f"{rule.log_per_minute}/min", "--limit-burst", str(rule.log_per_minute))
        yield from ("-j", "LOG", "--log-prefix", f'"{LOG_PREFIX}"')
    elif rule.verdict == PASS:
        yield from ("-j", "RETURN")
    elif rule.verdict == DROP:
        yield from ("-j", "DROP")
    else:
        yield from ("-g", _name(rule.verdict))


def _conntrack(rule: Rule) -> Iterator[str]:
    words: list[str] = []
    if rule.state:
        words += ["--ctstate", "RELATED,ESTABLISHED" if rule.state == "established" else rule.state.upper()]
    if rule.dialled and rule.destination:
        words += ["--ctorigdst", rule.destination]
    if rule.dialled and rule.ports:
        words += ["--ctorigdstport", _range(rule)]
    if words:
        yield from ("-m", "conntrack", *words)


def _range(rule: Rule) -> str:
    first, last = rule.ports or (0, 0)
    return str(first) if first == last else f"{first}:{last}"
