# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine from a signed repository: installed in a version, held, and upgraded under a running container. The tests
# are stages of one host's life, in their order, first with apt, then with dnf.

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import ansible_runs, check_mode
from ansible_collections.breakwater.docker.tests.integration.container_host import (
    DEBIAN,
    ContainerHost,
    playbook,
    run,
    started,
)

NAME = "breakwater-packages"
OLD, NEW = "26.1.5", "26.1.6"
PACKAGES = {"docker-ce", "docker-ce-cli", "containerd.io"}
UNCHANGED = "changed=0 "
#: As another tool leaves it that writes the file and does not reload dockerd.
LIVE_RESTORE_IN_THE_FILE_ONLY = """
    sed -i 's/"live-restore": true/"live-restore": false/' /etc/docker/daemon.json
    systemctl reload docker
    until docker info -f '{{.LiveRestoreEnabled}}' | grep -q false; do sleep 0.2; done
    sed -i 's/"live-restore": false/"live-restore": true/' /etc/docker/daemon.json
"""
#: What a host in use writes by itself, and where dnf notes that it was asked.
_BUSY = "/var/lib/systemd", "/var/lib/rpm", "/var/lib/dnf"


@dataclass(frozen=True)
class Family:
    """What differs between distributions: where the repository is made, and how one looks at the host from outside."""

    image: str
    script: str
    areas: tuple[str, ...]
    key: str
    epoch: int
    sources: str
    version: str
    held: str
    upgrade: str


APT = Family(
    image="breakwater-host:debian13",
    script="deb_repository.sh",
    areas=("engine",),
    key="9DC858229FC7DD38854AE2D88D81803C0EBFCD88",
    epoch=5,
    sources="/etc/apt",
    version=r"dpkg-query -W -f '${Version}' docker-ce | sed 's/5:\([^-]*\).*/\1/'",
    held="apt-mark showhold",
    upgrade="apt-get -qq -y -o Debug::NoLocking=1 upgrade",
)
# A lock counts when it is on the version that is installed.
DNF = Family(
    image=f"breakwater-host:{DEBIAN}",
    script="rpm_repository.sh",
    areas=("host", "engine", "auditd", "firewall"),
    key="060A61C51B558A7F742B77AAC52FEB6B621E9F35",
    epoch=3,
    sources="/etc/yum.repos.d /etc/pki",
    version="rpm -q --qf '%{VERSION}' docker-ce",
    held="""
        locks=$(dnf versionlock list 2>/dev/null | tr -d '\\n')
        for name in docker-ce docker-ce-cli containerd.io; do
            lock=$(rpm -q --qf '%{NAME}(-|evr = )(.:)?%{VERSION}-%{RELEASE}' $name)
            ! echo "$locks" | grep -qE "$lock" || echo $name
        done""",
    upgrade="dnf -q -y upgrade",
)


class Engine:
    """A host with a repository of its own, and the playbook that installs from there."""

    def __init__(self, host: ContainerHost, family: Family) -> None:
        self.host = host
        self.family = family
        run("docker", "cp", "-q", str(Path(__file__).parent / family.script), f"{NAME}:/root/")
        made = host.run(f"sh /root/{family.script} /srv/linux {OLD} {NEW}; touch /root/made", timeout=300)
        self.fingerprint = made.split()[-1]

    def harden(self, *arguments: str, **variables: object) -> str:
        settings = {
            "docker_hardening_areas": ["engine"],
            "docker_engine_source": "docker_ce",
            "docker_engine_repository_url": "file:///srv/linux",
            "docker_engine_repository_fingerprint": self.fingerprint,
            "docker_engine_version": OLD,
            "docker_engine_hold": True,
            **variables,
        }
        return playbook("breakwater.docker.harden", NAME, "-e", json.dumps(settings), *arguments, timeout=300)

    def version(self) -> str:
        return self.host.run(self.family.version).strip()

    def held(self) -> set[str]:
        return set(self.host.run(self.family.held).split())

    def written(self) -> str:
        """Return the files that are newer than the host's repository."""
        busy = " -o ".join(f"-path {path}" for path in _BUSY)
        return self.host.run(f"find /etc /usr /var/lib -xdev \\( {busy} \\) -prune -o -newer /root/made -print")

    def dockerd(self) -> str:
        return self.host.run("pidof dockerd")

    def container(self) -> str:
        return self.host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' kept")


