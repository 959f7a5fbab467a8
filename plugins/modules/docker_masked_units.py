#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_masked_units
short_description: Stops and masks units that a container host does not need
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Masks those of the named units that the host has, all of them in one call. Unlike a disabled unit, a masked one
    can't be started by another unit, by its socket or by a package's upgrade.
  - A unit that an active unit outside the list requires or triggers is kept, and so is everything in O(needed), and the
    service of a socket that is kept.
  - Docker's, containerd's, ssh's and systemd's own units are refused.
options:
  name:
    description: Names of the units, with their endings.
    type: list
    elements: str
    required: true
  needed:
    description: Units that stay although they are in O(name).
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Predicts which units are masked.
  diff_mode:
    support: full
    description: Lists the units.
  idempotent:
    support: full
    description: Changes nothing when the units are masked or not installed.
notes:
  - Runs as root. Where systemd is not the init, no unit can start and nothing is done.
"""

EXAMPLES = r"""
- name: Offer no printing and no file server
  breakwater.docker.docker_masked_units:
    name: [cups.service, cups.socket, nfs-server.service]
"""

RETURN = r"""
masked:
  description: The units that were masked.
  type: list
  elements: str
  returned: success
  sample: [cups.service]
kept:
  description:
    - Units that were kept, with the active units that require or trigger them, C(ModemManager.service) with interfaces
      of mobile networks.
  type: dict
  returned: success
  sample: {rpcbind.socket: [nfs-server.service]}
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.masked_units import Plan, apply, make_plan, modems
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "needed": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    commands = SubprocessRunner()
    plan = Plan((), {})
    try:
        if os.path.isdir("/run/systemd/system"):
            mobile = modems(LocalFileSystem())
            plan = make_plan(module.params["name"], module.params["needed"], commands, mobile)
        if plan.mask and not module.check_mode:
            apply(plan, commands)
    except BreakwaterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(plan.mask),
        masked=list(plan.mask),
        kept={name: list(reasons) for name, reasons in plan.kept.items()},
        diff={"before": "", "after": "".join(f"{name} masked\n" for name in plan.mask)},
    )


if __name__ == "__main__":
    main()
