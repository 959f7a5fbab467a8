#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_packages
short_description: Installs Debian packages, and predicts it on any Debian
version_added: 0.1.0
author: Breakwater maintainers (@breakwater)
description:
  - Installs the packages that are missing, without those that they merely recommend.
  - Unlike M(ansible.builtin.apt) it needs no python3-apt, which a stock Debian does not have, so check mode works there
    and a real run installs nothing else. It predicts without package lists too.
options:
  name:
    description: Names of the packages.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    support: full
    description: Predicts the installation; whether the packages can be downloaded is not tried.
  diff_mode:
    support: full
    description: Lists the packages that are missing.
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
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.packages import install, missing
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"name": {"type": "list", "elements": "str", "required": True}}, supports_check_mode=True
    )
    commands = SubprocessRunner()
    try:
        names = missing(module.params["name"], commands)
        if names and not module.check_mode:
            install(names, commands)
    except BreakwaterError as error:
        module.fail_json(msg=str(error))
    shown = "".join(f"{name}\n" for name in names)
    module.exit_json(changed=bool(names), installed=names, diff={"before": "", "after": shown})


if __name__ == "__main__":
    main()
