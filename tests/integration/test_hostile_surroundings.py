# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host and a registry that mean harm: what the host says of itself when it is hardened, and what the registry answers
# to a real engine that docker_image_verify asks.

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost
from ansible_collections.breakwater.docker.tests.unit.fakes import hostile_server

NAME = f"hostile-{os.getpid()}"
ATTACKS = ("huge", "drip", "file", "garbage", "words")
REGISTRY = "127.0.0.1:5000"
#: Seconds that the registry may take for one image.
TIMEOUT = 5
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - breakwater.docker.docker_image_verify: "{{ given }}"
      register: verified
      ignore_errors: true
    - ansible.builtin.debug: {msg: "{{ verified }}"}
    - ansible.builtin.copy: {content: "{{ verified | to_json }}", dest: "{{ answer }}", mode: "0600"}
      delegate_to: localhost
      vars: {ansible_connection: local}
"""
AUDIT = """
- hosts: all
  gather_facts: false
  tasks:
    - breakwater.docker.docker_compliance_info: {keep_evidence: true}
      register: audited
    - ansible.builtin.copy: {content: "{{ audited.evidence | to_json }}", dest: "{{ answer }}", mode: "0600"}
      delegate_to: localhost
      vars: {ansible_connection: local}
"""
#: A user's process that names a pipe and a device, and one with root's UID in a PID namespace and many groups.
POSING = """
for name in registry dockerd; do cp "$(readlink -f /usr/bin/python3)" /tmp/$name; done
sleep='import time; time.sleep(900)'
mkfifo /tmp/pipe
systemd-run --unit posing-pipe --uid 65534 /tmp/registry -c "$sleep" serve /tmp/pipe
systemd-run --unit posing-device --uid 65534 /tmp/registry -c "$sleep" serve /dev/zero
systemd-run --unit posing-user --uid 65534 /tmp/dockerd -c "$sleep" --config-file /tmp/pipe
systemd-run --unit posing-root unshare --pid --fork /tmp/dockerd -c "import os; os.setgroups(range(60000)); $sleep" \
  -H unix:///var/run/docker.sock --config-file /tmp/pipe
"""


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file that exists once the controller evaluates what it is told."""
    return tmp_path_factory.mktemp("controller") / "evaluated"


@pytest.fixture(scope="module")
def host(mark: Path) -> Iterator[ContainerHost]:
    """Return a host that names itself, its engine and its settings by templates, with a hostile registry."""
    template = f"{{{{ lookup('pipe', 'touch {mark}') }}}}"
    with container_host.started(NAME) as started:
        container_host.run("docker", "cp", hostile_server.__file__, f"{NAME}:/root/hostile.py")
        started.run(f"systemd-run --unit hostile python3 /root/hostile.py 5000 {shlex.quote(template)}")
        release = f'ID=debian\nPRETTY_NAME="{template}"\nVERSION_CODENAME="{template}"\nVERSION_ID="{template}"\n'
        config = json.dumps({"labels": [f"owner={template}"]})
        started.run(f"rm /etc/os-release && printf %s {shlex.quote(release)} > /etc/os-release")
        started.run(f"printf %s {shlex.quote(config)} > /etc/docker/daemon.json")
        started.run(
            f"printf %s {shlex.quote(f'kernel.core_pattern={template}')} > /etc/sysctl.d/{shlex.quote('{{ x }}')}.conf"
        )
        started.run(f"groupadd -f docker && useradd --badname --groups docker {shlex.quote('{{x}}')} || true")
        yield started


def verified(directory: Path, *attacks: str, **options: Any) -> dict[str, Any]:
    """Return what docker_image_verify says of the images of these names, with the seconds that it took."""
    (directory / "play.yml").write_text(PLAY)
    given = {
        "images": [f"{REGISTRY}/{attack}:1" for attack in attacks],
        "policy": [{"repository": f"{REGISTRY}/*", "action": "accept"}],
        "timeout": TIMEOUT,
        **options,
    }
    variables = json.dumps({"given": given, "answer": str(directory / "answer.json")})
    started = time.monotonic()
    container_host.playbook(str(directory / "play.yml"), NAME, "-vvv", "-e", variables, timeout=300)
    return {**json.loads((directory / "answer.json").read_text()), "seconds": time.monotonic() - started}


@pytest.mark.usefixtures("host")
def test_attacks_of_a_registry_verify_nothing_and_end_in_time(tmp_path: Path, mark: Path) -> None:
    told = verified(tmp_path, *ATTACKS)
    assert [image["status"] for image in told["images"]] == ["undecided"] * len(ATTACKS)
    assert [image["pinned"] for image in told["images"]] == [None] * len(ATTACKS)
    reasons = dict(zip(ATTACKS, (image["reason"] for image in told["images"])))
    assert f"within {TIMEOUT} seconds" in reasons["drip"]
    assert "unsupported protocol scheme" in reasons["file"]
    assert "lookup('pipe'" in reasons["words"]
    assert told["seconds"] < TIMEOUT * len(ATTACKS) + 30
    assert not mark.exists()


def test_content_with_another_digest_is_not_pulled(host: ContainerHost, tmp_path: Path) -> None:
    told = verified(tmp_path, "wrong", pull=True)
    assert told["failed"]
    assert "can't be pulled: manifest verification failed" in told["msg"]
    assert host.run("docker image ls --quiet") == ""
    assert host.run("ls /var/lib/breakwater 2>/dev/null || true") == ""


def test_processes_that_pose_as_engine_and_registry_neither_stop_nor_deceive_the_audit(
    host: ContainerHost, tmp_path: Path
) -> None:
    host.run(POSING)
    host.wait_for("test $(pgrep -c '^(registry|dockerd)$') = 5")
    (tmp_path / "play.yml").write_text(AUDIT)
    container_host.playbook(str(tmp_path / "play.yml"), NAME, "-e", f"answer={tmp_path}/answer.json")
    evidence = json.loads((tmp_path / "answer.json").read_text())
    assert ["regular file" in item["unreadable"]["storage"] for item in evidence["registries"]] == [True, True]
    assert evidence["daemon"]["config_file"] == "/etc/docker/daemon.json"
    engine = host.run("pidof /usr/bin/dockerd || pidof /usr/sbin/dockerd").strip()
    assert evidence["daemon"]["daemons"][0] == f"PID {engine} of UID 0"
    assert ["UID 0" in each for each in evidence["daemon"]["daemons"]] == [True, False]


@pytest.mark.usefixtures("host")
def test_what_a_host_says_when_it_is_hardened_is_not_evaluated(mark: Path) -> None:
    areas = json.dumps({"docker_hardening_areas": ["host", "engine", "firewall"]})
    log = container_host.playbook("breakwater.docker.harden", NAME, "-vvv", "--diff", "-e", areas, timeout=400)
    assert "lookup('pipe'" in log
    assert not mark.exists()
