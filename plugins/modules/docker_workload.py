#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_workload
short_description: Runs containers that are hardened unless somebody says why not
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Brings containers, their networks and volumes to what is described, in one call. What is not said is secure.
  - Before anything changes, the description is judged by the controls of the audit, strict profile. What fails one
    needs a reason in C(reasons), which becomes a label of the container and so a part of the audit's report.
  - A container that has to change is replaced by a new one that has become healthy first, where the two can run at the
    same time. When the new one is not well, the former one stays or comes back.
  - A container that needs no change is not touched, and neither is one that is not listed.
options:
  containers:
    description: The containers, in the order in which they are started.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The container's name, and how others on its networks reach it.
        type: str
        required: true
      owner:
        description: The tenant or application that it belongs to. It shares nothing with others unless that is said.
        type: str
        required: true
      image:
        description: The image. By digest or id with O(profile=strict), an id with a reason. A missing one is pulled.
        type: str
        required: true
      entrypoint:
        description: Program in place of the image's.
        type: list
        elements: str
        default: []
      command:
        description: Arguments in place of the image's.
        type: list
        elements: str
        default: []
      user:
        description: User and group, by default the image's where that is not root, else V(65532:65532).
        type: str
        default: ""
      environment:
        description: Environment variables. Everybody who may inspect the container reads them.
        type: dict
        default: {}
      secrets:
        description: Secrets as files C(/run/secrets/NAME), which only the container's user can read.
        type: list
        elements: dict
        default: []
        suboptions:
          name:
            description: Name of the file.
            type: str
            required: true
          content:
            description: The secret.
            type: str
            required: true
          group_readable:
            description: Whether the container's group can read it, too.
            type: bool
            default: false
      ports:
        description: Ports that the host publishes.
        type: list
        elements: dict
        default: []
        suboptions:
          container_port:
            description: The container's port, like V(80) or V(53/udp).
            type: str
            required: true
          host_address:
            description: The host's address.
            type: str
            default: 127.0.0.1
          host_port:
            description: The host's port, or a range of which a free one is taken, so that two containers can overlap.
            type: str
            required: true
      networks:
        description: Its networks, by default one that is named like its owner.
        type: list
        elements: str
        default: []
      volumes:
        description: Named volumes, and paths of the host, that it mounts.
        type: list
        elements: dict
        default: []
        suboptions:
          volume:
            description: Name of a volume. A new one belongs to the container's user where that is a number.
            type: str
          host_path:
            description: A path of the host, which has to be there.
            type: str
          target:
            description: Where it is in the container.
            type: str
            required: true
          read_only:
            description: Whether it can only be read.
            type: bool
            default: false
      tmpfs:
        description: File systems in memory, as their places and sizes.
        type: dict
        default: {/tmp: 64m}
      read_only:
        description: Whether its root file system can only be read.
        type: bool
        default: true
      memory:
        description: Limit of memory. Nothing is swapped.
        type: str
        default: 256m
      cpus:
        description: Limit of CPUs.
        type: float
        default: 1.0
      pids:
        description: Limit of processes and threads.
        type: int
        default: 100
      ulimits:
        description: Resource limits, as C(SOFT:HARD).
        type: dict
        default: {nofile: "1024:16384"}
      cap_add:
        description: Capabilities that it has. All others are dropped.
        type: list
        elements: str
        default: []
      devices:
        description: Devices of the host that it has.
        type: list
        elements: str
        default: []
      privileged:
        description: Whether nothing confines it.
        type: bool
        default: false
      seccomp:
        description: Path of a seccomp profile on the host, by default the engine's own profile.
        type: str
        default: ""
      apparmor:
        description: Name of an AppArmor profile, by default the engine's own profile.
        type: str
        default: ""
      selinux:
        description: SELinux labels, like V(type:container_t) or V(level:s0:c1,c2).
        type: list
        elements: str
        default: []
      restart:
        description: When the engine starts it again, V(on-failure:N), V(no), V(always) or V(unless-stopped).
        type: str
        default: on-failure:5
      health:
        description: Its health check.
        type: dict
        suboptions:
          test:
            description: The check, like V([CMD, /bin/check]).
            type: list
            elements: str
            default: []
          image:
            description: Whether the image's own check is made.
            type: bool
            default: false
          interval:
            description: Seconds between checks.
            type: int
            default: 10
          timeout:
            description: Seconds that one may take.
            type: int
            default: 5
          retries:
            description: How many have to fail in a row.
            type: int
            default: 3
          start_period:
            description: Seconds in which failures do not count yet.
            type: int
            default: 30
      init:
        description: Whether the engine's small init is its first process, which needs C(docker-init) on the host.
        type: bool
        default: false
      labels:
        description: Labels.
        type: dict
        default: {}
      stop_timeout:
        description: Seconds that it has to end.
        type: int
        default: 10
      start_timeout:
        description: Seconds in which it has to become healthy, or to run for three seconds without a health check.
        type: int
        default: 60
      adopt:
        description: Whether it takes the place of a container of this name that something else made.
        type: bool
        default: false
      reasons:
        description: Why it fails a control, by the control's id.
        type: dict
        default: {}
  networks:
    description: Networks that are not as the default, a bridge on which containers can't reach each other.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The network's name.
        type: str
        required: true
      owner:
        description: Whose it is.
        type: str
        required: true
      shared_with:
        description: Other owners whose containers may join it.
        type: list
        elements: str
        default: []
      icc:
        description: Whether its containers reach each other.
        type: bool
        default: false
      internal:
        description: Whether it has no way to the outside.
        type: bool
        default: false
      subnet:
        description: Its subnet, by default one of the engine's pools.
        type: str
        default: ""
      reasons:
        description: Why it fails a control, by the control's id.
        type: dict
        default: {}
  volumes:
    description: Volumes that containers of several owners share.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The volume's name.
        type: str
        required: true
      owner:
        description: Whose it is.
        type: str
        required: true
      shared_with:
        description: Other owners whose containers may mount it.
        type: list
        elements: str
        default: []
  tenants:
    description: Quotas of owners, for the sum of their containers' limits. Where there are any, each owner needs one.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The owner.
        type: str
        required: true
      containers:
        description: How many containers.
        type: int
      memory:
        description: How much memory.
        type: str
      cpus:
        description: How many CPUs.
        type: float
      pids:
        description: How many processes.
        type: int
  absent:
    description: Containers of this module that are stopped and removed. Their volumes stay.
    type: list
    elements: str
    default: []
  profile:
    description: V(strict) refuses images not named by their content. An id, which has no signature, needs a reason.
    type: str
    choices: [baseline, strict]
    default: baseline
  allow_interruption:
    description: Whether a container may be stopped before its successor starts, where the two can't run together.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts, on a host without an engine, too.
  diff_mode:
    support: full
    description: Shows what containers are made of, without the values of environment variables.
  idempotent:
    support: full
    description: Changes nothing when the containers run as described.