@pytest.fixture(scope="module", params=[pytest.param(APT, id="apt"), pytest.param(DNF, id="dnf")])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with started(NAME, request.param.image, "systemctl is-system-running --wait") as host:
        yield Engine(host, request.param)


def test_repository_with_another_key_is_refused(engine: Engine) -> None:
    before = engine.host.run(f"find {engine.family.sources} -ls 2>&1 || true")
    with pytest.raises(AssertionError, match=f"{engine.fingerprint}, not {engine.family.key}"):
        engine.harden("--tags", "install", docker_engine_repository_fingerprint=None)
    assert engine.host.run(f"find {engine.family.sources} -ls 2>&1 || true") == before


def test_repository_that_apt_would_know_by_two_keys_is_refused(engine: Engine) -> None:
    if engine.family is not APT:
        pytest.skip("dnf has one set of keys for all repositories")
    listed = "/etc/apt/sources.list.d/docker.list"
    engine.host.run(f"echo 'deb [signed-by=/srv/linux/debian/gpg] file:///srv/linux/debian trixie stable' >{listed}")
    before = engine.host.run(f"find {engine.family.sources} -ls")
    for options in (("--check",), ()):
        with pytest.raises(AssertionError, match=f"{listed} has file:///srv/linux/debian trixie already"):
            engine.harden("--tags", "install", *options)
    assert engine.host.run(f"find {engine.family.sources} -ls") == before
    engine.host.run(f"apt-get -qq update && rm {listed}")


