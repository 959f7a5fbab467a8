#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_kernel_settings
short_description: Hardens the kernel of a container host, and keeps others from breaking Docker by it
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Sets sysctls, forbids kernel modules and passes kernel parameters, each by one file, and tells the running kernel.
  - Before anything changes it looks at what other files and the running kernel say of settings that break Docker
    (forwarding, user namespaces, the bridge's filter, forbidden modules), and refuses or overrides them.
  - In a container only settings of its own network are applied, since all others are the machine's. The files are
    written there too.
options:
  sysctl:
    description:
      - Values by key, written to C(/etc/sysctl.d/zz-breakwater.conf) and applied where the kernel has the key.
      - A locked key keeps its value until the next boot.
    type: dict
    default: {}
  at_least:
    description: Keys of O(sysctl) of which a larger number in the running kernel is stricter, and therefore stays.
    type: list
    elements: str
    default: []
  blocked_modules:
    description:
      - Modules that must not be loaded, by name, with the reason. The file is C(/etc/modprobe.d/zz-breakwater.conf).
      - A module that is loaded is in use and therefore left out, and one that Docker needs is refused.
    type: dict
    default: {}
  parameters:
    description:
      - Parameters of the kernel's command line, written to C(/etc/default/grub.d/zz-breakwater.cfg). When
        C(update-grub) fails, or leaves one out, the former file is put back.
      - On a host without C(update-grub), and when a boot did not bring them, they are reported in RV(not_applied).
    type: list
    elements: str
    default: []
  uses:
    description:
      - What the engines of this host do beyond plain containers, so that it is not broken.
      - User namespaces and IPv6 in C(daemon.json) are noticed without it.
    type: list
    elements: str
    choices: [ipv6, rootless, swarm, userns_remap]
    default: []
  override_conflicts:
    description: Sets what breaks Docker to a working value, with the reason as comment, instead of refusing.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts files and settings. That the kernel refuses a value shows in a real run only.
  diff_mode:
    support: full
    description: Shows files and settings before and after.
  idempotent:
    support: full
    description: Changes nothing when files and running kernel are right.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host, and C(update-grub) for parameters.
"""

EXAMPLES = r"""
- name: Hide kernel addresses and keep AF_ALG out of reach
  breakwater.docker.docker_kernel_settings:
    sysctl:
      kernel.kptr_restrict: 2
    blocked_modules:
      af_alg: CVE-2026-31431
"""

RETURN = r"""
not_applied:
  description: What was not applied to the running kernel, and why.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Key, module or parameter.
      type: str
    reason:
      description: Why it was not applied.
      type: str
  sample: [{name: kernel.yama.ptrace_scope, reason: this kernel does not have it}]
overridden:
  description: Settings that broke Docker and were overridden.
  type: list
  elements: dict
  returned: success
  contains:
    key:
      description: The key.
      type: str
    value:
      description: Its new value.
      type: str
    reason:
      description: What was found, and what breaks by it.
      type: str
  sample: []
reboot_required:
  description: Kernel parameters that wait for a reboot, by which they come.
  type: list
  elements: str
  returned: success
  sample: [lockdown=integrity]
hardened_kernel:
  description: Name of the patches of a hardened kernel, V(grsecurity) or V(linux-hardened); null for an ordinary one.
  type: str
  returned: success
  sample: grsecurity
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.kernel import boot, conflicts, modules, sysctls
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan everything, then, outside check mode, do it; BreakwaterError when it can't or must not be done."""
    params = module.params
    files = LocalFileSystem()
    given = {key: sysctls.normal(value) for key, value in params["sysctl"].items()}
    wanted = sysctls.with_stricter(given, params["at_least"], files)
    overrides = conflicts.resolve(wanted, params["uses"], params["override_conflicts"], files)
    settings = {**wanted, **{item.key: item.value for item in overrides}}
    kernel = sysctls.make_plan(settings, {item.key: item.reason for item in overrides}, files)
    blocked_text, in_use = modules.make_plan(params["blocked_modules"], params["uses"], files)
    boot_plan = boot.make_plan(params["parameters"], files)
    texts = {sysctls.PATH: kernel.text, modules.PATH: blocked_text, boot.PATH: boot_plan.text}
    before = {path: ConfigFile(path).read() for path in texts}
    changed = {
        path: text for path, text in texts.items() if text != before[path] or (path == boot.PATH and boot_plan.lacks)
    }
    refused: list[sysctls.Skipped] = []
    if not module.check_mode:
        for path, text in changed.items():
            if path != boot.PATH:
                ConfigFile(path).put(text)
        refused = sysctls.apply(kernel.changes)
        if boot.PATH in changed:
            boot.apply(boot.PATH, boot_plan.text, files, SubprocessRunner())
    live = {key: values for key, values in kernel.changes.items() if key not in [item.name for item in refused]}
    skipped = [*kernel.skipped, *refused, *in_use, *boot_plan.skipped]
    diffs = [
        {"before": before[path] or "", "after": text or "", "before_header": path, "after_header": path}
        for path, text in changed.items()
    ]
    if live:
        shown = ("".join(f"{key} = {values[side]}\n" for key, values in live.items()) for side in (0, 1))
        diffs.append({**dict(zip(("before", "after"), shown)), "before_header": "kernel", "after_header": "kernel"})
    return {
        "changed": bool(changed or live),
        "not_applied": [item._asdict() for item in skipped],
        "overridden": [item._asdict() for item in overrides],
        "reboot_required": list(boot_plan.waiting),
        "hardened_kernel": boot.hardened_kernel(files),
        "diff": diffs,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "sysctl": {"type": "dict", "default": {}},
            "at_least": {"type": "list", "elements": "str", "default": []},
            "blocked_modules": {"type": "dict", "default": {}},
            "parameters": {"type": "list", "elements": "str", "default": []},
            "uses": {
                "type": "list",
                "elements": "str",
                "choices": ["ipv6", "rootless", "swarm", "userns_remap"],
                "default": [],
            },
            "override_conflicts": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
