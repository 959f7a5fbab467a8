# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (
    accounts,
    audit,
    host,
    kernel,
    mounts,
    paths,
    retired,
    sprawl,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

PASSWD = "root:x:0:0::/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/sh\neve:x:1001:994::/:/bin/sh\nbroken\n"
SOCKET = "/var/run/docker.sock"
MOUNTS = (
    "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
    "23 22 8:2 / /var/lib/docker rw - ext4 /dev/sdb1 rw\n"
    "24 22 8:1 /srv /srv/bound rw - ext4 /dev/sda1 rw\n"
    "25 22 8:3 / /srv/with\\040space rw - ext4 /dev/sdc1 rw\n"
    "garbage\n"
)


def documents(**given: Any) -> EngineDocuments:
    empty = {"version": {}, "info": {"DockerRootDir": "/var/lib/docker"}}
    lists = {name: [] for name in ("containers", "images", "networks", "volumes")}
    return EngineDocuments(**{**empty, **lists, **given})


def collect(files: LocalFileSystem, commands: RecordedCommands, **given: Any) -> dict[str, Any]:
    live_rules = Lazy(lambda: audit.live_rules(files, commands))
    return host.collect(host.HostSources(files, commands, SOCKET, documents(**given), live_rules))


def test_a_host_with_nothing_has_reasons_and_no_traceback(files: LocalFileSystem, commands: RecordedCommands) -> None:
    found = collect(files, commands)
    assert set(found["unreadable"]) >= {"docker_group_members", "data_root_own_filesystem", "kernel", "mitigations_off"}
    assert found["audit_enabled"] is False
    assert found["docker_client"] == "absent"
    assert found["retired_tools"] == []