def test_version_of_choice_is_installed_and_held(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in check_mode.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    engine.host.run("touch /root/made")
    assert "docker-ce" in engine.harden("--check", "--diff", docker_hardening_areas=engine.family.areas)
    assert engine.written() == ""
    engine.harden(docker_hardening_areas=engine.family.areas)
    assert check_mode.differences(*check_mode.recorded(tmp_path)) == []
    assert engine.version() == OLD
    assert engine.held() == PACKAGES
    engine.host.run(engine.family.upgrade)
    assert engine.version() == OLD


def test_packages_that_others_need_are_kept(engine: Engine) -> None:
    if "host" not in engine.family.areas:
        pytest.skip("a scenario of Molecule removes packages with apt")
    assert engine.host.run("rpm -q xinetd tftp-server || true").splitlines() == [
        "package xinetd is not installed",
        "tftp-server-1-1.el10.x86_64",
    ]


def test_another_version_takes_an_upgrade(engine: Engine) -> None:
    engine.host.run(
        "docker load -qi /usr/share/breakwater/busybox.tar && docker run -d --name kept busybox:local sleep infinity"
    )
    dockerd = engine.dockerd()
    told = engine.harden(docker_engine_version=NEW, docker_hardening_areas=engine.family.areas)
    assert f"docker-ce is {engine.family.epoch}:26.1.5-1" in told
    assert UNCHANGED in told
    told = engine.harden(docker_engine_version=NEW, docker_engine_upgrade=True, docker_engine_restart="never")
    assert "waits for a run that may restart dockerd" in told
    assert (engine.version(), engine.dockerd()) == (OLD, dockerd)


def test_version_that_is_not_offered_is_refused(engine: Engine) -> None:
    with pytest.raises(AssertionError, match=rf"no version 27.0 of docker-ce, but {engine.family.epoch}:26.1.6"):
        engine.harden("--tags", "install", docker_engine_version="27.0", docker_engine_upgrade=True)
    assert engine.version() == OLD


def test_upgrade_keeps_containers_and_the_hold(engine: Engine) -> None:
    engine.host.run(LIVE_RESTORE_IN_THE_FILE_ONLY)
    process, dockerd = engine.container(), engine.dockerd()
    told = engine.harden("--check", "--diff", docker_engine_version=NEW, docker_engine_upgrade=True)
    assert f"docker-ce {engine.family.epoch}:26.1.6" in told
    assert engine.version() == OLD
    engine.harden("-e", "docker_engine_upgrade=true", docker_engine_version=NEW)
    assert engine.version() == NEW
    assert engine.held() == PACKAGES
    assert engine.container() == process
    assert engine.dockerd() != dockerd


def test_hold_is_let_go(engine: Engine) -> None:
    assert "changed=1 " in engine.harden(
        docker_engine_version=NEW, docker_engine_upgrade=True, docker_engine_hold=False
    )
    assert engine.held() == set()


def test_engine_from_elsewhere_is_not_replaced(engine: Engine) -> None:
    given = {"docker_engine_source": "distribution", "docker_engine_version": None, "docker_engine_upgrade": True}
    with pytest.raises(AssertionError, match=r"docker.io is not what the engine here was installed by"):
        engine.harden("--tags", "install", **given)
    assert engine.version() == NEW


def test_audit_reads_the_whole_host(engine: Engine, tmp_path: Path) -> None:
    given = {"docker_compliance_report_dir": str(tmp_path)}
    playbook("breakwater.docker.compliance", NAME, "-e", json.dumps(given))
    findings = json.loads((tmp_path / "report.json").read_text())["hosts"][0]["findings"]
    assert len(findings) > 100
    assert [item for item in findings if item["status"] == "error"] == []


#: A package as podman-docker, whose command is that of another engine.
SHIM = """
apt-get update -qq
mkdir -p /root/shim/DEBIAN
cat >/root/shim/DEBIAN/control <<END
Package: podman-docker
Version: 1
Architecture: all
Maintainer: nobody
Conflicts: docker.io
Description: a shim
END
dpkg-deb --build /root/shim /root/shim.deb
dpkg -i /root/shim.deb
"""


def test_packages_that_the_engine_would_displace_are_a_reason_to_stop() -> None:
    with started(f"{NAME}-shim", APT.image, "systemctl is-system-running --wait") as host:
        host.run(SHIM)
        for options in (("--check",), ()):
            said = playbook(
                *("breakwater.docker.harden", host.name, "-e", '{"docker_hardening_areas": ["engine"]}', *options),
                code=2,
            )
            assert "To install docker.io, docker-cli, podman-docker would be removed: remove it yourself" in said
        assert host.run("dpkg-query -W -f '${db:Status-Status}' podman-docker") == "installed"
        assert host.run("test -e /etc/docker || echo untouched").strip() == "untouched"


#: Two packages that must not be there, of which a third needs one.
ALTERNATIVES = """
mkdir -p /root/made
for package in "one:Provides: either" "other:Provides: either" "production:Depends: neither | either"; do
    name=${package%%:*}
    mkdir -p /root/made/$name/DEBIAN
    printf 'Package: %s\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody\\nDescription: made\\n%s\\n' \\
        $name "${package#*:}" >/root/made/$name/DEBIAN/control
    dpkg-deb --build /root/made/$name /root/made/$name.deb
done
dpkg -i /root/made/*.deb
"""
KEPT_AND_REMOVED = r'"kept": \{\s*"other": \[\s*"production"\s*\](?s:.*)"removed": \[\s*"one"\s*\]'


def test_package_that_needs_one_of_several_is_not_removed_with_the_last() -> None:
    with started(f"{NAME}-alternatives", APT.image, "systemctl is-system-running --wait") as host:
        host.run(ALTERNATIVES)
        for options in (("--check",), ()):
            removal = ansible_runs.start_module("docker_packages", host.name, *options, absent=["one", "other"])
            said = ansible_runs.finished(removal)
            assert re.search(KEPT_AND_REMOVED, said), said
        left = host.run("dpkg-query -W -f '${Package}:${db:Status-Status} ' other production; dpkg -s one || true")
        assert left == "other:installed production:installed "
