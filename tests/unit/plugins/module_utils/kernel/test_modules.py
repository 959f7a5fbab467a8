# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.kernel.modules import make_plan
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

Write = Callable[[str, str], None]


def test_modules_are_blocked_unless_they_are_loaded(files: LocalFileSystem, write: Write) -> None:
    write("/proc/modules", "usb_storage 77824 1 uas, Live 0x0\nveth 1 0 - Live 0x0\n")
    text, skipped = make_plan({"af_alg": "CVE-2026-31431:\n sockets", "usb-storage": "disks"}, [], files)
    assert text.endswith("# CVE-2026-31431: sockets\ninstall af_alg /bin/false\n")
    assert [item.name for item in skipped] == ["usb-storage"]
    assert "usb" not in text


@pytest.mark.parametrize(("vendor", "blocked"), [("Microsoft Corporation", False), ("QEMU", True)])
def test_new_machines_of_azure_can_read_who_may_log_in(
    files: LocalFileSystem, write: Write, vendor: str, blocked: bool
) -> None:
    write("/sys/class/dmi/id/sys_vendor", f"{vendor}\n")
    text, skipped = make_plan({"udf": "rare", "hfs": "rare"}, [], files)
    assert ("install udf " in text) is blocked
    assert "install hfs " in text
    assert [item.name for item in skipped] == ([] if blocked else ["udf"])


@pytest.mark.parametrize(("name", "uses"), [("overlay", []), ("br-netfilter", []), ("ip_vs", ["swarm"])])
def test_modules_that_docker_needs_are_refused(files: LocalFileSystem, name: str, uses: list[str]) -> None:
    with pytest.raises(InputError, match="Docker needs"):
        make_plan({name: "x"}, uses, files)


def test_module_of_swarm_may_be_blocked_without_it(files: LocalFileSystem) -> None:
    assert "install ip_vs /bin/false" in make_plan({"ip_vs": "x"}, [], files)[0]


def test_what_is_no_module_is_refused(files: LocalFileSystem) -> None:
    with pytest.raises(InputError, match="is no name of a kernel module"):
        make_plan({"udf /bin/sh": "x"}, [], files)
