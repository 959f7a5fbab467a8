# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.group_members import GroupPlan, apply, make_plan
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem

GROUPS = "root:x:0:\ndocker:x:101:alice,bob\ndocker2:x:102:eve\nbroken\n"


class Commands:
    """Knows the users alice and carol."""

    def __init__(self, rc: int = 0) -> None:
        self.rc = rc
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        self.seen.append(" ".join(argv))
        if argv[0] == "getent":
            return CommandResult(0 if argv[2] in ("alice", "carol") else 2, "", "")
        return CommandResult(self.rc, "", "Permission denied.\n")


@pytest.fixture
def files(tmp_path: Path) -> LocalFileSystem:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/group").write_text(GROUPS)
    return LocalFileSystem(str(tmp_path))


@pytest.mark.parametrize(
    ("members", "exclusive", "after"),
    [
        ([], False, ("alice", "bob")),
        (["carol"], False, ("alice", "bob", "carol")),
        (["carol", "alice"], True, ("alice", "carol")),
        ([], True, ()),
    ],
)
def test_members(members: list[str], exclusive: bool, after: tuple[str, ...], files: LocalFileSystem) -> None:
    plan = make_plan("docker", members, exclusive, files, Commands())
    assert (plan.present, plan.before, plan.after) == (True, ("alice", "bob"), after)


def test_unknown_users_are_refused(files: LocalFileSystem) -> None:
    with pytest.raises(InputError, match=r"docker can't have mallory, trent: create the user"):
        make_plan("docker", ["trent", "alice", "mallory"], False, files, Commands())


def test_group_that_is_only_about_to_exist_is_predicted(files: LocalFileSystem) -> None:
    plan = make_plan("dock", ["alice"], False, files, Commands())
    assert (plan.present, plan.after) == (False, ("alice",))
    with pytest.raises(BreakwaterError, match="There is no group dock: install the engine"):
        apply(plan, Commands())


def test_all_members_are_set_in_one_step() -> None:
    plan = GroupPlan("docker", True, ("bob",), ("alice", "carol"))
    commands = Commands()
    apply(plan, commands)
    assert commands.seen == ["gpasswd --members alice,carol docker"]
    with pytest.raises(BreakwaterError, match="gpasswd did not change docker: Permission denied"):
        apply(plan, Commands(rc=1))
