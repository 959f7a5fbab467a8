# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.engine_sockets import (
    Rights,
    apply,
    check,
    current,
    drop_in,
    parse,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError


@pytest.mark.parametrize("mode", ["0666", "0661", "4660", "rw", "0888", "", "-1"])
def test_mode_that_opens_the_socket_to_everybody_is_refused(mode: str) -> None:
    with pytest.raises(InputError, match=r"is no mode for /run/docker.sock.*Nothing was changed"):
        parse("root", "docker", mode)


def test_drop_in_of_the_socket_unit() -> None:
    assert drop_in(parse("root", "operators", "600")).splitlines() == [
        "# Managed by breakwater.docker",
        "[Socket]",
        "SocketUser=root",
        "SocketGroup=operators",
        "SocketMode=0600",
    ]


def test_rights_are_set_and_seen(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    assert current(str(path)) is None
    path.touch(mode=0o666)
    rights = Rights(pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name, 0o660)
    apply(str(path), rights)
    assert current(str(path)) == rights
    assert str(rights).endswith(" 0660")


def test_unknown_group_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    path.touch(mode=0o600)
    with pytest.raises(InputError, match=r"docker\.sock can't belong to root:nosuchgroup"):
        apply(str(path), Rights("root", "nosuchgroup", 0o660))
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_the_group_of_the_engines_package_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_but_root(group: str) -> None:
        if group != "root":
            raise KeyError(f"getgrnam(): name not found: {group!r}")

    monkeypatch.setattr(grp, "getgrnam", none_but_root)
    check(Rights("root", "docker", 0o660))
    check(Rights("root", "root", 0o660))
    for rights in (Rights("root", "dokcer", 0o660), Rights("nosuchuser", "docker", 0o660)):
        with pytest.raises(InputError, match=f"can't belong to {rights.user}:{rights.group}: .* Nothing was changed"):
            check(rights)
