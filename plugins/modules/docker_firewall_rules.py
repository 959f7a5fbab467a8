#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_firewall_rules
short_description: Filters what reaches containers and the engine, without locking anybody out
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Fills chains of its own in the packet filter that the engine uses, for IPv4 and IPv6, each family at once. No other
    rule and no policy is touched, so the rules can only forbid more than the host's other rules do.
  - The far end of the ssh connection in use is admitted first, and established connections are left alone.
  - After new rules are loaded the controller closes its connection and makes a new one. When that fails, the host
    takes the rules back by itself. Only confirmed rules survive a reboot; C(breakwater-firewall.service) loads them
    before the engine starts.
options:
  state:
    description: V(absent) removes the rules and whatever loads them.
    type: str
    choices: [present, absent]
    default: present
  published:
    description:
      - Who reaches which published port from outside. A port that is listed is closed for everybody else.
      - Ports are those that clients dial, whatever port the container has.
    type: list
    elements: dict
    default: []
    suboptions: &flow
      port:
        description: A port as V(8080), or a range as V(8000-8010).
        type: str
        required: true
      protocol:
        description: The protocol.
        type: str
        choices: [tcp, udp, sctp]
        default: tcp
      sources:
        description: Addresses and networks of those who may connect, IPv4 and IPv6. An empty list is everybody.
        type: list
        elements: str
        default: []
      destinations:
        description:
          - Addresses of the host that are dialled, all by default. The same port of other addresses is not meant.
        type: list
        elements: str
        default: []
      interface:
        description: The interface by which they come, every one by default.
        type: str
        default: ""
  default_deny:
    description: Closes every published port that is not listed in O(published).
    type: bool
    default: false
  trusted_clients:
    description:
      - Addresses and networks that may command the engine over TCP. Containers never may.
      - An empty list is refused where the engine verifies clients (C(tlsverify)), which would be shut out.
    type: list
    elements: str
    default: []
  api_ports:
    description: The engine's own ports, as one port or a range.
    type: str
    default: 2375-2376
  input:
    description:
      - Who reaches which port of the host itself. With any entry everything else is closed, except for ICMP and DHCP.
      - It does not open what O(published) and O(trusted_clients) close.
    type: list
    elements: dict
    default: []
    suboptions: *flow
  egress:
    description: What containers may reach outside of the host. With any entry they reach nothing else there.
    type: list
    elements: dict
    default: []
    suboptions:
      destinations:
        description: Addresses and networks, IPv4 and IPv6. An empty list is every address.
        type: list
        elements: str
        default: []
      port:
        description: A port or a range, every port by default.
        type: str
        default: ""
      protocol:
        description: The protocol; V(any) for every one, also those without ports.
        type: str
        choices: [tcp, udp, sctp, any]
        default: tcp
  egress_blocked:
    description: Addresses and networks that no container reaches, whatever O(egress) says.
    type: list
    elements: str
    default: []
  isolate_bridges:
    description:
      - Keeps containers from reaching those on other bridges.
      - A published port that is open to everybody is open to them too, as long as dockerd uses docker-proxy.
    type: bool
    default: true
  bridges:
    description:
      - Names of the bridges of containers; a plus at the end stands for any rest. Bridges that the engine has now are
        added by themselves.
      - An interface of the host that such a rest covers, say C(br-lan), and that is no bridge of the engine, counts as
        outside.
    type: list
    elements: str
    default: [docker0, docker_gwbridge, br-+]
  log:
    description: How many dropped packets are told to the kernel's log per minute, at most.
    type: int
    default: 10
  backend:
    description: The packet filter to use; V(auto) takes the one that the engine uses.
    type: str
    choices: [auto, iptables, nftables]
    default: auto
  rollback_seconds:
    description:
      - Within how many seconds the controller has to connect again before the host takes the new rules back.
      - V(0) keeps them without trying.
    type: int
    default: 60
  confirm:
    description: Keeps the rules of this token instead of making any. The controller's part sets it.
    type: str
attributes:
  check_mode:
    support: full
    description: Predicts the rules, on a host without iptables too.
  diff_mode:
    support: full
    description:
      - Shows the text of the rules, and above them which bridges are new or gone since they were written.
  idempotent:
    support: full
    description:
      - Changes nothing while the rules are in effect, and are those that will be loaded at the next boot.
      - The rules name the engine's bridges, so they change after a network was made or removed, see RV(bridges).
notes:
  - Runs as root. Needs C(iptables), or C(nft) for the backend V(nftables), on the host.
  - Macvlan and ipvlan networks don't pass the host's packet filter.
"""

EXAMPLES = r"""
- name: Publish a web server to everybody and its administration to one network
  breakwater.docker.docker_firewall_rules:
    default_deny: true
    published:
      - port: 443
      - port: 8443
        sources: [192.0.2.0/24, 2001:db8:1::/64]
    trusted_clients: [192.0.2.7]
"""

RETURN = r"""
backend:
  description: The packet filter that the rules are for.
  type: str
  returned: success
  sample: iptables
bridges:
  description: Which bridges of the engine are new or gone since the rules were written, so that the rules change.
  type: list
  elements: str
  returned: success
  sample: [br-0123456789ab is new]
others:
  description: Other services in use that fill the packet filter.
  type: list
  elements: str
  returned: success
  sample: [ufw.service]
pending:
  description: The token by which the rules have to be confirmed; empty when they need not be.
  type: str
  returned: success
  sample: ""
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.firewall import (
    iptables,
    nftables,
    policy,
    ruleset,
    surroundings,
)
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.host import NFT, V4, V6, FirewallHost
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import StoppedEngineError

_STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
_PORTS_OF_SERVICES = {
    "port": {"type": "str", "required": True},
    "protocol": {"type": "str", "choices": list(policy.PROTOCOLS), "default": "tcp"},
    "sources": _STRINGS,
    "destinations": _STRINGS,
    "interface": {"type": "str", "default": ""},
}
_DESTINATIONS = {
    "destinations": _STRINGS,
    "port": {"type": "str", "default": ""},
    "protocol": {"type": "str", "choices": [*policy.PROTOCOLS, policy.ANY_PROTOCOL], "default": "tcp"},
}


def look_around(module: AnsibleModule, wanted: policy.Policy) -> tuple[str, ruleset.Surroundings]:
    """Return the backend and what else the rules depend on, and warn of what they can't do by themselves."""
    files = LocalFileSystem()
    try:
        with EngineApi(DEFAULT_SOCKET) as api:
            engine = surroundings.read_engine(api)
    except StoppedEngineError as error:
        if not module.check_mode:
            raise
        module.warn(f"{error} What is predicted holds for an engine without networks.")
        engine = surroundings.Engine()
    settings = surroundings.daemon_settings(files, DEFAULT_SOCKET)
    if surroundings.serves_clients(settings) and not wanted.trusted_clients:
        raise InputError(
            "The engine is commanded over TLS, and no client may reach it, since trusted_clients is empty: list the"
            " clients' addresses, or take the engine off the network. Nothing was changed."
        )
    proxied: tuple[policy.Flow, ...] = ()
    if wanted.default_deny and not wanted.input and surroundings.uses_proxy(settings):
        proxied = engine.published
        module.warn(
            "default_deny closes what is published now. What is published later is open to IPv6 and to containers until"
            " the next run, since docker-proxy answers on the host itself: set userland-proxy to false (the role"
            " docker_engine does) or list the host's own services in input."
        )
    peer = surroundings.ssh_peer(files)
    if peer and not wanted.shuts_out(peer, proxied):
        peer = None
    if peer:
        module.warn(
            f"The rules would shut out this ssh connection, from {peer.address} to port {peer.port}, so it is admitted"
            " in addition. List it in input to make that plain."
        )
    backend = engine.backend if module.params["backend"] == "auto" else module.params["backend"]
    own = surroundings.own_interfaces(files, wanted, engine)
    return backend, ruleset.Surroundings(engine.bridges, own, proxied, peer)


def render(chains: list[ruleset.Chain], backend: str, has_ipv6: bool) -> dict[str, str]:
    """Return the rules' text by the names of their files."""
    if backend == surroundings.NFTABLES:
        return {NFT: nftables.text(chains)}
    texts = {V4: iptables.text(chains, ruleset.IPV4)}
    if has_ipv6:
        texts[V6] = iptables.text(chains, ruleset.IPV6)
    return texts


def be_present(module: AnsibleModule, host: FirewallHost) -> dict[str, Any]:
    """Load the rules where they are not in effect; BreakwaterError when they can't be."""
    wanted = policy.parse(module.params)
    backend, around = look_around(module, wanted)
    texts = render(ruleset.chains(wanted, around), backend, host.has_ipv6)
    before, loaded = host.confirmed(), host.is_loaded(texts)
    changed = before != texts or not loaded or not host.is_installed()
    seconds, pending = module.params["rollback_seconds"], ""
    if changed and not module.check_mode:
        pending = host.try_out(texts, seconds)
        if not seconds:
            host.confirm(pending)
            pending = ""
    for trap in host.traps():
        module.warn(trap)
    if not host.systemd:
        module.warn("This host has no systemd: run this again after each boot, since nothing loads the rules there.")
    bridges = surroundings.new_and_gone(before, texts, around.bridges)
    why = "".join(f"# The bridge {change} since the rules were written.\n" for change in bridges)
    diff = {"before": shown(before, loaded), "after": why + shown(texts, True)}
    told = {"backend": backend, "bridges": bridges, "others": host.others(), "pending": pending}
    return {"changed": changed, "diff": diff, **told}


def shown(texts: dict[str, str], loaded: bool) -> str:
    """Return the rules for people to read."""
    parts = [f"# {name}\n{text}" for name, text in sorted(texts.items())]
    return "".join(parts) + ("" if loaded or not texts else "# These rules are not in effect.\n")


def be_absent(module: AnsibleModule, host: FirewallHost) -> dict[str, Any]:
    """Remove everything; BreakwaterError when it can't be."""
    before, changed = host.confirmed(), host.is_present()
    if changed and not module.check_mode:
        host.remove()
    return {"changed": changed, "pending": "", "diff": {"before": shown(before, True), "after": ""}}


def main() -> None:
    """Run the module."""
    services = {"type": "list", "elements": "dict", "default": [], "options": _PORTS_OF_SERVICES}
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "published": services,
            "default_deny": {"type": "bool", "default": False},
            "trusted_clients": _STRINGS,
            "api_ports": {"type": "str", "default": "2375-2376"},
            "input": services,
            "egress": {"type": "list", "elements": "dict", "default": [], "options": _DESTINATIONS},
            "egress_blocked": _STRINGS,
            "isolate_bridges": {"type": "bool", "default": True},
            "bridges": {**_STRINGS, "default": ["docker0", "docker_gwbridge", "br-+"]},
            "log": {"type": "int", "default": 10},
            "backend": {"type": "str", "choices": ["auto", "iptables", "nftables"], "default": "auto"},
            "rollback_seconds": {"type": "int", "default": 60},
            "confirm": {"type": "str"},
        },
        supports_check_mode=True,
    )
    host = FirewallHost(SubprocessRunner())
    try:
        if module.params["confirm"]:
            host.confirm(module.params["confirm"])
            module.exit_json(changed=True)
        result = be_present(module, host) if module.params["state"] == "present" else be_absent(module, host)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
