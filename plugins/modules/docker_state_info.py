#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_state_info
short_description: Tells what a role must know of a host before it decides
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Answers alike in check mode and outside it, with and without Docker, systemd and the Python packages of the
    package manager.
options:
  package:
    description: The package whose candidate version is looked up where no engine is installed.
    type: str
    default: docker.io
attributes:
  check_mode:
    support: full
    description: Reads only.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
"""

EXAMPLES = r"""
- name: Examine the host
  breakwater.docker.docker_state_info:
  register: host

- name: Say what is there
  ansible.builtin.debug:
    msg: "Docker {{ host.version }} on {{ host.distribution }}"
  when: host.docker_present
"""

RETURN = r"""
docker_present:
  description: Whether dockerd is installed.
  type: bool
  returned: success
  sample: true
version:
  description: Version of dockerd; null where it is not installed.
  type: str
  returned: success
  sample: 26.1.5+dfsg1
candidate_version:
  description:
    - Version of dockerd, or of the package that would be installed. Null where the package lists are empty.
  type: str
  returned: success
  sample: 26.1.5+dfsg1-9+b1
systemd_booted:
  description: Whether systemd is the host's init.
  type: bool
  returned: success
  sample: true
in_container:
  description: Whether the host is a container itself, so that its kernel is another host's.
  type: bool
  returned: success
  sample: false
security_module:
  description: The security module that the kernel runs, V(apparmor) or V(selinux); null for neither.
  type: str
  returned: success
  sample: apparmor
unit_present:
  description: Whether systemd knows C(docker.service).
  type: bool
  returned: success
  sample: true
socket_present:
  description: Whether C(/run/docker.sock) exists.
  type: bool
  returned: success
  sample: true
engine_stopped:
  description: Whether C(docker.service) is stopped while C(docker.socket) would start it by the first connection.
  type: bool
  returned: success
  sample: false
distribution:
  description: C(ID) of os-release.
  type: str
  returned: success
  sample: debian
distribution_version:
  description: C(VERSION_ID) of os-release, empty where it has none, as Debian's testing.
  type: str
  returned: success
  sample: "13"
codename:
  description: C(VERSION_CODENAME) of os-release.
  type: str
  returned: success
  sample: trixie
package_manager:
  description: V(apt), V(dnf), or empty where the host has neither.
  type: str
  returned: success
  sample: apt
architecture:
  description: dpkg's name of the architecture; empty without dpkg.
  type: str
  returned: success
  sample: amd64
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.host_state import collect
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"package": {"type": "str", "default": "docker.io"}}, supports_check_mode=True)
    files, commands = LocalFileSystem(), SubprocessRunner()
    host = EngineHost(files, commands, EngineApi)
    module.exit_json(changed=False, **collect(files, commands, host, module.params["package"]))


if __name__ == "__main__":
    main()
