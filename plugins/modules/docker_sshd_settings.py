#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_sshd_settings
short_description: Takes root's logins and passwords from sshd without locking anybody out
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Writes a drop-in of C(sshd_config), lets sshd judge it and loads it. When sshd refuses it, or another file makes it
    void, the former drop-in is put back.
  - Refuses what would keep the connected user from connecting again, and others too whom C(AuthenticationMethods) in
    any file or C(Match) block asks for a password or an answer besides their key.
  - Makes nothing looser. Where another file of sshd has a stricter value, such as C(PermitRootLogin no), the drop-in
    has it too, whatever the options say; change it there to loosen it.
  - It is the least for a host that nothing else hardens. The collection C(devsec.hardening) does far more.
options:
  permit_root_login:
    description: How root may log in at most. V(no) is refused on a connection that is root's own.
    type: str
    choices: ["no", prohibit-password]
    default: prohibit-password
  password_authentication:
    description: Whether passwords are accepted. V(false) is refused unless the connected user has an authorized key.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts and refuses as a real run does. That sshd accepts and reads the file shows in a real run only.
  diff_mode:
    support: full
    description: Shows the drop-in before and after.
  idempotent:
    support: full
    description: Changes nothing when the drop-in is right.
notes:
  - Runs as root. A connection by other means than ssh can't be cut off and is not looked at.
"""

EXAMPLES = r"""
- name: Let in keys only
  breakwater.docker.docker_sshd_settings:
"""

RETURN = r"""
user:
  description: Who is connected by ssh; null for another kind of connection.
  type: str
  returned: success
  sample: admin
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.sshd_files import statements
from ansible_collections.breakwater.docker.plugins.module_utils.sshd_settings import (
    PATH,
    apply,
    check,
    connected_user,
    render,
    tightened,
)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "permit_root_login": {
                "type": "str",
                "choices": ["no", "prohibit-password"],
                "default": "prohibit-password",
            },
            "password_authentication": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    allowed = "yes" if module.params["password_authentication"] else "no"
    given = {
        "PermitRootLogin": module.params["permit_root_login"],
        "PasswordAuthentication": allowed,
        "KbdInteractiveAuthentication": allowed,
    }
    files, commands = LocalFileSystem(), SubprocessRunner()
    others = list(statements(files, PATH))
    wanted = tightened(given, others)
    before, after = ConfigFile(PATH).read() or "", render(wanted)
    try:
        user = connected_user(files)
        if before != after:
            check(wanted, others, user, files, commands)
            if not module.check_mode:
                apply(wanted, commands)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=before != after, user=user, diff={"before": before, "after": after})


if __name__ == "__main__":
    main()
