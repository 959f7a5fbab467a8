# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.denials import Denial, Kernel, shown, since_boot
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.host import refused
from ansible_collections.breakwater.docker.tests.unit.fakes.clock import in_time

Write = Callable[[str, str], None]
LOG = "/var/log/audit/audit.log"


def record(time: int, source: str, target: str, access: str, kind: str = "AVC") -> str:
    """Return a record of the audit log; `access` is like `file read open`."""
    object_class, _separator, permissions = access.partition(" ")
    return (
        f'type={kind} msg=audit({time}.123:4): avc:  denied  {{ {permissions} }} for  pid=9 comm=6E63 name="f"'
        f" scontext=system_u:system_r:{source}:s0:c1,c2 tcontext=system_u:object_r:{target}:s0"
        f" tclass={object_class} permissive=1\n"
    )


def test_denials_of_dockers_domains_since_the_boot(permissive: LocalFileSystem, write: Write) -> None:
    write(f"{LOG}.1", record(1500, "dockerd_t", "var_t", "dir mounton"))
    write(
        LOG,
        record(999, "container_t", "etc_t", "file write")
        + record(1500, "getty_t", "tmpfs_t", "dir read")
        + record(1501, "container_t", "var_t", "file read open")
        + record(1502, "container_t", "var_t", "file read open")
        + "node=a "
        + record(1503, "web_t", "var_t", "file read")
        + record(1504, "spc_t", "init_t", "system start", "USER_AVC"),
    )
    found = {(shown(item), item.permissions) for item in since_boot(permissive, ["web_t"])}
    assert found == {
        ("dockerd_t var_t:dir", frozenset({"mounton"})),
        ("container_t var_t:file", frozenset({"read", "open"})),
        ("web_t var_t:file", frozenset({"read"})),
        ("spc_t init_t:system", frozenset({"start"})),
    }


def test_text_that_a_program_has_recorded_costs_little_time(permissive: LocalFileSystem, write: Write) -> None:
    text = "".join(f"type=USER_AVC msg=audit(1500.1:4): msg='{' denied  { x' * 700}\n" for _line in range(500))
    write(LOG, record(1501, "container_t", "var_t", "file read") + text)
    with in_time():
        assert [shown(item) for item in since_boot(permissive, [])] == ["container_t var_t:file"]


def test_without_a_record_nothing_is_known(permissive: LocalFileSystem) -> None:
    with pytest.raises(BreakwaterError, match="let auditd run"):
        since_boot(permissive, [])


def test_accepted_denials_do_not_count(permissive: LocalFileSystem, write: Write) -> None:
    write(LOG, record(1500, "container_t", "var_t", "file read") + record(1501, "container_t", "var_t", "file open"))
    kernel = Kernel(permissive)
    assert refused(permissive, kernel, [], []) == ["container_t var_t:file { open read }"]
    assert refused(permissive, kernel, [], ["container_t var_t:file"]) == []


def test_what_the_policy_allows_by_now_does_not_count(
    permissive: LocalFileSystem, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("/sys/fs/selinux/access", "")
    write("/sys/fs/selinux/class/file/index", "6")
    write("/sys/fs/selinux/class/file/perms/read", "2")
    write("/sys/fs/selinux/class/file/perms/open", "5")
    kernel = Kernel(permissive, str(tmp_path))
    denial = Denial("u:r:container_t:s0", "u:r:var_t:s0", "file", frozenset({"read", "open"}))
    read = os.read

    def answering(answer: str) -> Callable[[int, int], bytes]:
        """Return os.read, but for the file that the kernel answers in."""
        asked = "/sys/fs/selinux/access"
        return lambda handle, size: (
            f"{answer} ffffffff 0 0 1 0".encode()
            if os.readlink(f"/proc/self/fd/{handle}").endswith(asked)
            else read(handle, size)
        )

    for answer, allowed in {"12": True, "2": False, "ffffffff": True}.items():
        monkeypatch.setattr("os.read", answering(answer))
        assert kernel.allows(denial) is allowed
    assert (tmp_path / "sys/fs/selinux/access").read_text() == "u:r:container_t:s0 u:r:var_t:s0 6"
    assert not kernel.allows(denial._replace(object_class="unknown"))
