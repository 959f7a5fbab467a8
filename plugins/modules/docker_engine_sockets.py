#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_sockets
short_description: Says who may open the sockets of the engine
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Gives C(/run/docker.sock) an owner, a group and a mode, at once and, by a drop-in of C(docker.socket), whenever
    it is made anew. The socket stays open meanwhile, and dockerd is not restarted.
  - Takes C(/run/containerd/containerd.sock) back to root where others may open it.
options:
  user:
    description: Owner of C(/run/docker.sock), who must exist.
    type: str
    default: root
  group:
    description: Group of C(/run/docker.sock), which must exist unless it is V(docker). Its members are as good as root.
    type: str
    default: docker
  mode:
    description: Mode of C(/run/docker.sock), at most V(0770).
    type: str
    default: "0660"
attributes:
  check_mode:
    support: full
    description: Predicts the changes. The group V(docker) may be one that the engine's package is yet to bring.
  diff_mode:
    support: full
    description: Shows the rights and the drop-in before and after.
  idempotent:
    support: full
    description: Changes nothing when all rights are right.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host.
"""

EXAMPLES = r"""
- name: Let only members of the group operators command the engine
  breakwater.docker.docker_engine_sockets:
    group: operators
"""

RETURN = r"""
sockets:
  description: The sockets whose rights were changed.
  type: list
  elements: str
  returned: success
  sample: [/run/docker.sock]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.engine_sockets import (
    CONTAINERD,
    CONTAINERD_RIGHTS,
    DOCKER,
    DROP_IN,
    Rights,
    apply,
    check,
    current,
    drop_in,
    parse,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner


def plan(rights: Rights) -> list[tuple[str, Rights, Rights]]:
    """Return each socket whose rights are to change, with those before and after."""
    found = [(DOCKER, current(DOCKER), rights), (CONTAINERD, current(CONTAINERD), CONTAINERD_RIGHTS)]
    return [(path, before, after) for path, before, after in found if before not in (None, after)]


def run(module: AnsibleModule) -> dict[str, Any]:
    """Compare, and change outside check mode; BreakwaterError or OSError when that can't be."""
    params = module.params
    commands = SubprocessRunner()
    rights = parse(params["user"], params["group"], params["mode"])
    check(rights)
    unit = ConfigFile(DROP_IN)
    before = unit.read() or ""
    after = drop_in(rights) if os.path.isdir("/run/systemd/system") else before
    changes = plan(rights)
    if not module.check_mode:
        # In this order a group docker that does not exist is noticed before the unit depends on it.
        for path, _before, wanted in changes:
            apply(path, wanted)
        if after != before:
            unit.write(after)
        # A run that was killed may have written it as well.
        if "=yes" in commands.run(("systemctl", "show", "docker.socket", "--property=NeedDaemonReload")).stdout:
            commands.run(("systemctl", "daemon-reload"), timeout=60)
    shown = {"before": "".join(f"{path} {old}\n" for path, old, _new in changes) + before}
    shown["after"] = "".join(f"{path} {new}\n" for path, _old, new in changes) + after
    return {"changed": bool(changes) or after != before, "sockets": [path for path, _b, _a in changes], "diff": shown}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "default": "root"},
            "group": {"type": "str", "default": "docker"},
            "mode": {"type": "str", "default": "0660"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
