#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_seccomp_record
short_description: Finds out which system calls and capabilities a workload needs
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Runs a workload again and again in a container of its own. First without capabilities, then, if its test fails so,
    with the candidates less one at a time, until it can spare none.
  - Then the kernel asks a listener about each system call that the base allows, which notes it and lets it go on.
    Nothing has to be installed for that, and no call is lost.
  - At last the workload has to pass its test under the profile that came of it.
  - The profile is returned in the form that M(breakwater.docker.docker_seccomp) and the role
    P(breakwater.docker.docker_seccomp#role) take, to be kept with the inventory.
options:
  name:
    description: Name of the profile.
    type: str
    required: true
  image:
    description: The workload's image, which is on the host.
    type: str
    required: true
  command:
    description: Command and arguments, as they follow the image in C(docker run).
    type: list
    elements: str
    default: []
  run_options:
    description:
      - The workload's options of C(docker run), without those about its name, capabilities and seccomp profile.
      - Volumes that are given are written to by the workload as ever.
    type: list
    elements: str
    default: []
  test:
    description:
      - A command of the host that succeeds when the workload does its work. It is repeated until it does, and finds the
        container's name in the environment as C(CONTAINER), and its engine's address as C(DOCKER_HOST).
      - Without one the container has to end well by itself.
    type: list
    elements: str
    default: []
  base:
    description:
      - What is allowed at most, V(engine), a preset or a file, as in M(breakwater.docker.docker_seccomp). What the base
        refuses is refused during the recording too, so that programs take the way that they will have to take.
    type: str
    default: engine
  capabilities:
    description: Candidates, capabilities or names of sets.
    type: list
    elements: str
    default: [docker]
  timeout:
    description: Seconds that the workload may take to pass its test in each run.
    type: int
    default: 30
attributes:
  check_mode:
    support: none
    description: It has to run the workload, so it is skipped.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Leaves nothing behind on the host.
notes:
  - Runs as root. Needs an engine from 23.0, runc from 1.1 or crun, Linux from 5.5, and the command C(docker).
"""

EXAMPLES = r"""
- name: Record what the shop needs
  breakwater.docker.docker_seccomp_record:
    name: shop
    image: registry.example.org/shop:7
    run_options: [--read-only, --tmpfs=/tmp, --publish=127.0.0.1:8080:80]
    test: [curl, --fail, --silent, "http://127.0.0.1:8080/health"]
  register: recorded

- name: Keep it with the inventory
  ansible.builtin.copy:
    content: "{{ {'docker_seccomp_profiles': [recorded.profile]} | to_nice_yaml(indent=2) }}"
    dest: group_vars/shop/seccomp.yml
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
profile:
  description: The profile, an entry of O(breakwater.docker.docker_seccomp#module:profiles).
  type: dict
  returned: success
  sample:
    name: shop
    base: runtime
    capabilities: [NET_BIND_SERVICE]
    allow: [accept4, bind, listen]
    deny: []
    arguments:
      - {syscalls: [socket], action: allow, when: [{argument: 0, op: eq, value: AF_INET}]}
capabilities:
  description: The capabilities of which the workload can spare none.
  type: list
  elements: str
  returned: success
  sample: [NET_BIND_SERVICE]
recorded:
  description: The system calls that were made, those of the runtime too.
  type: list
  elements: str
  returned: success
  sample: [accept4, bind, brk]
margin:
  description: System calls that are allowed besides, since runtimes or the ways a program ends may take them.
  type: list
  elements: str
  returned: success
  sample: [rt_sigreturn, tgkill]
spared:
  description: System calls that the base allows and the profile does not.
  type: list
  elements: str
  returned: success
  sample: [ptrace]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import documents, presets, probe
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import changed, document
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.resolve import Resolver, delta
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.workload import Trials, Workload, entry


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Record the workload; BreakwaterError when it can't be run or recorded."""
    target = documents.Target(os.uname().machine, probe.kernel())
    commands = SubprocessRunner()
    docker = Docker(commands)
    workload = Workload(params["image"], params["command"], params["run_options"], params["test"], params["timeout"])
    trials = Trials(docker, commands, workload)
    candidates = presets.capabilities(params["capabilities"], "capabilities")
    capabilities = trials.capabilities(candidates)
    with Resolver(docker, LocalFileSystem(), target, starts_containers=True) as resolver:
        base = resolver.base(params["base"], capabilities)
    calls = trials.record(capabilities, base, target.machine)
    made = entry(params["name"], calls, capabilities)
    runtime = presets.preset(made["base"], target.architecture)
    profile = changed(runtime, delta(made, params["name"]))
    trials.verify(capabilities, document(profile))
    return {
        "profile": made,
        "capabilities": list(capabilities),
        "recorded": sorted(calls),
        "margin": sorted(set(profile.allowed) - set(calls)),
        "spared": sorted(set(base.allowed) - set(profile.allowed)),
    }


def main() -> None:
    """Run the module."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "image": {"type": "str", "required": True},
            "command": names,
            "run_options": names,
            "test": names,
            "base": {"type": "str", "default": "engine"},
            "capabilities": {"type": "list", "elements": "str", "default": ["docker"]},
            "timeout": {"type": "int", "default": 30},
        },
    )
    try:
        result = run(module.params)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
