# Real packets from two clients and from containers, after everything that could have thrown the rules away. Last of
# all the rules are removed, and what they kept apart meets: so none of it was kept apart by anything else.

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable

import pytest
import testinfra

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
CONVERGE = ("ansible-playbook", str(SCENARIO / "converge.yml"), "-i", os.environ["MOLECULE_INVENTORY_FILE"])
A, B = (testinfra.get_host(f"docker://breakwater-fw-{name}") for name in "ab")
#: Seconds after which a connection that is not made is taken for filtered.
PATIENCE = 2


class Engine:
    """A host with an engine, as its clients know it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.number = {"12": 12, "13": 13}.get(name.rpartition("-")[2], 29)
        self.host = testinfra.get_host(f"docker://{name}")
        self.run = self.host.check_output

    def from_client(self, client: Any, port: int, ipv6: bool = False) -> bool:
        net = "a" if client is A else "b"
        ipv4_address = f"198.18.{10 if client is A else 20}.{self.number}"
        return curl(client, f"[fd00:bed:{net}::{self.number}]" if ipv6 else ipv4_address, port)

    def from_container(self, container: str, address: str, port: int = 80) -> bool:
        got = f"docker exec {container} timeout {2 * PATIENCE} wget -q -O /dev/null http://{address}:{port}/"
        return self.host.run(got).rc == 0

    def address(self, container: str) -> str:
        return self.run(f"docker exec {container} hostname -i").split()[0]


def curl(host: Any, address: str, port: int = 80) -> bool:
    return host.run(f"curl -s -g --connect-timeout {PATIENCE} -m 20 -o /dev/null http://{address}:{port}/").rc == 0


ENGINES = [Engine(f"breakwater-fw-{name}") for name in ("13", "12", "nft")]
CLOSED = {"breakwater-fw-12", "breakwater-fw-nft"}
"""Where everything is closed that is not listed."""


def paths(engine: Engine) -> dict[str, bool]:
    """Try every way and tell which are open."""
    opening = ["docker", "exec", "-i", engine.name, "sh", "-s", str(engine.number)]
    subprocess.run(opening, input=(SCENARIO / "files/paths.sh").read_bytes(), check=True)
    web, neighbour, back = (engine.address(name) for name in ("web", "open", "back"))
    A.check_output(f"ip route replace {web}/32 via 198.18.10.{engine.number}")
    attempts: dict[str, Callable[[], bool]] = {
        "listed source to listed port": lambda: engine.from_client(A, 8080),
        "listed source to listed port, IPv6": lambda: engine.from_client(A, 8080, ipv6=True),
        "other source to listed port": lambda: engine.from_client(B, 8080),
        "other source to listed port, IPv6": lambda: engine.from_client(B, 8080, ipv6=True),
        "anybody to port that is not listed": lambda: engine.from_client(B, 8081),
        "anybody to port that is not listed, IPv6": lambda: engine.from_client(B, 8081, ipv6=True),
        "to a container's own address": lambda: curl(A, web),
        "to a container's own address, IPv6": lambda: curl(A, f"[fd00:bed:{engine.number}::2]"),
        "trusted client to the engine": lambda: engine.from_client(A, 2376),
        "other client to the engine": lambda: engine.from_client(B, 2376),
        "other client to the engine, IPv6": lambda: engine.from_client(B, 2376, ipv6=True),
        "container to the engine": lambda: engine.from_container("web", "172.17.0.1", 2376),
        "container to the host's loopback": lambda: engine.from_container("raw", "127.0.0.1", 4444),
        "the host to the engine": lambda: curl(engine.host, "127.0.0.1", 2376),
        "other client to a service of the host": lambda: engine.from_client(B, 2222),
        "to the host's port that is published on another address": lambda: engine.from_client(A, 4000),
        "to a port that is published on one address": lambda: engine.from_client(B, 4000),
        "container to its neighbour": lambda: engine.from_container("web", neighbour),
        "container to another bridge": lambda: engine.from_container("web", back),
        "container to another bridge by its port": lambda: engine.from_container("web", "172.17.0.1", 9090),
        "container to client a": lambda: engine.from_container("web", "198.18.10.100"),
        "container to client b": lambda: engine.from_container("web", "198.18.20.100"),
        "container to metadata": lambda: engine.from_container("web", "169.254.169.254"),
        "container to metadata, IPv6": lambda: engine.from_container("back", "[fd00:ec2::254]"),
        "the host to metadata": lambda: curl(engine.host, "169.254.169.254"),
        "the host to metadata, IPv6": lambda: curl(engine.host, "[fd00:ec2::254]"),
    }
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(attempts, pool.map(lambda attempt: attempt(), attempts.values())))


def expected(engine: Engine) -> dict[str, bool]:
    opened = {
        "listed source to listed port",
        "listed source to listed port, IPv6",
        "trusted client to the engine",
        "the host to the engine",
        "container to its neighbour",
        "container to client a",
        "the host to metadata",
        "the host to metadata, IPv6",
    }
    if engine.name not in CLOSED:
        opened |= {
            "anybody to port that is not listed",
            "anybody to port that is not listed, IPv6",
            "to a port that is published on one address",
            "container to another bridge by its port",  # docker-proxy answers on the host
        }
    if engine.name != "breakwater-fw-12":
        opened |= {
            "other client to a service of the host",
            "to the host's port that is published on another address",
            "container to client b",
        }
    return dict.fromkeys(opened, True)


def assert_filtered(engine: Engine) -> None:
    found, opened = paths(engine), expected(engine)
    assert found == {path: path in opened for path in found}


def wait_for(host: Any, command: str) -> None:
    for _attempt in range(240):
        if host.run(command).rc == 0:
            return
        time.sleep(0.5)
    raise AssertionError(f"{command} did not succeed")


@pytest.fixture(params=ENGINES, ids=lambda engine: engine.name)
def engine(request: pytest.FixtureRequest) -> Engine:
    return request.param


def test_containers_are_the_processes_that_they_were(engine: Engine) -> None:
    now = engine.run("docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' web open back")
    assert now == engine.run("cat /root/processes").strip()


def test_rules_are_met_first_and_policies_left_alone(engine: Engine) -> None:
    for tool in ("iptables", "ip6tables"):
        rules = engine.run(f"{tool} -S INPUT").splitlines()
        assert rules == ["-P INPUT ACCEPT"] + ["-A INPUT -j BREAKWATER-INPUT"] * (engine.name != "breakwater-fw-nft")


def test_packets(engine: Engine) -> None:
    assert_filtered(engine)


def test_dropped_packets_are_logged_at_a_limited_rate() -> None:
    saved = ENGINES[0].run("iptables -vnxL BREAKWATER-DROPPED")
    logged, dropped = (int(line.split()[0]) for line in saved.splitlines()[2:4])
    assert 0 < logged <= dropped
    assert "limit: avg 10/min" in saved


def test_nftables_service_is_told_of_and_survived() -> None:
    """Its `flush ruleset` takes everything, Docker's rules included."""
    engine = ENGINES[2]
    check = [*CONVERGE, "-l", engine.name, "--check"]
    engine.run("systemctl start nftables")
    for verb in ("restart", "reload"):
        engine.run("systemctl restart breakwater-firewall")
        engine.run(f"systemctl {verb} nftables")
        wait_for(engine.host, "nft list table inet breakwater")
    told = subprocess.run(check, check=True, capture_output=True, timeout=120, text=True).stderr
    assert "nftables.service is in use, and /etc/nftables.conf has `flush ruleset`" in " ".join(told.split())
    engine.run("systemctl stop nftables && systemctl restart breakwater-firewall docker")


