# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Tools of Docker's that nobody mends any more, known by the files that they leave on a host.
# Sources: https://github.com/docker/machine (libmachine/provision/systemd.go), https://docs.docker.com/retired/.

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import exists
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_PROGRAMS = ("/usr/bin", "/usr/local/bin")
_PLUGINS = tuple(f"{prefix}/docker/cli-plugins" for prefix in ("/usr/libexec", "/usr/lib", "/usr/local/lib"))
_FILES = {
    "docker-machine": (
        "/etc/systemd/system/docker.service.d/10-machine.conf",
        *(f"{directory}/docker-machine" for directory in _PROGRAMS),
    ),
    "docker-cloud": ("/etc/dockercloud", *(f"{directory}/dockercloud-agent" for directory in _PROGRAMS)),
    "docker-scan": tuple(f"{directory}/docker-scan" for directory in _PLUGINS),
    "docker-app": tuple(f"{directory}/docker-app" for directory in _PLUGINS),
}


def retired_tools(files: FileSystem) -> list[str]:
    """Return the names of the retired tools that are on the host, sorted."""
    found = {name for name, paths in _FILES.items() if any(exists(files, path) for path in paths)}
    if any(_is_script(files, f"{directory}/docker-compose") for directory in _PROGRAMS):
        found.add("docker-compose 1")
    return sorted(found)


def _is_script(files: FileSystem, path: str) -> bool:
    """Tell whether this is a program in Python, as the first Compose was; the second is written in Go."""
    start = files.read_text(path, 64) if exists(files, path) else ""
    return start.startswith("#!") and "python" in start
