#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_packages
short_description: Installs and removes packages, and predicts it on any host
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Installs the packages that are missing, without those that they merely recommend, and removes what must be absent.
  - Unlike M(ansible.builtin.apt) it needs no python3-apt, which a stock Debian does not have, so check mode works there
    and a real run installs nothing else. It predicts without package lists too.
  - An installation for which apt would remove other packages is refused, since somebody may use what they run.
  - Works with apt and with dnf, whichever the host has.
options:
  name:
    description: Names of the packages that must be installed.
    type: list
    elements: str
    default: []
  absent:
    description:
      - Names of packages that must not be installed, with the wildcards of a shell. Names may be of no package at all.
        Where apt removes packages, their configuration files stay.
      - A package that others need, which its removal would take along, is kept.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Predicts the changes; whether the packages can be downloaded is not tried.
  diff_mode:
    support: full
    description: Lists the packages that are removed and installed.
  idempotent:
    support: full
    description: Installed packages are left alone, whatever their version.
"""

EXAMPLES = r"""
- name: Install Debian's engine
  breakwater.docker.docker_packages:
    name: [docker.io, docker-cli]
"""

RETURN = r"""
installed:
  description: Packages that were missing.
  type: list
  elements: str
  returned: success
  sample: [docker.io]
removed:
  description: Packages that were removed.
  type: list
  elements: str
  returned: success
  sample: []
kept:
  description: Packages of O(absent) that were kept, with those that need them.
  type: dict
  returned: success
  sample: {gcc: [dkms]}
orphaned:
  description: Packages that were installed for others which are gone. They are not removed.
  type: list
  elements: str
  returned: when O(absent) is given
  sample: [libgd3]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import manager_of
from ansible_collections.breakwater.docker.plugins.module_utils.packages import (
    Removal,
    missing,
    refuse_to_displace,
    superfluous,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner


def main() -> None:
    """Run the module."""
    packages = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(argument_spec={"name": packages, "absent": packages}, supports_check_mode=True)
    removal = Removal((), {})
    orphans = {}
    try:
        manager = manager_of(SubprocessRunner())
        names = missing(module.params["name"], manager)
        versions = dict.fromkeys(names)
        if module.params["absent"]:
            removal = superfluous(module.params["absent"], manager)
        if names and not module.check_mode:
            manager.refresh()
        refuse_to_displace(versions, manager, removal.remove)
        if removal.remove and not module.check_mode:
            manager.remove(removal.remove)
        if names and not module.check_mode:
            manager.install(versions, change_held=False)
        if module.params["absent"]:
            orphans = {"orphaned": manager.orphaned()}
    except BreakwaterError as error:
        module.fail_json(msg=str(error))
    before, after = ("".join(f"{name}\n" for name in listed) for listed in (removal.remove, names))
    module.exit_json(
        changed=bool(names or removal.remove),
        installed=names,
        removed=list(removal.remove),
        kept={name: list(reasons) for name, reasons in removal.kept.items()},
        diff={"before": before, "after": after},
        **orphans,
    )


if __name__ == "__main__":
    main()
