#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_registry_trust
short_description: Says which CA an engine trusts for a registry, and which certificate it shows
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Keeps C(/etc/docker/certs.d) for registries that have a CA of their own. The engine reads it whenever it connects,
    so nothing is restarted.
  - Removes only the C(ca.crt) and the links that it made, and the registry's directory once it is empty. Other files,
    as a C(client.key) that somebody else put there, stay. What can't be had while the engine uses them is refused.
  - Tells what is left of C(insecure-registries) in C(daemon.json) without these registries, which is for
    M(breakwater.docker.docker_daemon_config) to write.
options:
  registries:
    description: The registries.
    type: list
    elements: dict
    required: true
    suboptions:
      address:
        description: Host and port, as they begin the names of images.
        type: str
        required: true
      ca:
        description:
          - Certificates of its CA in PEM, which replace C(ca.crt); empty for a CA that the host trusts anyway.
        type: str
        default: ""
      client_certificate:
        description:
          - Whether the engine shows a certificate, the files C(cert.pem) and C(key.pem) in the registry's directory,
            where M(breakwater.docker.docker_tls_certificates) can put them.
        type: bool
        default: false
      state:
        description: With V(absent) the registry's CA and certificate are taken from the engine.
        type: str
        choices: [present, absent]
        default: present
  daemon_insecure_registries:
    description: What C(insecure-registries) will be. In check mode this counts instead of what the file says.
    type: list
    elements: str
attributes:
  check_mode:
    support: full
    description: Predicts everything.
  diff_mode:
    support: full
    description: Shows the CAs and links.
  idempotent:
    support: full
    description: Changes nothing when all is there.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host.
"""

EXAMPLES = r"""
- name: Trust a registry
  breakwater.docker.docker_registry_trust:
    registries:
      - address: registry.example.org:5000
        ca: "{{ lookup('ansible.builtin.file', 'registry-ca.pem') }}"
"""

RETURN = r"""
insecure_registries:
  description: What is left of C(insecure-registries); null when none of the registries is in it.
  type: list
  elements: str
  returned: success
  sample: []
kept:
  description:
    - What else is in the registries' directories. It stays; the engine uses C(*.crt), C(*.cert) and C(*.key) of it.
  type: list
  elements: str
  returned: success
  sample: ["/etc/docker/certs.d/registry.example.org:5000/client.key"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, parse
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.registry import trust

DAEMON_JSON = "/etc/docker/daemon.json"


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan and, outside check mode, carry out; BreakwaterError when it can't be done."""
    registries = [trust.parse(item) for item in module.params["registries"]]
    host = trust.TrustHost()
    plans = [host.plan(registry) for registry in registries]
    steps = [step for step in plans if step.changed]
    current = module.params["daemon_insecure_registries"] if module.check_mode else None
    if current is None:
        current = parse(ConfigFile(DAEMON_JSON).read() or "", DAEMON_JSON).get("insecure-registries")
    if not module.check_mode:
        for step in steps:
            host.apply(step)

    def words(texts: Any, links: Any) -> str:
        return "".join([*texts.values(), *(f"{name} -> {target}\n" for name, target in links.items())])

    return {
        "changed": bool(steps),
        "insecure_registries": trust.still_insecure(current, [each for each in registries if each.present]),
        "kept": [path for step in plans for path in step.kept],
        "diff": [
            {
                "before_header": step.directory,
                "after_header": step.directory,
                "before": words(step.before, step.links_before),
                "after": words(step.after, step.links_after),
            }
            for step in steps
        ],
    }


def main() -> None:
    """Run the module."""
    registry = {
        "address": {"type": "str", "required": True},
        "ca": {"type": "str", "default": ""},
        "client_certificate": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    module = AnsibleModule(
        argument_spec={
            "registries": {"type": "list", "elements": "dict", "required": True, "options": registry},
            "daemon_insecure_registries": {"type": "list", "elements": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
