#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_seccomp_diff_info
short_description: Tells what one seccomp profile allows and another does not
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Compares what two profiles mean on this host, not how they are written.
options:
  first:
    description: V(engine), a preset or the path of a file on the host, as in M(breakwater.docker.docker_seccomp).
    type: str
    default: engine
  second:
    description: The other one.
    type: str
    required: true
  capabilities:
    description: The capabilities that containers have, or names of sets.
    type: list
    elements: str
    default: [docker]
attributes:
  check_mode:
    support: full
    description: Starts no container, so it fails where the engine's own profile was not read before.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
notes:
  - Runs as root.
"""

EXAMPLES = r"""
- name: See what the shop's profile takes from its containers
  breakwater.docker.docker_seccomp_diff_info:
    first: engine
    second: /etc/docker/seccomp/shop.json
    capabilities: [web]
"""

RETURN = r"""
only_first:
  description: System calls, with their conditions, that only the first profile allows.
  type: list
  elements: str
  returned: success
  sample: [ptrace]
only_second:
  description: System calls, with their conditions, that only the second profile allows.
  type: list
  elements: str
  returned: success
  sample: []
conditions:
  description: System calls that both allow, with different arguments.
  type: list
  elements: dict
  returned: success
  contains:
    syscall:
      description: The system call.
      type: str
    first:
      description: When the first profile allows it.
      type: str
    second:
      description: When the second profile allows it.
      type: str
  sample:
    - syscall: socket
      first: socket when argument 0 is 0-39 or 41-
      second: socket when argument 0 is 1-2 or 10 or 16
architectures:
  description: The architectures for whose programs each profile is.
  type: dict
  returned: success
  contains:
    first:
      description: Those of the first profile.
      type: list
      elements: str
    second:
      description: Those of the second profile.
      type: list
      elements: str
  sample: {first: [SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32], second: [SCMP_ARCH_X86_64]}
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import documents, presets, probe
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import difference
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.resolve import Resolver


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "first": {"type": "str", "default": "engine"},
            "second": {"type": "str", "required": True},
            "capabilities": {"type": "list", "elements": "str", "default": ["docker"]},
        },
        supports_check_mode=True,
    )
    target = documents.Target(os.uname().machine, probe.kernel())
    docker = Docker(SubprocessRunner())
    try:
        capabilities = presets.capabilities(module.params["capabilities"], "capabilities")
        with Resolver(docker, LocalFileSystem(), target, not module.check_mode) as resolver:
            first, second = (resolver.base(module.params[key], capabilities) for key in ("first", "second"))
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **difference(first, second))


if __name__ == "__main__":
    main()
