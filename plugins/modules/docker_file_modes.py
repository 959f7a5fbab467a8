#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_file_modes
short_description: Tightens owners and modes of many files in one call
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Gives files to their owners and takes permissions away that they must not have. It never grants one, so a file that
    is closed further than O(files[].mode) stays so.
  - Files that a host does not have are passed over, so one list serves every host.
options:
  files:
    description: The files. Where several entries fit a file, the first one counts.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Path, or a shell pattern of paths. Symbolic links are followed if they are root's and lead to what is in the
            list itself or below it.
          - What others may share, such as a key in C(/etc/ssl), is reported instead.
        type: str
        required: true
      owner:
        description: Who the file is given to; by default it stays.
        type: str
      group:
        description: Which group it is given to; by default it stays.
        type: str
      mode:
        description: Permissions that it may have at most, as octal digits.
        type: str
attributes:
  check_mode:
    support: full
    description: Predicts the changes.
  diff_mode:
    support: full
    description: Lists the files that change, with owner, group and mode.
  idempotent:
    support: full
    description: Changes nothing when no file is too open.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host.
"""

EXAMPLES = r"""
- name: Close the engine's files
  breakwater.docker.docker_file_modes:
    files:
      - {path: /etc/docker, owner: root, group: root, mode: "0755"}
      - {path: /etc/docker/certs.d/*/*.key, owner: root, group: root, mode: "0400"}
"""

RETURN = r"""
files:
  description: The files that were changed.
  type: list
  elements: str
  returned: success
  sample: [/etc/docker/daemon.json]
left_alone:
  description: Files that were left alone although they exist, and why.
  type: list
  elements: dict
  returned: success
  contains:
    path:
      description: The path.
      type: str
    reason:
      description: Why it was left alone.
      type: str
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.file_modes import apply, make_plan, shown


def main() -> None:
    """Run the module."""
    entry = {
        "path": {"type": "str", "required": True},
        "owner": {"type": "str"},
        "group": {"type": "str"},
        "mode": {"type": "str"},
    }
    module = AnsibleModule(
        argument_spec={"files": {"type": "list", "elements": "dict", "required": True, "options": entry}},
        supports_check_mode=True,
    )
    try:
        changes, skipped = make_plan(module.params["files"])
        if changes and not module.check_mode:
            apply(changes)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    before, after = shown(changes)
    module.exit_json(
        changed=bool(changes),
        files=[change.path for change in changes],
        left_alone=[item._asdict() for item in skipped],
        diff={"before": before, "after": after},
    )


if __name__ == "__main__":
    main()
