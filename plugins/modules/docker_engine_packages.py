#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_packages
short_description: Installs the engine's packages, holds them and upgrades them when told to
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Installs packages that are missing, in a version of choice, without those that they merely recommend. Packages that
    are there are only changed with O(upgrade). An installation for which apt would remove others is refused.
  - Works with apt and with dnf, and needs nothing but the commands of these. A version that is older than the one that
    is there is refused by apt and installed by dnf.
options:
  name:
    description: Names of the packages, the engine's own first.
    type: list
    elements: str
    required: true
  version:
    description:
      - Version of the first package, and of each other one that has it. The beginning is enough, V(28.0) fits
        V(5:28.0.4-1~debian.12~bookworm). By default it is the newest.
      - A warning tells when another version is installed and O(upgrade) is not set.
    type: str
  install:
    description: Installs packages that are missing. Without it, the first of them has to be there.
    type: bool
    default: true
  upgrade:
    description: Brings installed packages to O(version), also held ones. The package lists are fetched anew.
    type: bool
    default: false
  may_restart:
    description:
      - Whether dockerd may be restarted, which an upgrade takes and some packages do by themselves. Otherwise it is
        left to a later run, and a warning says so.
    type: bool
    default: true
  hold:
    description:
      - Whether the packages are held, so that only O(upgrade) changes their version. By default this stays as it is.
      - With dnf 4, holding needs its versionlock plugin.
    type: bool
attributes:
  check_mode:
    support: full
    description: Predicts from the package lists as they are. Whether the packages can be downloaded is not tried.
  diff_mode:
    support: full
    description: Lists the packages that change, with their versions.
  idempotent:
    support: full
    description: Changes nothing when the packages are as wanted.
"""

EXAMPLES = r"""
- name: Install Docker 28.0 and hold it
  breakwater.docker.docker_engine_packages:
    name: [docker-ce, docker-ce-cli, containerd.io]
    version: "28.0"
    hold: true
"""

RETURN = r"""
installed:
  description: Packages that were installed or brought to another version.
  type: list
  elements: str
  returned: success
  sample: [docker-ce, docker-ce-cli]
"""

from dataclasses import replace
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.engine_packages import (
    apply,
    make_plan,
    present,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import manager_of
from ansible_collections.breakwater.docker.plugins.module_utils.packages import refuse_to_displace
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner


def run(module: AnsibleModule) -> dict[str, Any]:
    """Compare the packages, and change them outside check mode; BreakwaterError when that can't be."""
    params = module.params
    manager = manager_of(SubprocessRunner())
    names = params["name"] if params["install"] else present(params["name"], manager)
    if not module.check_mode and (params["upgrade"] or len(manager.installed(names)) < len(names)):
        manager.refresh()
    plan = make_plan(names, params["version"], params["upgrade"], params["hold"], manager)
    waiting = [] if params["may_restart"] else [name for name in plan.install if name in plan.before]
    plan = replace(plan, install={name: plan.install[name] for name in plan.install if name not in waiting})
    refuse_to_displace(plan.install, manager)
    if not module.check_mode:
        apply(plan, manager)
    for name in plan.outdated:
        module.warn(
            f"{name} is {plan.before[name]}, not {params['version']} as asked: set upgrade to have the version changed."
        )
    if waiting:
        module.warn(
            f"The upgrade of {', '.join(waiting)} waits for a run that may restart dockerd without stopping containers."
        )
    before = [f"{name} {plan.before[name]}\n" for name in plan.install if name in plan.before]
    after = [f"{name} {version or '(any version)'}\n" for name, version in plan.install.items()]
    return {
        "changed": bool(plan.install or plan.hold or plan.release),
        "installed": list(plan.install),
        "diff": {
            "before": "".join([*before, *(f"{name} held\n" for name in plan.release)]),
            "after": "".join([*after, *(f"{name} held\n" for name in plan.hold)]),
        },
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "version": {"type": "str"},
            "install": {"type": "bool", "default": True},
            "upgrade": {"type": "bool", "default": False},
            "may_restart": {"type": "bool", "default": True},
            "hold": {"type": "bool"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except BreakwaterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
