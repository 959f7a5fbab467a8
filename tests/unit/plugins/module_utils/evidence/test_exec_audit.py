# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import audit, exec_audit
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands


def record(*arguments: str, number: int = 1) -> str:
    words = " ".join(f'a{index}="{word}"' for index, word in enumerate(arguments))
    return f"type=EXECVE msg=audit(1767225600.123:{number}): argc={len(arguments)} {words}\n"


@pytest.mark.parametrize(
    ("line", "privileged", "root"),
    [
        ("docker exec web true", 0, 0),
        ("docker exec --privileged web true", 1, 0),
        ("docker exec --privileged=true web true", 1, 0),
        ("docker exec --privileged=false web true", 0, 0),
        ("docker exec -it --privileged -u root web sh", 1, 1),
        ("docker exec -u root web sh", 0, 1),
        ("docker exec -u 0 web sh", 0, 1),
        ("docker exec -u0:0 web sh", 0, 1),
        ("docker exec -itu root web sh", 0, 1),
        ("docker exec --user=root:root web sh", 0, 1),
        ("docker exec --user=+0 web sh", 0, 1),
        ("docker exec -u 00 web sh", 0, 1),
        ("docker exec --user 1000 web sh", 0, 0),
        ("docker exec -u rooted web sh", 0, 0),
        ("docker -H unix:///run/docker.sock exec -u root web sh", 0, 1),
        ("/usr/bin/docker container exec -u root web sh", 0, 1),
        ("docker --context exec exec --privileged web sh", 1, 0),
        ("docker compose exec web true", 0, 0),
        ("docker compose -f /srv/shop/compose.yaml -p shop exec --privileged web sh", 1, 0),
        ("docker --context prod compose --profile=all exec --index 2 -Tu root web sh", 0, 1),
        ("/usr/local/bin/docker-compose --project-name exec exec --privileged --user 0 web sh", 1, 1),
        # options of the command in the container are none of docker's
        ("docker compose exec web sudo -u root --privileged", 0, 0),
        ("docker exec web sudo -u root --privileged", 0, 0),
        ("docker exec -e --privileged web true", 0, 0),
        ("docker exec -w /root -- web --privileged", 0, 0),
    ],
)
def test_options_of_docker_exec_are_told_apart(line: str, privileged: int, root: int) -> None:
    found = exec_audit.summarise(record(*line.split()))
    assert (found["total"], found["privileged"], found["root"]) == (1, privileged, root)


@pytest.mark.parametrize(
    "line",
    [
        *("docker run --privileged web", "dockerd exec", "docker ps", "docker", "sh -c docker"),
        *(
            "docker compose run --privileged web",
            "docker compose",
            "docker compose -p exec up",
            "docker-compose up exec",
        ),
        # which the first word's record has told already
        "/usr/libexec/docker/cli-plugins/docker-compose compose exec --privileged web sh",
        "/usr/libexec/docker/cli-plugins/docker-compose --context prod compose exec --privileged web sh",
    ],
)
def test_other_commands_do_not_count(line: str) -> None:
    assert exec_audit.summarise(record(*line.split()))["total"] == 0


def test_records_that_begin_with_the_hosts_name_count() -> None:
    found = exec_audit.summarise("node=web1.example.org " + record("docker", "exec", "--privileged", "web", "true"))
    assert (found["total"], found["privileged"], found["since"]) == (1, 1, "2026-01-01T00:00:00Z")


def test_argument_that_looks_like_a_time_is_none() -> None:
    found = exec_audit.summarise(f'msg=audit({"9" * 30}.1"\n' + record("docker", "exec", f"msg=audit({'9' * 30}.1"))
    assert (found["total"], found["since"]) == (1, "2026-01-01T00:00:00Z")


def test_arguments_in_hexadecimal_are_read_and_never_returned() -> None:
    coded = b"PASSWORD=hunter2 x".hex().upper()
    log = (
        'type=SYSCALL msg=audit(1767225500.001:1): arch=c000003e syscall=59 comm="docker"\n'
        f'type=EXECVE msg=audit(1767225600.123:2): argc=6 a0="docker" a1="exec" a2="-e" a3={coded} a4="web" a5="env"\n'
    )
    found = exec_audit.summarise(log)
    assert found == {"total": 1, "privileged": 0, "root": 0, "since": "2025-12-31T23:58:20Z"}
    assert "hunter2" not in json.dumps(found)


def test_without_a_log_nothing_is_recorded(files: LocalFileSystem, commands: RecordedCommands) -> None:
    found = exec_audit.collect(files, commands, audit.AuditRules(executions=True), "/usr/bin/docker")
    assert found["recorded"] is False


def test_the_end_of_the_log_is_counted(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/var/log/audit/audit.log", "x")
    commands.answer(
        "tail -q -c 4194304 /var/log/audit/audit.log", record("docker", "exec", "--privileged", "web", "sh")
    )
    found = exec_audit.collect(files, commands, audit.AuditRules(executions=True), "/usr/bin/docker")
    assert (found["recorded"], found["privileged"]) == (True, 1)


def test_the_log_before_counts_as_well(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    # auditd begins a new log at 8 MB, which holds nothing at first
    put("/var/log/audit/audit.log.1", record("docker", "exec", "--privileged", "web", "sh"))
    put("/var/log/audit/audit.log", "")
    both = "/var/log/audit/audit.log.1 /var/log/audit/audit.log"
    commands.answer(f"tail -q -c 4194304 {both}", record("docker", "exec", "--privileged", "web", "sh"))
    found = exec_audit.collect(files, commands, audit.AuditRules(executions=True), "/usr/bin/docker")
    assert (found["recorded"], found["privileged"], found["since"]) == (True, 1, "2026-01-01T00:00:00Z")


def test_a_closed_log_is_told(files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]) -> None:
    put("/var/log/audit/audit.log", "x")
    commands.answer("tail", rc=1, stderr="Permission denied")
    with pytest.raises(UnreadableError, match="Permission denied"):
        exec_audit.collect(files, commands, audit.AuditRules(), "/usr/bin/docker")
