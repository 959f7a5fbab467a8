# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The host's evidence: where Docker's data lies, who may use the engine, what the kernel protects, what has piled up.

from __future__ import annotations

import posixpath
import re
from typing import Any, Callable, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (
    accounts,
    audit,
    exec_audit,
    image_signature,
    kernel,
    mounts,
    retired,
    sprawl,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import (
    data_root,
    exists,
    resolve,
    resolve_parent,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

_CLIENTS = ("/usr/bin/docker", "/usr/local/bin/docker")
#: Packages that bring the engine and its runtimes; their changelogs name the vulnerabilities that were mended.
#: docker.io is Debian's and Ubuntu's, docker Amazon Linux's and SUSE's, and moby's are Fedora's and Azure Linux's.
_PACKAGES = (
    *("docker.io", "docker-stable", "moby-engine", "docker"),
    *("containerd", "moby-containerd", "runc", "moby-runc"),
)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}")
_ENVIRONMENT_FILES = ("/etc/environment", "/etc/profile", "/etc/bash.bashrc")
#: The client takes everything for yes that is not empty and not one of Go's words for no.
_CONTENT_TRUST = re.compile(
    r"^[ \t]*(?:export\s+)?DOCKER_CONTENT_TRUST=[\"']?(?!(?:0|f|false)?(?:[\s\"';#]|$))", re.MULTILINE | re.IGNORECASE
)


class HostSources(NamedTuple):
    """Everything that the host's evidence is read from."""

    files: FileSystem
    commands: CommandRunner
    socket_path: str
    documents: EngineDocuments
    live_rules: Callable[[], audit.AuditRules]
    """The audit rules that the kernel has loaded; UnreadableError where it does not show them."""


def collect(sources: HostSources) -> dict[str, Any]:
    """Return the host's evidence; whatever can't be read is null and told under `unreadable`."""
    files, commands = sources.files, sources.commands
    root = Lazy(lambda: data_root(sources.documents))
    users = Lazy(lambda: accounts.read_accounts(files))
    # of a socket that systemd opened the unit names the group, and dockerd's own setting does nothing
    group = Lazy(lambda: users().group(files.stat(sources.socket_path).st_gid))
    members = Lazy(lambda: accounts.group_members(commands, users(), group()))
    live = sources.live_rules
    execs = Lazy(lambda: exec_audit.collect(files, commands, live(), client_path(files)))
    counts = Lazy(lambda: sprawl.count(sources.documents))
    readers: dict[str, Callable[[FileSystem], Any]] = {
        "operating_system": operating_system,
        "data_root": lambda _files: root(),
        "data_root_own_filesystem": lambda _files: mounts.has_own_file_system(
            mounts.read_mounts(files), resolve(files, root())
        ),
        "docker_group": lambda _files: group(),
        "docker_group_exists": lambda _files: members() is not None,
        "docker_group_members": lambda _files: members() or [],
        "audit_enabled": lambda _files: bool(live().rules) and not live().off,
        **{f"exec_{name}": _item(execs, name) for name in ("recorded", "total", "privileged", "root", "since")},
        **{name: _item(counts, name) for name in sprawl.NAMES},
        "docker_client": docker_client,
        "retired_tools": retired.retired_tools,
        "mended_vulnerabilities": lambda _files: mended_vulnerabilities(files, commands),
        "content_trust": content_trust,
        "image_policy": image_signature.has_policy,
        **kernel.READERS,
    }
    return {"id": "host", "name": "host", **gather(files, readers)}


def _item(source: Callable[[], Mapping[str, Any]], name: str) -> Callable[[FileSystem], Any]:
    return lambda _files: source()[name]


def operating_system(files: FileSystem) -> str:
    """Return the distribution's name and version. os-release(5)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            found = re.search(r'^PRETTY_NAME="?([^"\n]*)', files.read_text(path), re.MULTILINE)
        except FileNotFoundError:
            continue
        if found:
            return found.group(1)
    return "unknown"


def client_path(files: FileSystem) -> str:
    """Return where the docker command is, as an audit rule finds it; the usual place where there is none."""
    return resolve_parent(files, next((path for path in _CLIENTS if exists(files, path)), _CLIENTS[0]))


def docker_client(files: FileSystem) -> str:
    """Tell whose command `docker` is: docker, podman (the package podman-docker), or absent."""
    for path in _CLIENTS:
        if exists(files, path):
            if posixpath.basename(resolve(files, path)) == "podman":
                return "podman"
            start = files.read_text(path, 4096)
            return "podman" if start.startswith("#!") and "podman" in start else "docker"
    return "absent"


def mended_vulnerabilities(files: FileSystem, commands: CommandRunner) -> list[str]:
    """Return the CVE ids in the changelogs of the distribution's packages, sorted.

    Distributions mend without a new upstream version, so a version alone would accuse a host that is patched.
    """
    changelogs = [f"/usr/share/doc/{name}/changelog.Debian.gz" for name in _PACKAGES]
    present = [path for path in changelogs if exists(files, path)]
    texts = []
    if present:
        texts.append(commands.run(("gzip", "-dc", *present)).stdout)
    if exists(files, "/usr/lib/sysimage/rpm") or exists(files, "/var/lib/rpm"):
        texts.append(commands.run(("rpm", "-q", "--changelog", *_PACKAGES)).stdout)
    return sorted({identifier for text in texts for identifier in _CVE.findall(text)})


def content_trust(files: FileSystem) -> bool:
    """Tell whether logins get DOCKER_CONTENT_TRUST=1, or another yes, from the host's environment files."""
    scripts = []
    if exists(files, "/etc/profile.d"):
        scripts = [f"/etc/profile.d/{name}" for name in files.listdir("/etc/profile.d") if name.endswith(".sh")]
    paths = [path for path in (*_ENVIRONMENT_FILES, *scripts) if exists(files, path)]
    return any(_CONTENT_TRUST.search(files.read_text(path)) for path in paths)
