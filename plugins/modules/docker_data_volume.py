#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_data_volume
short_description: Gives the engine's data a file system of its own
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Tells whether the directory of the engine's data has a file system of its own, and which mount options it lacks.
  - With O(device) it makes one there, where the directory has none. A device that is not blank and a directory that is
    not empty are refused, so no data can be lost.
options:
  path:
    description: The directory of the engine's data.
    type: path
    default: /var/lib/docker
  device:
    description: A blank device to make an ext4 file system on, for example V(/dev/vdb). It is mounted by C(/etc/fstab).
    type: str
  options:
    description: Mount options, those of a new file system and those that are looked for.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Predicts and refuses as a real run does.
  diff_mode:
    support: full
    description: Shows what is mounted before and after.
  idempotent:
    support: full
    description: Changes nothing where the directory has its own file system.
notes:
  - Runs as root. O(device) needs C(e2fsprogs) and C(util-linux) on the host, which every Debian installation has.
"""

EXAMPLES = r"""
- name: Put the engine's data on the second disk before the engine is installed
  breakwater.docker.docker_data_volume:
    device: /dev/vdb
    options: [nodev, nosuid]
"""

RETURN = r"""
own_file_system:
  description: Whether a file system is mounted at the directory itself.
  type: bool
  returned: success
  sample: true
missing_options:
  description: Mount options that it lacks.
  type: list
  elements: str
  returned: success
  sample: [nosuid]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.data_volume import Volume, check, create, examine
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "default": "/var/lib/docker"},
            "device": {"type": "str"},
            "options": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    path, device, options = (module.params[name] for name in ("path", "device", "options"))
    files, commands = LocalFileSystem(), SubprocessRunner()
    volume = examine(path, files)
    changed = bool(device) and not volume.own
    try:
        if changed:
            check(path, device, options, files, commands)
            if not module.check_mode:
                create(path, device, options, commands)
            volume = Volume(True, tuple(options))
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=changed,
        own_file_system=volume.own,
        missing_options=[option for option in options if option not in volume.options],
        diff={"before": "", "after": f"{device} mounted at {path}\n" if changed else ""},
    )


if __name__ == "__main__":
    main()
