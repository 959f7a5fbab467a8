#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_group_members
short_description: Says who is in a group, all of them at once
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Members of the group that may use the engine's socket are as good as root. This module lists them, and with
    O(exclusive) nobody else stays in.
  - Unlike M(ansible.builtin.user) it takes members away as well, and predicts for a group that is only about to exist.
options:
  name:
    description: The group.
    type: str
    default: docker
  members:
    description: Users who are to be members. Each of them must exist.
    type: list
    elements: str
    default: []
  exclusive:
    description: Whether everybody else is taken out of the group.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts, for a group too that does not exist yet.
  diff_mode:
    support: full
    description: Shows the members before and after.
  idempotent:
    support: full
    description: Changes nothing when the members are right.
notes:
  - Users who have the group as their primary group are not touched.
"""

EXAMPLES = r"""
- name: Let nobody but the deployment's user command the engine
  breakwater.docker.docker_group_members:
    members: [deploy]
    exclusive: true
"""

RETURN = r"""
members:
  description: The members afterwards.
  type: list
  elements: str
  returned: success
  sample: [deploy]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.group_members import apply, make_plan
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "docker"},
            "members": {"type": "list", "elements": "str", "default": []},
            "exclusive": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    commands = SubprocessRunner()
    try:
        plan = make_plan(params["name"], params["members"], params["exclusive"], LocalFileSystem(), commands)
        changed = plan.before != plan.after
        if changed and not module.check_mode:
            apply(plan, commands)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    before, after = ("".join(f"{member}\n" for member in members) for members in (plan.before, plan.after))
    module.exit_json(changed=changed, members=list(plan.after), diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
