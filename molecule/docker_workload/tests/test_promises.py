# What docker_workload promises of a container, each seen from outside: on the host's addresses, in the kernel's control
# groups, on the disk, and by what a process in it can't do.

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from workload_hosts import HOSTS, changed, everything, host, state

MIB = 1 << 20


def group_value(name: str, container: str, *files: str) -> str:
    """Return what a container's control group says in the first of the files that there is, of version 2 or 1."""
    process = host(name).check_output(f"docker inspect -f '{{{{.State.Pid}}}}' {container}")
    groups = host(name).check_output(f"cat /proc/{process}/cgroup").splitlines()
    hierarchies = [line.split(":", 2)[1:] for line in groups]
    paths = [f"/sys/fs/cgroup/{kinds.removeprefix('name=')}{path}" for kinds, path in hierarchies]
    listed = " ".join(f"{path}/{file}" for file in files for path in paths)
    return host(name).check_output(f"for file in {listed}; do if [ -e $file ]; then exec cat $file; fi; done")


@pytest.mark.parametrize("name", HOSTS)
class TestContainers:
    def test_port_is_on_its_address_only(self, name: str) -> None:
        others = host(name).check_output("hostname -I").split()
        assert others
        for address in others:
            assert host(name).run(f"curl -sm 3 http://{address}:8080/").rc == 7, "nobody listens"
        [peer] = set(HOSTS) - {name}
        assert host(peer).run(f"curl -sm 3 http://{name}:8080/").rc in (7, 28)

    def test_memory_is_not_swapped(self, name: str) -> None:
        assert group_value(name, "web", "memory.max", "memory.limit_in_bytes") == str(64 * MIB)
        # of version 1 the limit is of both together, and the file is missing where the kernel counts no swap
        swap = group_value(name, "web", "memory.swap.max", "memory.memsw.limit_in_bytes", "memory.limit_in_bytes")
        assert swap in ("0", str(64 * MIB))

    def test_half_a_cpu_is_half_a_cpu(self, name: str) -> None:
        assert group_value(name, "web", "cpu.max", "cpu.cfs_quota_us").split()[0] == "50000"
        told = host(name).run("docker exec web time timeout 4 sh -c 'while :; do :; done'").stderr
        [minutes, seconds] = next(line.split()[1:] for line in told.splitlines() if line.startswith("user"))
        assert (minutes, float(seconds.rstrip("s")) < 2.6) == ("0m", True), told

    def test_files_have_an_end(self, name: str) -> None:
        assert host(name).check_output("docker exec web sh -c 'ulimit -Sn; ulimit -Hn'").split() == ["1024", "16384"]
        process = host(name).check_output("docker inspect -f '{{.State.Pid}}' db")
        [mounted] = host(name).check_output(f"grep ' /tmp tmpfs ' /proc/{process}/mounts").splitlines()
        assert {"nosuid", "nodev", "noexec", "size=65536k"} <= set(mounted.split()[3].split(","))

    def test_logs_have_an_end(self, name: str) -> None:
        line = "x" * 1000
        written = f"i=0; while [ $i -lt 36000 ]; do echo {line}; i=$((i+1)); done >/proc/1/fd/1"
        assert host(name).run(f"docker exec ledger sh -c '{written}'").rc == 0
        path = host(name).check_output("docker inspect -f '{{.LogPath}}' ledger")
        sizes = host(name).check_output(f"stat -c %s {path}*").split()
        assert 20 * MIB < sum(map(int, sizes)) <= 31 * MIB
        assert len(sizes) == 3

    def test_what_ends_is_started_again(self, name: str) -> None:
        [identifier, process] = host(name).check_output("docker inspect -f '{{.Id}} {{.State.Pid}}' ledger").split()
        host(name).check_output(f"kill -KILL {process}")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            [same, now] = host(name).check_output("docker inspect -f '{{.Id}} {{.State.Pid}}' ledger").split()
            if now not in ("0", process):
                break
        assert (same, now != process and now != "0") == (identifier, True)


def test_seccomp_profile_of_its_own_holds(play: Any) -> None:
    refused = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}
    host().check_output(f"echo '{json.dumps(profile)}' >/root/profile.json")
    assert host().run("docker exec web mkdir /tmp/before").rc == 0
    filtered = changed("web", seccomp="/root/profile.json")
    assert "allows" in play(containers=filtered), "dangerous calls without a reason"
    web = next(item for item in filtered if item["name"] == "web")
    web["reasons"] = {**web["reasons"], "container_seccomp_filtered": "It refuses what this test asks for."}
    assert "changed=1" in play(containers=filtered)
    assert "Operation not permitted" in host().run("docker exec web mkdir /tmp/after").stderr
    assert "changed=1" in play()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"memory": "512m"}, "memory"),
        ({"cpus": 1.9}, "cpus"),
        ({"pids": 200}, "pids"),
        ({"networks": ["bank"]}, "the network bank can't be of two owners"),
        ({"volumes": [{"host_path": "/var/lib/docker/volumes", "target": "/v"}]}, "container_no_sensitive_mounts"),
        (
            {"ports": [{"container_port": "8080", "host_port": "8080", "host_address": "0.0.0.0"}]},
            "container_ports_on_named_address",
        ),
        ({"environment": {"API_TOKEN": "hunter2"}}, "container_no_secrets_in_environment"),
    ],
)
def test_more_than_is_the_owners_is_refused(play: Any, options: dict[str, Any], reason: str) -> None:
    before, processes = everything(), state("web", "db")
    said = play(containers=changed("web", **options))
    assert "failed=1" in said
    assert reason in said
    assert "hunter2" not in said
    assert (everything(), state("web", "db")) == (before, processes)
