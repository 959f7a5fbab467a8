# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Rules are matched as the kernel matches them; peers search for a substring.

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import audit
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

DOCKERD = "/usr/bin/dockerd"


@pytest.mark.parametrize(
    ("rule", "path", "covered"),
    [
        ("-w /usr/bin/dockerd -p rwxa -k docker", DOCKERD, True),
        ("-w /usr/bin/dockerd -k docker", DOCKERD, True),
        ("-w /usr/bin/dockerd -p wa", DOCKERD, True),
        ("-w /usr/bin -p wa", DOCKERD, True),
        ("-w /usr/bin/ -p wa", DOCKERD, True),
        ("-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F key=docker", DOCKERD, True),
        ("-a exit,always -F arch=b64 -F path=/usr/bin/dockerd -F perm=wa", DOCKERD, True),
        ("-a always,exit -S all -F dir=/usr -F perm=rwa", DOCKERD, True),
        ("-a always,exit -F dir=/usr/bin -F perm=wa -F auid>=1000 -F auid!=unset", DOCKERD, True),
        # as auditctl 4.0 lists them
        ("-a always,exit -S all -F dir=/usr/bin -F perm=wa -F auid>=1000 -F auid!=-1 -F key=x", DOCKERD, True),
        ("-a always,exit -F arch=b64 -S open,rename -F path=/usr/bin/dockerd -F perm=wa -F key=x", DOCKERD, True),
        ("-a always,exit -F arch=b64 -S execve -F path=/usr/bin/dockerd -F key=x", DOCKERD, False),
        # a longer or a shorter name, which a substring search takes for the file
        ("-w /usr/bin/dockerd-rootless.sh -p wa", DOCKERD, False),
        ("-w /usr/bin/docker -p wa", DOCKERD, False),
        ("-w /usr/bin/dockerd -p wa", "/usr/bin/docker", False),
        ("-w /opt/usr/bin/dockerd -p wa", DOCKERD, False),
        ("-w /etc/docker-registry -p wa", "/etc/docker", False),
        ("-a always,exit -F path=/usr/bin -F perm=wa", DOCKERD, False),
        ("-a always,exit -F dir=/usr/bi -F perm=wa", DOCKERD, False),
        # only some of the accesses
        ("-w /usr/bin/dockerd -p r", DOCKERD, False),
        ("-w /usr/bin/dockerd -p w", DOCKERD, False),
        ("-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F uid=33", DOCKERD, False),
        ("-a always,exit -F path=/usr/bin/dockerd -F perm=wa -F success=0", DOCKERD, False),
        ("-a always,exit -F path=/usr/bin/dockerd -S unlink", DOCKERD, False),
        ("-a always,exit -F path=/usr/bin/dockerd -F perm=wa -C uid!=euid", DOCKERD, False),
        ("-a always,user -F path=/usr/bin/dockerd -F perm=wa", DOCKERD, False),
        ("-a never,exit -F path=/usr/bin/dockerd", DOCKERD, False),
        ("# -w /usr/bin/dockerd -p wa", DOCKERD, False),
        ('-w "/usr/bin/dockerd', DOCKERD, False),
        ("", DOCKERD, False),
    ],
)
def test_a_rule_covers_exactly_its_path(files: LocalFileSystem, rule: str, path: str, covered: bool) -> None:
    assert audit.parse_rules(files, rule).covers(path) is covered


def test_a_directory_needs_a_rule_for_what_is_below(files: LocalFileSystem) -> None:
    single = audit.parse_rules(files, "-a always,exit -F path=/etc/docker -F perm=wa")
    whole = audit.parse_rules(files, "-a always,exit -F dir=/etc/docker -F perm=wa")
    assert not single.covers("/etc/docker", directory=True)
    assert whole.covers("/etc/docker", directory=True)


def test_recorded_executions_are_enough_for_a_program_only(files: LocalFileSystem) -> None:
    rules = audit.parse_rules(files, "-w /usr/bin/runc -p x")
    assert rules.covers("/usr/bin/runc", program=True)
    assert not rules.covers("/usr/bin/runc")