"""

EXAMPLES = r"""
- name: Run a web server that is as confined as it can be
  breakwater.docker.docker_workload:
    containers:
      - name: web
        owner: shop
        image: registry.example.org/shop/web@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
        ports: [{container_port: "8080", host_port: 8080-8081}]
        secrets: [{name: database_password, content: "{{ vaulted_password }}"}]
        health: {test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1:8080/health"]}
"""

RETURN = r"""
created:
  description: Containers that are new.
  type: list
  elements: str
  returned: success
  sample: [web]
replaced:
  description: Containers that were made anew.
  type: list
  elements: str
  returned: success
  sample: []
started:
  description: Containers that had ended and were started.
  type: list
  elements: str
  returned: success
  sample: []
removed:
  description: Containers that were removed.
  type: list
  elements: str
  returned: success
  sample: []
weaknesses:
  description: What fails a control of the audit, each with O(containers[].name), control, title and reason.
  type: list
  elements: dict
  returned: success
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.workload.options import OPTIONS, hidden
from ansible_collections.breakwater.docker.plugins.module_utils.workload.run import bring_about


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    # no_log is for the host's log of module calls; here it is narrowed, or no message could have a variable's value
    module.no_log_values = hidden(module.params["containers"])
    try:
        with EngineApi(SOCKET, timeout=60.0) as reader:
            result = bring_about(module.params, reader, module.check_mode)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
