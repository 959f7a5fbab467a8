#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_audit_rules
short_description: Lets the kernel record who touches Docker's files
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Writes one file of audit rules for those of the named paths that the host has, and loads it when the kernel lacks
    one of them, or still has one by the same keys that no file in C(/etc/audit/rules.d) has any more. Rules of other
    files stay.
  - Where auditing can't run, in a container for example, O(load=false) only writes the file.
options:
  paths:
    description:
      - Files and directories whose changes are recorded; of programs the executions as well. Those that don't exist are
        passed over, and symbolic links followed.
    type: list
    elements: str
    required: true
  without:
    description: Those of O(paths) that are not watched after all.
    type: list
    elements: str
    default: []
  client:
    description: The docker command, whose every execution is recorded. By default none is.
    type: path
  backlog:
    description: How many events may wait for auditd before the kernel drops some.
    type: int
    default: 8192
  rate:
    description: How many events a second the kernel passes on at most; 0 is no limit.
    type: int
    default: 0
  immutable:
    description: Whether rules can't be changed before the next boot, once these are loaded.
    type: bool
    default: false
  load:
    description: Whether the kernel is asked for the rules and told them.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Predicts, on a host without auditd too.
  diff_mode:
    support: full
    description: Shows the file before and after, what the kernel lacks and what it is to lose.
  idempotent:
    support: full
    description: Changes nothing when the file and the kernel have the rules.
notes:
  - Runs as root. Needs C(auditctl) and C(augenrules) of the package auditd to load rules.
"""

EXAMPLES = r"""
- name: Record changes of the engine's configuration, and every docker command
  breakwater.docker.docker_audit_rules:
    paths: [/etc/docker, /usr/lib/systemd/system/docker.service]
    client: /usr/bin/docker
"""

RETURN = r"""
rules:
  description: The rules in the file.
  type: list
  elements: str
  returned: success
  sample: [-w /etc/docker -p wa -k docker]
loaded:
  description: Whether the kernel has the rules, and by the same keys no others.
  type: bool
  returned: success
  sample: true
reboot_required:
  description: Whether the kernel takes the rules at the next boot only, since those that it has are immutable.
  type: bool
  returned: success
  sample: false
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils import audit_rules
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner


def run(module: AnsibleModule) -> dict[str, Any]:
    """Compare file and kernel with what is wanted and, outside check mode, change them."""
    params = module.params
    commands, files = SubprocessRunner(), LocalFileSystem()
    settings = audit_rules.Settings(params["backlog"], params["rate"], params["immutable"])
    rules = audit_rules.watches(params["paths"], params["without"], params["client"])
    file = ConfigFile(audit_rules.PATH)
    before, after = file.read() or "", audit_rules.render(rules, settings)
    # In check mode the package may only be predicted, and then the kernel has nothing of it.
    unknown = module.check_mode and commands.run(("auditctl", "-v")).rc is None
    live = audit_rules.Live(frozenset(), {}) if unknown or not params["load"] else audit_rules.read_live(commands)
    lacking = audit_rules.differences(rules, settings, live) if params["load"] else []
    surplus = audit_rules.surplus(rules, files, live)
    differs = bool(lacking or surplus)
    loads = differs and not live.immutable
    if not module.check_mode:
        if before != after:
            file.write(after)
        if loads:
            load(rules, settings, files, commands)
    diffs = [{"before": before, "after": after, "before_header": audit_rules.PATH, "after_header": audit_rules.PATH}]
    if loads:
        gone, loaded = ("".join(f"{line}\n" for line in lines) for lines in (surplus, lacking))
        diffs.append({"before": gone, "after": loaded, "before_header": "kernel", "after_header": "kernel"})
    return {
        "changed": before != after or loads,
        "rules": [line for line in after.splitlines() if line.startswith("-w ")],
        "loaded": params["load"] and not (differs and live.immutable),
        "reboot_required": differs and live.immutable,
        "diff": diffs,
    }


def load(
    rules: list[tuple[str, str, str]],
    settings: audit_rules.Settings,
    files: LocalFileSystem,
    commands: SubprocessRunner,
) -> None:
    """Load the files' rules; BreakwaterError when the kernel has others than these afterwards."""
    live = audit_rules.load(commands)
    lacking = audit_rules.differences(rules, settings, live)
    if lacking:
        raise BreakwaterError(f"The kernel did not take {'; '.join(lacking)}: look for errors in `augenrules --load`.")
    surplus = audit_rules.surplus(rules, files, live)
    if surplus:
        raise BreakwaterError(
            f"The kernel keeps {'; '.join(surplus)}: have a line -D in a file in {audit_rules.DIRECTORY}, by which"
            " rules are replaced, or delete them by auditctl."
        )


def main() -> None:
    """Run the module."""
    strings = {"type": "list", "elements": "str"}
    module = AnsibleModule(
        argument_spec={
            "paths": {**strings, "required": True},
            "without": {**strings, "default": []},
            "client": {"type": "path"},
            "backlog": {"type": "int", "default": 8192},
            "rate": {"type": "int", "default": 0},
            "immutable": {"type": "bool", "default": False},
            "load": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
