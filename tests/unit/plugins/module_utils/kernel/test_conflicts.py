# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.kernel.conflicts import resolve
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

Write = Callable[[str, str], None]

FORWARD = "net.ipv4.ip_forward"
FILE = "/etc/sysctl.d/50-router.conf"
BUILTIN = "/lib/modules/6.12.48+deb13-amd64/modules.builtin"
NEEDED = [
    "bridge",
    "br_netfilter",
    "nf_conntrack",
    "nf_nat",
    "overlay",
    "veth",
    "xt_MASQUERADE",
    "xt_addrtype",
    "xt_conntrack",
]


def refusal(files: LocalFileSystem, **options: object) -> str:
    given = {"wanted": {}, "uses": [], "override": False, **options}
    with pytest.raises(InputError) as caught:
        resolve(files=files, **given)  # type: ignore[arg-type]
    assert str(caught.value).endswith("Nothing was changed.")
    return str(caught.value)


def test_ordinary_host_has_no_conflict(files: LocalFileSystem, write: Write) -> None:
    write(FORWARD, "0\n")  # as long as no engine runs, which sets it
    write("net.bridge.bridge-nf-call-iptables", "0\n")
    write("/etc/sysctl.d/50-net.conf", "net.ipv6.conf.all.forwarding = 0\nuser.max_user_namespaces = 0\n")
    write("/etc/modprobe.d/x.conf", "install squashfs /bin/false\nblacklist pcspkr\n# install overlay /bin/true\n")
    assert resolve({}, [], False, files) == []


def test_other_file_is_refused_overridden_or_decided_by_the_user(files: LocalFileSystem, write: Write) -> None:
    write(FILE, f"{FORWARD} = 0\n")
    write("/etc/sysctl.conf", f"{FORWARD} = 1\n")
    assert f"{FILE} has {FORWARD} = 0: containers reach nothing" in refusal(files)
    [override] = resolve({}, [], True, files)
    assert (override.key, override.value) == (FORWARD, "1")
    assert override.reason.startswith(f"{FILE} has 0, by which containers")
    assert resolve({FORWARD: "1"}, [], False, files) == []


def test_file_that_sysctl_reads_last_can_only_be_corrected_itself(files: LocalFileSystem, write: Write) -> None:
    write("/etc/sysctl.conf", f"{FORWARD} = 0\n")
    assert f"/etc/sysctl.conf sets {FORWARD} = 0" in refusal(files, override=True)
    assert f"/etc/sysctl.conf sets {FORWARD} = 0" in refusal(files, wanted={FORWARD: "1"})


def test_running_kernel_counts_while_the_engine_runs(files: LocalFileSystem, write: Write) -> None:
    write(FORWARD, "0\n")
    write("/run/docker.pid", "1")
    assert f"the running kernel has {FORWARD} = 0" in refusal(files)
    assert [item.value for item in resolve({}, [], True, files)] == ["1"]


@pytest.mark.parametrize("wanted", [{FORWARD: "0"}, {"net.ipv4.conf.all.forwarding": "0"}])
def test_own_mistake_is_refused(files: LocalFileSystem, wanted: dict[str, str]) -> None:
    assert f"docker_host_sysctl sets {next(iter(wanted))} = 0" in refusal(files, wanted=wanted, override=True)


@pytest.mark.parametrize(
    ("key", "breaks", "uses", "daemon"),
    [
        ("user.max_user_namespaces", "0", ["rootless"], ""),
        ("user.max_user_namespaces", "0", [], '{"userns-remap": "default"}'),
        ("kernel.unprivileged_userns_clone", "0", ["rootless"], ""),
        ("kernel.apparmor_restrict_unprivileged_userns", "1", ["rootless"], ""),
        ("net.ipv6.conf.all.forwarding", "0", ["ipv6"], ""),
        ("net.ipv6.conf.all.disable_ipv6", "1", [], '\ufeff{"ipv6": true}'),
        ("net.bridge.bridge-nf-call-iptables", "0", [], '{"icc": false}'),
        ("net.bridge.bridge-nf-call-iptables", "0", [], '{"userland-proxy": false}'),
    ],
)
def test_settings_count_where_they_are_used(
    files: LocalFileSystem, write: Write, key: str, breaks: str, uses: list[str], daemon: str
) -> None:
    write(FILE, f"{key} = {breaks}\n")
    assert resolve({}, [], False, files) == []
    write("/etc/docker/daemon.json", daemon)
    assert f"{FILE} has {key} = {breaks}" in refusal(files, uses=uses)


@pytest.mark.parametrize("line", ["install overlay /bin/true", "install br-netfilter /usr/bin/false", "blacklist veth"])
def test_forbidden_module_is_refused(files: LocalFileSystem, write: Write, line: str) -> None:
    write("/etc/modprobe.d/cis.conf", line + "\n")
    assert "/etc/modprobe.d/cis.conf forbids the module" in refusal(files, override=True)
    write(BUILTIN, "kernel/fs/overlayfs/overlay.ko\nkernel/net/bridge/br_netfilter.ko\nkernel/drivers/net/veth.ko\n")
    assert resolve({}, [], False, files) == []


def test_module_of_swarm_is_needed_by_swarm_only(files: LocalFileSystem, write: Write) -> None:
    write("/etc/modprobe.d/cis.conf", "install vxlan /bin/false\n")
    assert resolve({}, [], False, files) == []
    assert "forbids the module vxlan" in refusal(files, uses=["swarm"])


def test_kernel_command_line_forbids_modules(files: LocalFileSystem, write: Write) -> None:
    write("/proc/cmdline", "quiet module_blacklist=floppy,overlay\n")
    assert "the kernel's command line forbids the module overlay" in refusal(files)


def test_kernel_without_module_loading(files: LocalFileSystem, write: Write) -> None:
    write(BUILTIN, "kernel/drivers/net/veth.ko\n")
    write("kernel.modules_disabled", "1\n")
    write("/proc/modules", "".join(f"{name} 1 0 - Live 0x0\n" for name in NEEDED if name not in ("veth", "overlay")))
    message = refusal(files)
    assert "Docker lacks overlay." in message
    write("/proc/modules", "overlay 1 0 - Live 0x0\n")
    assert "Docker lacks bridge, br_netfilter," in refusal(files)


def test_boot_without_module_loading_needs_them_listed(files: LocalFileSystem, write: Write) -> None:
    write(BUILTIN, "kernel/drivers/net/veth.ko\n")
    write(FILE, "kernel.modules_disabled = 1\n")
    assert f"{FILE} sets kernel.modules_disabled = 1, but Docker needs bridge" in refusal(files)
    write(FILE, "")
    own = refusal(files, wanted={"kernel.modules_disabled": "1"})
    assert "docker_host_sysctl sets kernel.modules_disabled = 1, but Docker needs bridge" in own
    write("/etc/modules-load.d/docker.conf", "\n".join(NEEDED))
    assert resolve({"kernel.modules_disabled": "1"}, [], False, files) == []


def test_daemon_configuration_that_nobody_understands_tells_nothing(files: LocalFileSystem, write: Write) -> None:
    write(FILE, "user.max_user_namespaces = 0\n")
    for text in ("{", "[]", '{"userns-remap": ""}'):
        write("/etc/docker/daemon.json", text)
        assert resolve({}, [], False, files) == []