def test_two_rules_cover_together(files: LocalFileSystem) -> None:
    assert audit.parse_rules(files, "-w /etc/docker -p w\n-w /etc -p a").covers("/etc/docker")


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("-a never,exit -F dir=/usr\n-w /usr/bin/dockerd -p wa", False),
        ("-w /usr/bin/dockerd -p wa\n-a never,exit -F dir=/usr", True),
        ("-w /usr/bin/dockerd -p wa\n-A never,exit -F dir=/usr", False),
        ("-w /usr/bin/dockerd -p wa\n-a never,task", False),
        ("-w /usr/bin/dockerd -p wa\n-a task,never", False),
        ("-w /usr/bin/dockerd -p wa\n-e 0", False),
        ("-w /usr/bin/dockerd -p wa\n-e 0\n-e 2", True),
        ("-w /usr/bin/dockerd -p wa\n-D", False),
        ("-w /usr/bin/dockerd -p wa\n-W /usr/bin/dockerd", False),
        ("-D\n-b 8192\n-w /usr/bin/dockerd -p wa\n-e 2", True),
    ],
)
def test_the_order_of_rules_counts(files: LocalFileSystem, text: str, covered: bool) -> None:
    assert audit.parse_rules(files, text).covers(DOCKERD) is covered


def test_symbolic_links_of_directories_are_followed(files: LocalFileSystem, tmp_path: Path) -> None:
    (tmp_path / "usr/lib/systemd/system").mkdir(parents=True)
    (tmp_path / "lib").symlink_to("usr/lib")
    rules = audit.parse_rules(files, "-w /lib/systemd/system/docker.service -p wa")
    assert rules.covers("/usr/lib/systemd/system/docker.service")


def test_recorded_execution_of_the_client(files: LocalFileSystem) -> None:
    def records(text: str) -> bool:
        return audit.parse_rules(files, text).records_execution("/usr/bin/docker")

    assert records("-w /usr/bin/docker -p x")
    assert records("-a always,exit -F arch=b64 -S execve -F key=commands")
    assert records("-a always,exit -F arch=b64 -S execve,execveat -F auid>=1000")
    assert not records("-w /usr/bin/docker -p wa")
    assert not records("-a always,exit -F arch=b64 -S execve -F uid=0")
    assert not records("-a always,exit -F arch=b64 -S execve\n-a never,task")


def test_live_rules_need_auditing_to_be_enabled(files: LocalFileSystem, commands: RecordedCommands) -> None:
    commands.answer("auditctl -l", "-w /usr/bin/dockerd -p rwxa -k docker\n")
    commands.answer("auditctl -s", "enabled 1\nfailure 1\n")
    assert audit.live_rules(files, commands).covers(DOCKERD)
    commands.answer("auditctl -s", "enabled 0\nfailure 1\n")
    assert not audit.live_rules(files, commands).covers(DOCKERD)


def test_without_auditctl_there_are_no_live_rules(files: LocalFileSystem, commands: RecordedCommands) -> None:
    assert audit.live_rules(files, commands).rules == ()


def test_live_rules_that_may_not_be_read_are_told(files: LocalFileSystem, commands: RecordedCommands) -> None:
    commands.answer("auditctl", rc=4, stderr="You must be root to run this program.\n")
    with pytest.raises(UnreadableError, match="must be root"):
        audit.live_rules(files, commands)


def test_a_boot_loads_rules_d_rather_than_the_old_file(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    assert not audit.persistent_rules(files).covers(DOCKERD)
    put("/etc/audit/audit.rules", "-w /usr/bin/dockerd -p wa\n")
    assert audit.persistent_rules(files).covers(DOCKERD)
    put("/etc/audit/rules.d/50-other.rules", "-w /etc/passwd -p wa\n")
    put("/etc/audit/rules.d/60-docker.rules.bak", "-w /usr/bin/dockerd -p wa\n")
    assert not audit.persistent_rules(files).covers(DOCKERD)
    put("/etc/audit/rules.d/60-docker.rules", "-w /usr/bin/dockerd -p wa\n")
    assert audit.persistent_rules(files).covers(DOCKERD)