def test_netfilter_persistent_is_told_of_and_survived() -> None:
    """It loads its own rules in the place of all others."""
    engine = ENGINES[0]
    engine.run("DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends iptables-persistent")
    try:
        engine.run("printf '*filter\\nCOMMIT\\n' | tee /etc/iptables/rules.v4 >/etc/iptables/rules.v6")
        engine.run("systemctl restart netfilter-persistent")
        assert engine.host.run("iptables -S DOCKER").rc != 0
        for tool in ("iptables", "ip6tables"):
            wait_for(engine.host, f"{tool} -S INPUT 1 | grep BREAKWATER-INPUT")
        check = [*CONVERGE, "-l", engine.name, "--check"]
        told = subprocess.run(check, check=True, capture_output=True, timeout=120, text=True).stderr
        assert "netfilter-persistent.service is in use" in " ".join(told.split())
    finally:
        engine.run("apt-get purge -qq -y iptables-persistent netfilter-persistent && systemctl restart docker")


def test_rules_that_change_with_a_network_say_why(engine: Engine) -> None:
    bridge = f"br-{engine.run('docker network create late')[:12]}"
    check = [*CONVERGE, "-l", engine.name, "--check", "--diff"]
    try:
        told = subprocess.run(check, check=True, capture_output=True, timeout=120, text=True).stdout
    finally:
        engine.run("docker network rm late")
    assert f"The bridge {bridge} is new since the rules were written." in " ".join(told.split())


def test_packets_after_a_restart_of_dockerd(engine: Engine) -> None:
    engine.run("systemctl restart docker")
    assert_filtered(engine)
    test_containers_are_the_processes_that_they_were(engine)


def test_packets_after_a_restart_and_a_reload_of_the_unit(engine: Engine) -> None:
    engine.run("systemctl restart breakwater-firewall && systemctl reload breakwater-firewall")
    assert_filtered(engine)


def test_packets_after_a_reboot(engine: Engine) -> None:
    subprocess.run(["docker", "restart", engine.name], check=True, capture_output=True)
    wait_for(engine.host, "docker exec web true && docker exec open true && docker exec back true")
    assert_filtered(engine)
    order = engine.run("systemctl show -P After docker.service")
    assert "breakwater-firewall.service" in order


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Have the controller reach an engine's host by ssh, as a user with sudo, on an odd port; return its configuration.

    The host has two addresses. Once it has rules for testing they are dialled by turns, as by a pool of jump hosts.
    """
    directory = tmp_path_factory.mktemp("ssh")
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    engine = ENGINES[0]
    engine.run(
        "useradd -m -s /bin/sh alice; systemctl stop ssh; mkdir -p ~alice/.ssh /run/sshd;"
        "echo 'alice ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/alice;"
        f"echo '{key.with_suffix('.pub').read_text().strip()}' >~alice/.ssh/authorized_keys;"
        "chown -R alice ~alice/.ssh; /usr/sbin/sshd -p 2022"
    )
    config = directory / "config"
    config.write_text(
        f"""\
