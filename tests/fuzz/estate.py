# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A whole host that never was: a recorded engine, the host's files and commands. Whatever is put into it, the audit has
# to come out with findings.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils import collector
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SCOPES, HostReport
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import ENGINES, recorded
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd, process, write

RECORDINGS = sorted(path.stem for path in ENGINES.glob("*.json"))
SOCKET = "/var/run/docker.sock"
CONTROLS = list(catalogue_loader.builtin().values())
POLICY = rules.check_policy({})

#: Stands in every place where people keep secrets; the evidence must not have it.
SECRET = "hunter2-planted"
_PROXY = f"http://user:{SECRET}@proxy.example.org:3128"
CONFIG = {
    "icc": False,
    "live-restore": True,
    "log-opts": {"max-size": "10m", "splunk-token": SECRET},
    "proxies": {"http-proxy": _PROXY},
}
AUDIT_RULES = (
    "-w /usr/bin/dockerd -p rwxa -k docker\n-w /etc/docker -p wa -k docker\n"
    "-a always,exit -F path=/usr/bin/runc -F perm=x -F auid>=1000 -F auid!=unset -k docker\n"
)
AUDIT_LOG = (
    "type=SYSCALL msg=audit(1790000000.123:9): arch=c000003e syscall=59 success=yes\n"
    'type=EXECVE msg=audit(1790000000.123:9): argc=5 a0="docker" a1="exec" a2="-it" a3="web" a4="sh"\n'
    'type=EXECVE msg=audit(1790000001.123:10): argc=4 a0="docker" a1="exec" a2="--privileged" a3=7765622032\n'
    f'type=EXECVE msg=audit(1790000002.123:11): argc=5 a0="docker" a1="exec" a2="-e" a3="P={SECRET}" a4="web"\n'
)
FILES = {
    "/etc/passwd": "root:x:0:0::/root:/bin/bash\nada:x:1000:994::/home/ada:/bin/sh\n",
    "/etc/group": "root:x:0:\ndocker:x:994:ada\n",
    "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "/etc/docker/daemon.json": json.dumps(CONFIG),
    "/etc/audit/rules.d/docker.rules": AUDIT_RULES,
    "/etc/modprobe.d/af_alg.conf": "install af_alg /bin/false\n",
    "/etc/profile.d/trust.sh": f"export DOCKER_CONTENT_TRUST=1\nexport TOKEN={SECRET}\n",
    "/etc/docker/certs.d/registry.example.org/ca.crt": "",
    "/usr/bin/dockerd": "",
    "/usr/bin/docker": "",
    "/usr/bin/runc": "",
    "/usr/lib/systemd/system/docker.service": "",
    "/usr/share/doc/docker.io/changelog.Debian.gz": "",
    "/var/lib/docker/swarm/docker-state.json": json.dumps({"ListenAddr": "192.0.2.10:2377"}),
    "/var/log/audit/audit.log": AUDIT_LOG,
    "/run/docker.sock": "",
    "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:2 / /var/lib/docker rw - ext4 /dev/sdb1 rw\n",
    "/proc/cmdline": "root=/dev/sda1 ro\n",
    "/proc/net/protocols": "protocol  size sockets\nTCP 1 1\n",
    "/proc/sys/kernel/osrelease": "6.12.48\n",
    "/proc/sys/kernel/kptr_restrict": "2\n",
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "1\n",
    "/sys/kernel/security/lsm": "lockdown,capability,yama,apparmor\n",
    "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
}


class Reader:
    """An EngineReader with documents at hand."""

    def __init__(self, documents: Mapping[str, Any]) -> None:
        self.documents = documents

    def get(self, path: str) -> Any:
        """Return the document at `path`."""
        if path not in self.documents:
            raise MissingDocumentError("invalid", f"nothing at {path}")
        return self.documents[path]

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        """Return the documents at `paths` that there are."""
        return (self.documents[path] for path in paths if path in self.documents)


