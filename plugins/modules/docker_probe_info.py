#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_probe_info
short_description: Proves by harmless attempts which threats a Docker host contains
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Tries what an attacker in a container would try, and says what became of it. Each attempt is made in a container as
    a plain C(docker run) starts it, and in one as the role P(breakwater.docker.docker_workload#role) does.
  - An attempt that is refused proves something only if it can succeed. So a control arrangement, which has all rights
    that it could need, makes it too; where that does not succeed, the verdict is V(not_testable).
  - The containers are made of a program of a few kilobytes that this module carries. Nothing is pulled, built or
    installed. The program makes its calls and ends; it opens files of the host and writes to none, and what it uses up
    is bounded.
  - At the end nothing is left of the containers, their two networks, volume and images. What a killed run left is
    removed by the next one, by the label C(breakwater.probe). Nothing else is touched.
  - Of containers that are running it says which attempts would succeed in them, by what the kernel and the engine say
    of their processes. Nothing is run inside of them.
options:
  allow:
    description: Start the containers in check mode as well.
    type: bool
    default: false
  report_dir:
    description:
      - A directory on the controller, in which the results are kept as C(probes/<host>.json).
        M(breakwater.docker.docker_report) adds them to the host's report of the same run.
    type: path
attributes:
  check_mode:
    support: partial
    description: Starts no container.
    details: Without O(allow) no container is started, and only running containers are judged.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Leaves nothing behind.
notes:
  - Runs as root on the host of a rootful engine, and needs nothing but the command C(docker) and Python.
  - The control arrangement has the capabilities DAC_READ_SEARCH, SYS_ADMIN, SYS_MODULE, SYS_PTRACE, SYS_RAWIO and
    SYSLOG and no seccomp filter, and reaches the engine's socket, but has neither a network nor a file of the host to
    write to.
  - The registries that the engine's configuration names, eight at most, are asked for their version, with TLS and
    without, and without credentials.
  - The probe of memory is ended by the kernel where there is a limit, which leaves a line in the kernel's log.
seealso:
  - module: breakwater.docker.docker_report
"""

EXAMPLES = r"""
- name: Prove what the host contains
  breakwater.docker.docker_probe_info:
  register: proof

- name: Require that hardened containers hold against all threats
  ansible.builtin.assert:
    that: item.value.hardened != 'exposed'
    fail_msg: "{{ item.key }} is not contained"
  loop: "{{ proof.threats | dict2items }}"
"""

RETURN = r"""
started:
  description: Whether containers were started to try.
  type: bool
  returned: success
reason:
  description: Why none were started; null when they were.
  type: str
  returned: success
  sample: null
threats:
  description: By threat, the verdict under each arrangement, and the running containers in which a probe would succeed.
  type: dict
  returned: success
  sample: {T1: {default: contained, hardened: contained, exposed_containers: [backup]}}
probes:
  description: The attempts.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: The probe's id.
      type: str
    title:
      description: What is tried.
      type: str
    threats:
      description: The threats that it belongs to.
      type: list
      elements: str
    control:
      description: What it comes to with all rights.
      type: str
    default:
      description: The C(verdict), V(contained), V(exposed) or V(not_testable), and its C(reason), under C(docker run).
      type: dict
    hardened:
      description: The same under docker_workload.
      type: dict
  sample:
    - id: mount
      title: Mount a file system
      threats: [T1, T2]
      control: it mounts a file system
      default: {verdict: contained, reason: refused with EPERM.}
      hardened: {verdict: contained, reason: refused with EPERM.}
containers:
  description: The running containers, with the probes that would succeed in them.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The container's name.
      type: str
    exposed:
      description: The probes, and why they would succeed.
      type: list
      elements: dict
  sample:
    - name: backup
      exposed: [{probe: shocker, reason: the kernel lets it have DAC_READ_SEARCH}]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.collector import collect
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.probe import model, proof, running
from ansible_collections.breakwater.docker.plugins.module_utils.probe.options import PROBE_OPTIONS


def prove(allowed: bool) -> dict[str, Any]:
    """Judge the running containers and, if allowed, make the attempts."""
    files, commands = LocalFileSystem(), SubprocessRunner()
    with EngineApi(DEFAULT_SOCKET) as reader:
        evidence = collect(reader, files, commands, DEFAULT_SOCKET)
    containers = [
        {"name": item["name"], "exposed": running.exposures(item, evidence)}
        for item in evidence["containers"]
        if item["running"]
    ]
    results: list[dict[str, Any]] = []
    reason = evidence["engine"]["reason"]
    if reason is None and not allowed:
        reason = "In check mode no container is started, unless docker_probe_allow (option allow) is set."
    if reason is None:
        results = proof.prove(Docker(commands), files, os.uname().machine, os.urandom(4).hex())
    return {
        "started": reason is None,
        "reason": reason,
        "threats": model.by_threat(proof.PROBES, results, containers),
        "probes": results,
        "containers": containers,
    }


def main() -> None:
    """Run the module."""
    # the directory is the action plugin's, which writes on the controller
    module = AnsibleModule(argument_spec=PROBE_OPTIONS, supports_check_mode=True)
    try:
        result = prove(module.params["allow"] or not module.check_mode)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