Match exec "test -e {directory}/second && docker exec {engine.name} sh -c 'ls -d /run/breakwater-firewall/candidate-*'"
  HostName 198.18.20.{engine.number}
Host {engine.name}
  HostName 198.18.10.{engine.number}
  Port 2022
  User alice
  IdentityFile {key}
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
"""
    )
    return config


def play(ssh: Path, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the role over ssh, with ControlPersist as by default."""
    playbook = ssh.with_name("play.yml")
    playbook.write_text(
        "[{hosts: all, gather_facts: false, become: true, roles: [breakwater.docker.docker_firewall]}]",
        encoding="utf-8",
    )
    common = f"-F {ssh} -o ControlPath={ssh.parent}/control -o ControlMaster=auto -o ControlPersist=60s"
    given = {**variables, "ansible_ssh_common_args": common, "ansible_timeout": 2}
    return subprocess.run(
        ["ansible-playbook", str(playbook), "-i", f"{ENGINES[0].name},", "-e", json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ssh.parent,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"},
    )


LINGERING = f"""
import os, socket, time
connection = socket.create_connection(("198.18.20.{ENGINES[0].number}", 2222))
open("/run/connected", "w").close()
while not os.path.exists("/run/ask"):
    time.sleep(0.1)
connection.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
open("/run/answer", "wb").write(connection.recv(100))
"""


def test_connection_in_use_is_admitted(ssh: Path) -> None:
    """Also when neither its address nor its port is listed, and sudo hides it; a client's goes on too."""
    B.check_output(f"systemd-run -q --unit=lingering python3 -c '{LINGERING}'")
    wait_for(B, "test -e /run/connected")
    done = play(ssh, docker_firewall_input=[{"port": "2222", "sources": ["198.18.10.100"]}])
    assert done.returncode == 0, done.stdout
    assert not ENGINES[0].from_client(B, 2222)
    B.check_output("touch /run/ask")
    wait_for(B, "grep -q 200 /run/answer")
    assert "would shut out this ssh connection, from 198.18.10.1 to port 2022" in " ".join(done.stderr.split())
    assert "-s 198.18.10.1/32 -p tcp -m tcp --dport 2022 -j RETURN" in ENGINES[0].run("iptables -S BREAKWATER-INPUT")
    connect = f"timeout {PATIENCE} bash -c '</dev/tcp/198.18.10.{ENGINES[0].number}/2022'"
    assert A.run(connect).rc != 0
    assert play(ssh, docker_firewall_state="absent").returncode == 0
    assert A.run(connect).rc == 0


def test_host_takes_back_rules_that_shut_out_the_controller(ssh: Path) -> None:
    listed = [{"port": "2022", "sources": ["198.18.10.0/24"]}]
    assert play(ssh, docker_firewall_published=[{"port": "8081", "sources": ["198.18.20.100"]}]).returncode == 0
    before = ENGINES[0].run("iptables-save -t filter | grep '^-A BREAKWATER'; cat /etc/breakwater/firewall/*")
    ssh.with_name("second").touch()
    started = time.monotonic()
    done = play(ssh, docker_firewall_input=listed, docker_firewall_rollback_seconds=15)
    told = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0
    assert time.monotonic() - started > 15
    assert "The controller could not connect again in time under the new rules" in told
    assert "the host has taken them back and is as it was before" in told
    after = ENGINES[0].run("iptables-save -t filter | grep '^-A BREAKWATER'; cat /etc/breakwater/firewall/*")
    assert after == before
    assert not ENGINES[0].run("ls /run/breakwater-firewall | grep candidate || true")
    ssh.with_name("second").unlink()


@pytest.fixture(scope="module")
def removed() -> None:
    remove = [*CONVERGE, "-e", "docker_firewall_state=absent"]
    subprocess.run(remove, check=True, capture_output=True, timeout=120)
    again = subprocess.run(remove, check=True, capture_output=True, timeout=120, text=True)
    assert again.stdout.count("changed=0") == len(ENGINES) + 1


@pytest.mark.usefixtures("removed")
def test_removal_opens_what_was_closed(engine: Engine) -> None:
    assert "BREAKWATER" not in engine.run("iptables-save; ip6tables-save")
    assert "breakwater" not in engine.run("nft list tables 2>/dev/null || true")
    leftovers = "/etc/breakwater /run/breakwater-firewall /usr/local/lib/breakwater"
    assert not engine.run(f"ls -d {leftovers} /etc/systemd/system/*/breakwater-firewall* 2>/dev/null || true")
    found = paths(engine)
    assert found == dict.fromkeys(found, True)