def test_the_evidence_of_a_whole_host_fits_its_schema(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/etc/passwd", PASSWD)
    put("/etc/group", f"docker:x:{os.getgid()}:\n")
    put(SOCKET)
    put("/etc/os-release", 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    put("/proc/self/mountinfo", MOUNTS)
    put("/proc/sys/kernel/osrelease", "6.12.48\n")
    put("/proc/cmdline", "root=/dev/sda1 ro\n")
    commands.answer("getent group docker", "docker:x:994:ada\n")
    found = collect(files, commands)
    assert found["unreadable"] == {}
    assert all(kind.accepts(found[name]) for name, kind in scope_schema("host").fields.items())
    assert set(found) - {"unreadable"} == set(scope_schema("host").fields)
    assert found["docker_group_members"] == ["ada", "eve"]
    assert found["data_root_own_filesystem"] is True


def test_group_is_the_one_that_the_socket_has(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    # not what daemon.json says, of which docker.socket knows nothing
    put("/etc/docker/daemon.json", '{"group": "ops"}')
    put("/etc/group", f"users:x:{os.getgid()}:\nops:x:5000:\n")
    put(SOCKET)
    commands.answer("getent group users", f"users:x:{os.getgid()}:ada\n")
    found = collect(files, commands)
    assert (found["docker_group"], found["docker_group_members"]) == ("users", ["ada"])


def test_a_group_that_is_missing_has_no_members(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put(SOCKET)
    commands.answer("getent group", rc=2)
    found = collect(files, commands)
    assert found["docker_group_exists"] is False
    assert found["docker_group_members"] == []


@pytest.mark.parametrize("group", ["docker:x:993:root,ada", "root:x:0:ada"])  # of which sync is as well
def test_root_needs_no_group(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path], group: str
) -> None:
    put("/etc/passwd", PASSWD + "sync:x:5:0:sync:/sbin:/bin/sync\n")
    commands.answer("getent group", group)
    assert accounts.group_members(commands, accounts.read_accounts(files), group.partition(":")[0]) == ["ada"]


def test_names_of_accounts(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    assert accounts.read_accounts(files).user(0) == "0"
    put("/etc/passwd", PASSWD)
    put("/etc/group", "root:x:0:\ndocker:x:994:\n+\n")
    known = accounts.read_accounts(files)
    assert (known.user(1000), known.user(7), known.group(994), known.group(7)) == ("ada", "7", "docker", "7")


@pytest.mark.parametrize("result", ["", "docker", "docker:x:y:ada"])
def test_an_answer_of_getent_that_is_none_is_told(
    files: LocalFileSystem, commands: RecordedCommands, result: Any
) -> None:
    commands.answer("getent", result)
    with pytest.raises(UnreadableError, match="getent group docker"):
        accounts.group_members(commands, accounts.read_accounts(files), "docker")


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/var/lib/docker", True),
        ("/var/lib/docker/overlay2", False),
        ("/srv/bound", False),
        ("/srv/with space", True),
        ("/", False),
    ],
)
def test_own_file_systems(files: LocalFileSystem, put: Callable[..., Path], path: str, own: bool) -> None:
    put("/proc/self/mountinfo", MOUNTS)
    assert mounts.has_own_file_system(mounts.read_mounts(files), path) is own


def test_no_mounts_are_told(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/proc/self/mountinfo", "")
    with pytest.raises(UnreadableError, match="mountinfo"):
        mounts.has_own_file_system(mounts.read_mounts(files), "/var/lib/docker")


def test_paths_are_resolved_as_the_kernel_does(
    files: LocalFileSystem, tmp_path: Path, put: Callable[..., Path]
) -> None:
    put("/usr/lib/x/real")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/x/link").symlink_to("../../../lib/x/real")
    (tmp_path / "loop").symlink_to("/loop")
    assert paths.resolve(files, "/lib/x/link") == "/usr/lib/x/real"
    assert paths.resolve_parent(files, "/lib/x/link") == "/usr/lib/x/link"
    assert paths.resolve(files, "/lib/./y/../z/") == "/usr/lib/z"
    assert paths.resolve(files, "/loop") == "/loop"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/lib/docker", "/var/lib/docker"),
        ("/var/lib/docker/100000.100000", "/var/lib/docker"),
        ("/data/1.5/docker", "/data/1.5/docker"),
    ],
)
def test_the_part_of_a_user_namespace_is_left_out(path: str, expected: Any) -> None:
    assert paths.data_root(documents(info={"DockerRootDir": path})) == expected


@pytest.mark.parametrize("raw", [{}, {"DockerRootDir": None}, {"DockerRootDir": 1}, {"DockerRootDir": "x"}])
def test_a_missing_data_root_is_told(raw: Any) -> None:
    with pytest.raises(UnreadableError, match="DockerRootDir"):
        paths.data_root(documents(info=raw))


def test_kernel_settings_that_are_missing_are_null(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/proc/sys/kernel/kptr_restrict", "2\n")
    put("/proc/sys/fs/suid_dumpable", "odd\n")
    put("/proc/sys/net/ipv4/conf/all/accept_redirects", "0\n")
    found = kernel.sysctls(files)
    assert set(found) == set(kernel.SYSCTLS)
    assert found["kernel.kptr_restrict"] == 2
    assert found["fs.suid_dumpable"] is None
    assert found["net.ipv4.conf.all.accept_redirects"] == 0


def test_states_of_the_kernel(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    assert (kernel.lockdown(files), kernel.selinux_mode(files), kernel.cgroup_version(files)) == (None, "disabled", 1)
    put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
    put("/sys/kernel/security/lsm", "lockdown,capability,apparmor")
    put("/sys/fs/selinux/enforce", "0")
    put("/sys/fs/cgroup/cgroup.controllers", "cpu memory")
    put("/proc/cmdline", "quiet mitigations=off\n")
    assert kernel.security_modules(files) == ["lockdown", "capability", "apparmor"]
    assert (kernel.lockdown(files), kernel.selinux_mode(files), kernel.cgroup_version(files)) == (
        "integrity",
        "permissive",
        2,
    )
    assert kernel.mitigations_off(files) is True


def test_how_near_the_crypto_sockets_are(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/proc/sys/kernel/osrelease", "6.12.48\n")
    assert kernel.af_alg(files) == "unavailable"
    put("/lib/modules/6.12.48/kernel/crypto/af_alg.ko.xz")
    assert kernel.af_alg(files) == "loadable"
    put("/etc/modprobe.d/x.conf", "# install af_alg /bin/false\ninstall af_alg_other /bin/false\n")
    put("/etc/modprobe.d/x.conf.bak", "install af_alg /bin/false\n")
    assert kernel.af_alg(files) == "loadable"
    put("/etc/modprobe.d/y.conf", "install af_alg /usr/bin/false\n")
    assert kernel.af_alg(files) == "unavailable"
    put("/proc/net/protocols", "protocol  size sockets\nALG       1032      0\n")
    assert kernel.af_alg(files) == "active"


def test_modules_that_nobody_can_load_are_unavailable(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/proc/sys/kernel/osrelease", "6.12.48\n")
    put("/lib/modules/6.12.48/kernel/crypto/af_alg.ko")
    put("/proc/sys/kernel/modules_disabled", "1\n")
    assert kernel.af_alg(files) == "unavailable"


def test_whose_command_docker_is(files: LocalFileSystem, put: Callable[..., Path], tmp_path: Path) -> None:
    client = put("/usr/bin/docker", "\x7fELF podman")
    assert host.docker_client(files) == "docker"
    client.write_text('#!/bin/sh\nexec /usr/bin/podman "$@"\n')
    assert host.docker_client(files) == "podman"
    client.unlink()
    put("/usr/bin/podman")
    client.symlink_to("podman")
    assert host.docker_client(files) == "podman"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/etc/systemd/system/docker.service.d/10-machine.conf", "[Service]\n", ["docker-machine"]),
        ("/usr/local/bin/docker-machine", "\x7fELF", ["docker-machine"]),
        ("/etc/dockercloud/agent/dockercloud-agent.conf", "{}", ["docker-cloud"]),
        ("/usr/libexec/docker/cli-plugins/docker-scan", "\x7fELF", ["docker-scan"]),
        ("/usr/lib/docker/cli-plugins/docker-app", "\x7fELF", ["docker-app"]),
        ("/usr/bin/docker-compose", "#!/usr/bin/python3\n", ["docker-compose 1"]),
        ("/usr/bin/docker-compose", "\x7fELF python", []),
        ("/usr/libexec/docker/cli-plugins/docker-compose", "\x7fELF", []),
    ],
)
def test_retired_tools(
    files: LocalFileSystem, put: Callable[..., Path], path: str, text: str, expected: list[str]
) -> None:
    put(path, text)
    assert retired.retired_tools(files) == expected


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("/etc/environment", "DOCKER_CONTENT_TRUST=1\n", True),
        ("/etc/profile.d/docker.sh", "x=1\nexport DOCKER_CONTENT_TRUST='1'\n", True),
        ("/etc/profile.d/docker.csh", "DOCKER_CONTENT_TRUST=1\n", False),
        ("/etc/profile.d/docker.sh", 'export DOCKER_CONTENT_TRUST="true"; x=1\n', True),
        ("/etc/environment", "DOCKER_CONTENT_TRUST=yes", True),
        ("/etc/environment", "DOCKER_CONTENT_TRUST=False\n", False),
        ("/etc/environment", "DOCKER_CONTENT_TRUST=\nDOCKER_CONTENT_TRUST=''\n", False),
        ("/etc/profile.d/docker.sh", "export DOCKER_CONTENT_TRUST=0; DOCKER_CONTENT_TRUST_SERVER=1\n", False),
        ("/etc/environment", "#DOCKER_CONTENT_TRUST=1\nDOCKER_CONTENT_TRUST=0\nDOCKER_CONTENT_TRUST_SERVER=1\n", False),
    ],
)
def test_content_trust_of_logins(
    files: LocalFileSystem, put: Callable[..., Path], path: str, text: str, expected: Any
) -> None:
    put(path, text)
    assert host.content_trust(files) is expected


def test_mended_vulnerabilities_come_from_changelogs(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    commands.answer("gzip -dc /usr/share/doc/docker.io/changelog.Debian.gz", "Fixes CVE-2026-34040, CVE-2026-41568\n")
    assert host.mended_vulnerabilities(files, commands) == []
    put("/usr/share/doc/docker.io/changelog.Debian.gz")
    assert host.mended_vulnerabilities(files, commands) == ["CVE-2026-34040", "CVE-2026-41568"]
    put("/var/lib/rpm/rpmdb.sqlite")
    # of what is not installed rpm says so among the rest
    told = "package docker.io is not installed\n* Amazon\n- fix CVE-2025-31133\n"
    commands.answer("rpm -q --changelog", told, rc=1)
    assert "CVE-2025-31133" in host.mended_vulnerabilities(files, commands)
    assert {"docker", "moby-engine", "runc"} <= set(commands.asked[-1].split())


def test_sprawl_is_counted() -> None:
    images = [
        {"Id": "a", "RepoTags": ["x:1"]},
        {"Id": "b", "RepoTags": ["<none>:<none>"]},
        {"Id": "c", "RepoTags": None},
        {"Id": "d", "RepoTags": ["y:1"]},
    ]
    containers = [
        {"Image": "a", "Name": "/one", "State": {"Status": "running"}},
        {"Image": "c", "Name": "/two", "State": {"Status": "exited"}},
        {"Image": "a", "Name": "/three", "State": {"Status": "created"}},
    ]
    assert sprawl.count(documents(images=images, containers=containers)) == {
        "images_total": 4,
        "images_unused": 2,
        "images_dangling": 1,
        "containers_total": 3,
        "containers_stopped": 2,
    }


@pytest.mark.parametrize("raw", [{"images": [{"Id": 1}]}, {"containers": [{"Image": []}]}, {"containers": [{}]}])
def test_garbage_is_no_number(files: LocalFileSystem, commands: RecordedCommands, raw: Any) -> None:
    found = collect(files, commands, **raw)
    assert found["images_total"] is None
    assert "images_total" in found["unreadable"]
