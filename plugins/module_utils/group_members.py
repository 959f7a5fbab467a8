# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Members of a local group. Sources: group(5), gpasswd(1).

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem


@dataclass(frozen=True)
class GroupPlan:
    """Members before and after; `present` is false where the group does not exist yet."""

    name: str
    present: bool
    before: tuple[str, ...]
    after: tuple[str, ...]


def make_plan(
    name: str, members: Sequence[str], exclusive: bool, files: FileSystem, commands: CommandRunner
) -> GroupPlan:
    """Compare the group with the wanted `members`, who are all of it when `exclusive`; InputError for unknown users.

    OSError when the host's accounts can't be read. Users who have the group as their primary one are not its members.
    """
    strangers = sorted(member for member in set(members) if commands.run(("getent", "passwd", member)).rc != 0)
    if strangers:
        raise InputError(f"{name} can't have {', '.join(strangers)}: create the user or correct the list.")
    lines = files.read_text("/etc/group").splitlines()
    entries = [line.split(":") for line in lines if re.match(f"{re.escape(name)}:[^:]*:[^:]*:", line)]
    before = {member for entry in entries for member in entry[3].split(",") if member}
    after = set(members) if exclusive else before | set(members)
    return GroupPlan(name, bool(entries), tuple(sorted(before)), tuple(sorted(after)))


def apply(plan: GroupPlan, commands: CommandRunner) -> None:
    """Make the members what the plan says, in one step; BreakwaterError when the group is missing or it fails."""
    if not plan.present:
        raise BreakwaterError(f"There is no group {plan.name}: install the engine, or correct the group's name.")
    result = commands.run(("gpasswd", "--members", ",".join(plan.after), plan.name))
    if result.rc != 0:
        raise BreakwaterError(f"gpasswd did not change {plan.name}: {result.stderr.strip()}")