class Estate:
    """The host below `root` with an engine as recorded; its swarm documents are those of a manager."""

    def __init__(self, root: Path, recording: str) -> None:
        self.root = root
        self.documents: dict[str, Any] = {**recorded(recording), **_swarm()}
        self.documents["/info"]["Swarm"].update(LocalNodeState="active", ControlAvailable=True)
        self.commands = RecordedCommands()
        self.commands.answer("auditctl -l", AUDIT_RULES)
        self.commands.answer("auditctl -s", "enabled 1\nfailure 1\n")
        self.commands.answer("getent group", "docker:x:994:ada\n")
        self.commands.answer("tail", AUDIT_LOG)
        self.commands.answer("gzip", "docker.io (26.1.5) * CVE-2026-34040\n")
        (root / "var").mkdir()
        (root / "var/run").symlink_to("../run")
        for path, text in FILES.items():
            write(root, path, text)
        _plant(self.documents)
        dockerd(
            root, "-H", "fd://", "--log-opt", f"gelf-token={SECRET}", environment=f"HTTP_PROXY={_PROXY}\0T={SECRET}"
        )
        write(root, "/proc/700/net/tcp", "  sl  local_address rem_address st\n")
        (root / "proc/700/fd").mkdir()
        _registry(root)
        for document in self.documents.values():
            if isinstance(document, dict) and document.get("State", {}).get("Running"):
                process(root, document["State"]["Pid"], "app", cgroup=f"/docker/{document['Id']}")

    def evidence(self, changes: Mapping[str, Any] | None = None, deep_scan: bool = False) -> dict[str, Any]:
        """Collect the evidence, with some of the engine's documents replaced."""
        reader = Reader({**self.documents, **(changes or {})})
        files = LocalFileSystem(str(self.root))
        return collector.collect(reader, files, self.commands, SOCKET, deep_scan)


def judged(evidence: Any, scopes: Iterable[str] = SCOPES) -> HostReport:
    """Judge an evidence document by the catalogue's controls of some scopes."""
    return rules.evaluate([item for item in CONTROLS if item.control.scope in scopes], evidence, POLICY, "host1")


def statuses(evidence: Any, scopes: Iterable[str] = SCOPES) -> dict[tuple[str, str], str]:
    """Return the status of each finding by its control and its object's id."""
    return {(item.control, item.object.id): item.status for item in judged(evidence, scopes).findings}


def _plant(documents: dict[str, Any]) -> None:
    variables = [f"MODE={SECRET}", f"API_TOKEN={SECRET}"]
    documents["/info"].update(HttpProxy=_PROXY, HttpsProxy=_PROXY, Labels=[f"key={SECRET}"])
    documents["/info"]["RegistryConfig"]["Mirrors"] = [_PROXY, _PROXY.replace("http:", "https:")]
    for place, document in documents.items():
        if place.endswith("/history"):
            document += [
                {"CreatedBy": f"/bin/sh -c #(nop)  {step}"} for step in (f"ENV X={SECRET}", f"ARG TOKEN={SECRET}")
            ]
            document += [{"CreatedBy": f"RUN curl -u user:{SECRET} https://example.org/ # buildkit", "Comment": SECRET}]
        elif isinstance(document, dict) and document.get("Config"):
            configuration = document["Config"]
            configuration["Env"] = [*(configuration.get("Env") or []), *variables]
            configuration.update(Labels={"password": SECRET}, Cmd=["run", "--password", SECRET], Entrypoint=[SECRET])
        if place.startswith("/containers/") and isinstance(document, dict):
            document["Args"] = [SECRET]
            document["HostConfig"]["LogConfig"].setdefault("Config", {})["splunk-token"] = SECRET
    documents["/services"][0]["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] += variables


def _registry(root: Path) -> None:
    """Start a registry that was told secrets in every way."""
    process(root, 820, "registry", Gid="0\t0")
    write(root, "/proc/820/cmdline", "\0".join(("registry", "serve", "/etc/registry.yml", "--token", SECRET)) + "\0")
    write(root, "/proc/820/environ", f"REGISTRY_PROXY_REMOTEURL={_PROXY}\0REGISTRY_HTTP_SECRET={SECRET}\0T={SECRET}")
    settings = {
        "storage": {"s3": {"secretkey": SECRET, "skipverify": True}},
        "http": {"addr": ":5000", "secret": SECRET, "headers": {"Authorization": [SECRET]}},
    }
    write(root, "/proc/820/root/etc/registry.yml", json.dumps(settings))


def _swarm() -> dict[str, Any]:
    spec = {"EncryptionConfig": {"AutoLockManagers": True}, "CAConfig": {"NodeCertExpiry": 7776 * 10**12}}
    node = {
        "Spec": {"Role": "manager"},
        "Description": {"Hostname": "host1"},
        "ManagerStatus": {"Reachability": "reachable"},
    }
    service = {"Spec": {"Name": "web", "TaskTemplate": {"ContainerSpec": {"Env": ["MODE=fast"]}}}}
    return {
        "/swarm": {"CreatedAt": "2026-11-01T00:00:00Z", "UpdatedAt": "2026-11-01T00:00:00Z", "Spec": spec},
        "/nodes": [node],
        "/services": [service],
        "/secrets": [{"ID": "s1"}],
    }
