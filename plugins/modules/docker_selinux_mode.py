#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_selinux_mode
short_description: Brings a container host to SELinux's modes, permissive first
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - A host whose kernel runs without SELinux is told to boot with it, permissive, and to label its file systems before.
    The module itself never boots.
  - A permissive host that is up for O(permissive_seconds) becomes enforcing when nothing was denied to Docker's domains
    since the boot that the policy in the kernel would deny again. Otherwise it stays permissive, and the module fails
    and shows the denials.
  - V(disabled) makes an enforcing kernel permissive at once, and the next boot one without SELinux.
options:
  state:
    description: The mode to get to.
    type: str
    choices: [enforcing, permissive, disabled]
    required: true
  permissive_seconds:
    description: How long a permissive host has to be up before it becomes enforcing.
    type: int
    default: 0
  types:
    description: Types of containers besides those of the policy, whose denials count as well.
    type: list
    elements: str
    default: []
  accepted_denials:
    description: Denials that do not count, in the form in which they are shown, like V(container_t sysfs_t:file).
    type: list
    elements: str
    default: []
  allow_interruption:
    description: Allows V(disabled) though there are containers that were made under SELinux and can't start without it.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts, and refuses as a real run does.
  diff_mode:
    support: full
    description: Shows the files and the kernel's mode.
  idempotent:
    support: full
    description: Changes nothing while a boot is outstanding or the mode is right.
notes:
  - Runs as root. Where the kernel has no SELinux nothing is done, and RV(supported) and RV(reason) say so.
  - Denials are read from the log of auditd, without which no host becomes enforcing. What a policy denies silently
    (C(dontaudit)) is not among them.
"""

EXAMPLES = r"""
- name: Enforce SELinux, if that would deny the containers nothing
  breakwater.docker.docker_selinux_mode:
    state: enforcing
    accepted_denials: ["container_t sysfs_t:file"]
"""

RETURN = r"""
supported:
  description: Whether this host can have SELinux.
  type: bool
  returned: success
reason:
  description: Why it can't; empty where it can.
  type: str
  returned: success
  sample: ""
mode:
  description: The kernel's mode after this run.
  type: str
  returned: success
  sample: permissive
reboot_required:
  description: Whether a boot is outstanding.
  type: bool
  returned: success
unconfined:
  description: Names of running containers that were made before the engine used SELinux, which does not confine them.
  type: list
  elements: str
  returned: success
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import inspect_all
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.kernel import selinux_mode
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.selinux import host
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.denials import Kernel


def containers(all_of_them: bool) -> dict[str, tuple[str, bool]]:
    """Return the label and whether it runs of each container by name; none where no engine answers.

    With `all_of_them` EngineError for an engine that is stopped, since it may have some.
    """
    try:
        with EngineApi(DEFAULT_SOCKET) as api:
            documents = list(inspect_all(api))
    except EngineError as error:
        if error.status == "absent" or (error.status == "stopped" and not all_of_them):
            return {}
        raise
    return {item["Name"].lstrip("/"): (item.get("ProcessLabel", ""), item["State"]["Running"]) for item in documents}


def check_consent(module: AnsibleModule, labelled: list[str]) -> None:
    """Raise InputError where SELinux is to go from below containers that can't start without it."""
    if labelled and not module.params["allow_interruption"]:
        raise InputError(
            f"These containers were made under SELinux and can't start without it: {', '.join(labelled)}. Remove them"
            " first, and make them anew after the boot; or allow the interruption. Nothing was changed."
        )


def check_denials(module: AnsibleModule, files: LocalFileSystem) -> None:
    """Raise BreakwaterError where enforcing would stop something that Docker's domains do."""
    found = host.refused(files, Kernel(files), module.params["types"], module.params["accepted_denials"])
    if found:
        raise BreakwaterError(
            "SELinux stays permissive, since enforcing would stop what was done since the boot: "
            + "; ".join(found)
            + ". Label the volumes, set a boolean or add a module to allow it, or accept the denials."
        )


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan the mode and, outside check mode, bring it about; BreakwaterError when it can't or must not be."""
    files, state = LocalFileSystem(), module.params["state"]
    before = selinux_mode(files)
    reason = host.obstacle(files)
    if reason:
        return {
            "changed": False,
            "supported": False,
            "reason": reason,
            "mode": before,
            "reboot_required": False,
            "unconfined": [],
        }
    early = before == host.PERMISSIVE and host.uptime(files) < module.params["permissive_seconds"]
    plan = host.make_plan(host.PERMISSIVE if state == host.ENFORCING and early else state, files)
    known = containers(all_of_them=state == host.DISABLED and not module.params["allow_interruption"])
    if state == host.DISABLED:
        check_consent(module, sorted(name for name, (label, _running) in known.items() if label))
    if plan.mode == host.ENFORCING and before == host.PERMISSIVE:
        check_denials(module, files)
    texts = host.changes(plan, files)
    diffs = [
        {"before": text_of(files, path), "after": text or "", "before_header": path, "after_header": path}
        for path, text in texts.items()
    ]
    after = before if before == host.DISABLED else plan.mode
    if after != before:
        diffs.append(
            {"before": f"{before}\n", "after": f"{after}\n", "before_header": "kernel", "after_header": "kernel"}
        )
    if not module.check_mode:
        host.apply(plan, files, SubprocessRunner())
    return {
        "changed": bool(diffs),
        "supported": True,
        "reason": "",
        "mode": after,
        "reboot_required": plan.reboot,
        "unconfined": sorted(
            name for name, (label, running) in known.items() if running and not label and before != host.DISABLED
        ),
        "diff": diffs,
    }


def main() -> None:
    """Run the module."""
    strings: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": [host.ENFORCING, host.PERMISSIVE, host.DISABLED], "required": True},
            "permissive_seconds": {"type": "int", "default": 0},
            "types": strings,
            "accepted_denials": strings,
            "allow_interruption": {"type": "bool", "default": False},
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
