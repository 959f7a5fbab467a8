# The same host, taken back to AppArmor; after test_selinux.py, by its name.

from __future__ import annotations

from pathlib import Path
from typing import Any

import bed
import pytest

testinfra_hosts = bed.hosts()


@pytest.fixture(scope="module", autouse=True)
def disabled() -> None:
    bed.play(str(Path(__file__).parents[1] / "disable.yml"))


def test_host_runs_apparmor_again(host: Any) -> None:
    assert host.check_output("cat /sys/module/apparmor/parameters/enabled") == "Y"
    assert not host.file("/sys/fs/selinux/enforce").exists
    options = host.check_output("docker info -f '{{.SecurityOptions}}'")
    assert "name=apparmor" in options
    assert "selinux" not in options
    assert host.run("docker run --rm busybox:local true").rc == 0


def test_nothing_of_it_is_left(host: Any) -> None:
    for path in ("/etc/default/grub.d/zz-breakwater-selinux.cfg", "/var/lib/breakwater/selinux-policy.json"):
        assert not host.file(path).exists, path
    assert "=selinux" not in host.check_output("cat /proc/cmdline /boot/grub/grub.cfg")
    assert "selinux" not in host.check_output("cat /etc/docker/daemon.json")
    assert "SELINUX=disabled" in host.check_output("cat /etc/selinux/config")
    assert host.check_output("ls /var/lib/selinux/default/active/modules/400") == ""
    for what in ("fcontext", "port"):
        assert host.check_output(f"semanage {what} --list --locallist --noheading") == ""
