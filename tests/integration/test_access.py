# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The ways to a real engine besides root's own: over TCP with TLS and without ssh, and as a user of the docker group;
# and one on whose host a file system does not answer.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration.container_host import run, started

ROOT = Path(__file__).parents[2]
NAME = f"breakwater-access-{os.getpid()}"
PREPARE = """
mkdir -p /etc/systemd/system/docker.service.d
cat > /etc/systemd/system/docker.service.d/tcp.conf <<END
[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd -H fd:// -H tcp://0.0.0.0:2376 --tlsverify --tlscacert=/ca.pem --tlscert=/server.pem \
 --tlskey=/server.key
END
systemctl daemon-reload
systemctl restart docker
docker load --quiet --input /usr/share/breakwater/busybox.tar
useradd --create-home --groups docker alice
docker run --detach --name bad --privileged --volume /var/run/docker.sock:/s busybox:local sleep 100000
mkdir --mode 700 /srv/closed
ln -s /etc /srv/closed/link
mkdir -p /srv/dead/data
docker run --detach --name linked --volume /srv/closed/link:/l --volume /srv/dead/data:/d busybox:local sleep 100000
"""
#: Mounts what behaves as a network file system does whose server is gone: who looks into it waits.
DEAD = """
import ctypes, os, time
device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
assert ctypes.CDLL(None).mount(b"gone:/", b"/srv/dead", b"fuse", 0, options.encode()) == 0
time.sleep(600)
"""


def certificates(directory: Path, address: str) -> None:
    def path(name: str) -> str:
        return str(directory / name)

    subject = ("-subj", "/CN=test")
    run(
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-noenc",
        "-keyout",
        path("ca.key"),
        "-out",
        path("ca.pem"),
        *subject,
    )
    for name, extensions in (
        ("server", f"subjectAltName=IP:{address}\nextendedKeyUsage=serverAuth"),
        ("client", "extendedKeyUsage=clientAuth"),
    ):
        (directory / "extensions").write_text(extensions)
        run(
            "openssl",
            "req",
            "-newkey",
            "rsa:2048",
            "-noenc",
            "-keyout",
            path(f"{name}.key"),
            "-out",
            path("csr"),
            *subject,
        )
        signed_by = ("-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial", "-extfile", path("extensions"))
        run("openssl", "x509", "-req", "-in", path("csr"), "-out", path(f"{name}.pem"), *signed_by)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Return the address of a dockerd that verifies its clients, and the directory with a client's certificate.

    Certificates are made as Docker's manual says.
    """
    directory = tmp_path_factory.mktemp("tls")
    with started(NAME) as host:
        address = host.run("hostname --ip-address").strip()
        certificates(directory, address)
        for name in ("ca.pem", "server.pem", "server.key"):
            run("docker", "cp", "-q", str(directory / name), f"{NAME}:/{name}")
        host.run(PREPARE)
        yield address, directory


def audit(reports: Path, host: str, *arguments: str, **variables: Any) -> tuple[dict[str, Any], int]:
    inventory = reports.with_suffix(".ini")
    inventory.write_text(host)
    given = {"docker_compliance_report_dir": str(reports), **variables}
    command = ["ansible-playbook", "breakwater.docker.compliance", "-i", str(inventory), "-e", json.dumps(given)]
    environment = {**os.environ, "ANSIBLE_PIPELINING": "1"}
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (reports / "report.json").exists(), done.stdout + done.stderr
    return json.loads((reports / "report.json").read_text())["hosts"][0], done.returncode


def audit_remotely(address: str, tls: dict[str, str], reports: Path, **variables: Any) -> tuple[dict[str, Any], int]:
    given = {"docker_compliance_docker_host": f"tcp://{address}:2376", "docker_compliance_tls": tls}
    return audit(reports, "engine ansible_connection=local\n", **given, **variables)


def client(directory: Path, name: str = "client") -> dict[str, str]:
    files = {"ca_path": "ca.pem", "client_cert": f"{name}.pem", "client_key": f"{name}.key"}
    return {option: str(directory / file) for option, file in files.items()}


def test_a_remote_engine_is_judged_by_what_it_tells(engine: tuple[str, Path], tmp_path: Path) -> None:
    address, directory = engine
    host, code = audit_remotely(address, client(directory), tmp_path / "reports")
    assert code == 0
    assert host["assessed"]
    assert (host["engine"]["remote"], host["engine"]["socket"]) == (True, f"tcp://{address}:2376")
    status = {(found["control"], found["object"]["name"]): found["status"] for found in host["findings"]}
    assert status["container_not_privileged", "bad"] == "fail"
    assert status["container_no_engine_socket", "bad"] == "fail"
    assert status["daemon_tcp_verifies_clients", "dockerd"] == "error"
    beyond = {found["status"] for found in host["findings"] if found["scope"] in ("host", "file")}
    assert beyond == {"not_applicable"}


def test_a_certificate_of_nobody_gives_a_reason_and_no_verdict(engine: tuple[str, Path], tmp_path: Path) -> None:
    address, directory = engine
    (tmp_path / "other").mkdir()
    certificates(tmp_path / "other", address)
    stranger = {**client(tmp_path / "other"), "ca_path": str(directory / "ca.pem")}
    impostor = {**client(directory), "ca_path": str(tmp_path / "other/ca.pem")}
    for tls in (stranger, impostor):
        host, code = audit_remotely(address, tls, tmp_path / "reports", docker_compliance_fail_on="critical")
        assert (host["assessed"], host["findings"], code) == (False, [], 2)
        assert f"TLS with tcp://{address}:2376 fails" in host["reason"]


@pytest.mark.parametrize(
    "how", ["ansible_user=alice", "ansible_become=true ansible_become_user=alice ansible_become_method=su"]
)
def test_what_a_user_of_the_docker_group_may_not_read_is_an_error_with_the_reason(
    engine: tuple[str, Path], tmp_path: Path, how: str
) -> None:
    host, code = audit(tmp_path / "reports", f"{NAME} ansible_connection=community.docker.docker {how}\n")
    assert code == 0
    assert host["assessed"]
    found = {(item["control"], item["object"]["name"]): item for item in host["findings"]}
    assert found["container_not_privileged", "bad"]["status"] == "fail"
    mounts = found["container_no_sensitive_mounts", "linked"]
    assert (mounts["status"], "/srv/closed/link: Permission denied" in mounts["message"]) == ("error", True)
    listeners = found["daemon_tcp_verifies_clients", "dockerd"]
    assert listeners["status"] == "error"
    assert "Permission denied" in listeners["message"]


@pytest.mark.usefixtures("engine")
def test_a_file_system_that_does_not_answer_does_not_keep_the_run_waiting(tmp_path: Path) -> None:
    run("docker", "exec", "-d", NAME, "python3", "-c", DEAD)
    run("docker", "exec", NAME, "sh", "-c", "until grep -q 'gone:/ /srv/dead' /proc/mounts; do sleep 0.1; done")
    try:
        inventory = f"{NAME} ansible_connection=community.docker.docker\n"
        host, code = audit(tmp_path / "reports", inventory, docker_compliance_timeout=1)
    finally:
        run("docker", "exec", NAME, "umount", "--force", "--lazy", "/srv/dead")
    assert code == 2
    assert not host["assessed"]
    assert "could not be collected within 20 seconds: a file system of this host may not answer" in host["reason"]
