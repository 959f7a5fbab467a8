# Containers under AppArmor profiles of their own, on a kernel that enforces them and was booted since they were made.

from __future__ import annotations

from typing import Any

import bed
import pytest

testinfra_hosts = bed.hosts()
WRITE = "echo x >/file"
RAW_SOCKET = "ping -c 1 -W 2 127.0.0.1"


def under(host: Any, profile: str, script: str) -> tuple[bool, str]:
    """Run a script in a container under the profile; return whether it succeeded, and what it complained of."""
    done = host.run(f"docker run --rm --security-opt apparmor={profile} busybox:local sh -c '{script}'")
    return done.rc == 0, done.stderr


@pytest.mark.parametrize("script", [WRITE, RAW_SOCKET, "cat /etc/hostname"])
def test_what_the_engines_profile_allows_is_refused(host: Any, script: str) -> None:
    assert under(host, "docker-default", script)[0]
    succeeded, complaint = under(host, "lab", script)
    assert not succeeded
    assert "permission denied" in complaint.lower()


#: The server may take a while until it listens.
SERVE = (
    "nc -l -p 80 & for n in 1 2 3 4 5 6 7 8 9; do nc 127.0.0.1 80 </dev/null 2>/dev/null && exit; sleep 1; done; exit 1"
)


@pytest.mark.parametrize("script", ["echo x >/tmp/file", "cat /etc/hosts", SERVE])
def test_what_the_workload_needs_is_allowed(host: Any, script: str) -> None:
    assert under(host, "lab", script) == (True, "")


def test_complaining_profile_refuses_nothing_and_tells(host: Any) -> None:
    assert under(host, "draft", WRITE)[0]
    assert 'apparmor="ALLOWED"' in host.check_output("grep 'profile=\"draft\"' /var/log/audit/audit.log")


@pytest.mark.parametrize(("workload", "profile"), [("ordinary", "docker-default"), ("confined", "lab")])
def test_kernel_holds_the_workload_by_its_profile(host: Any, workload: str, profile: str) -> None:
    pid = host.check_output(f"docker inspect -f '{{{{.State.Pid}}}}' {workload}")
    assert host.check_output(f"tr -d '\\0' </proc/{pid}/attr/current") == f"{profile} (enforce)"


@pytest.mark.parametrize("script", ["echo x >/data/file", "cat /etc/hostname"])
def test_workload_is_refused_what_its_profile_denies_and_its_user_may(host: Any, script: str) -> None:
    host.check_output(f"docker exec ordinary sh -c '{script}'")
    refused = host.run(f"docker exec confined sh -c '{script}'")
    assert refused.rc != 0
    assert "permission denied" in refused.stderr.lower()


def test_workload_has_what_its_profile_allows(host: Any) -> None:
    host.check_output("docker exec confined sh -c 'echo x >/tmp/file && cat /etc/hosts'")


def test_profile_that_is_no_longer_listed_is_gone(host: Any) -> None:
    assert "lab (enforce)" in host.check_output("cat /sys/kernel/security/apparmor/profiles")
    assert "gone (" not in host.check_output("cat /sys/kernel/security/apparmor/profiles")
    assert not host.file("/etc/apparmor.d/breakwater.gone").exists
    assert host.file("/etc/apparmor.d/breakwater.lab").exists
