# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Kernel settings in one file and in the running kernel. Sources: sysctl.d(5), sysctl.conf(5), sysctl(8), the kernel's
# Documentation/admin-guide/sysctl.

from __future__ import annotations

import fnmatch
import re
from typing import Any, Collection, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import HEADER, names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.namespaces import in_container
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: Sorted behind the others, since the last file wins.
PATH = "/etc/sysctl.d/zz-breakwater.conf"
#: What `sysctl --system` and `sysctl -p` read last; systemd does not read it.
LAST_PATH = "/etc/sysctl.conf"
_DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_KEY = re.compile(r"[A-Za-z0-9_-]+([./][A-Za-z0-9_*:@-]+)+")
#: Each network namespace has its own of these; all others are the machine's.
_NAMESPACED = ("net.ipv4.", "net.ipv6.", "net.bridge.")
#: With this value a key can't be changed before the next boot.
_LOCKED = {
    "kernel.kexec_load_disabled": "1",
    "kernel.modules_disabled": "1",
    "kernel.unprivileged_bpf_disabled": "1",
    "kernel.yama.ptrace_scope": "3",
}


class Skipped(NamedTuple):
    """A setting that is not applied now, and why."""

    name: str
    reason: str


class SysctlPlan(NamedTuple):
    """The file's text, what the running kernel is to be told (key to values before and after), and what it is not."""

    text: str
    changes: Mapping[str, tuple[str, str]]
    skipped: tuple[Skipped, ...]


def normal(value: Any) -> str:
    """Return a value as the kernel shows it, with single blanks; truth values are 1 and 0."""
    return str(int(value)) if isinstance(value, bool) else " ".join(str(value).split())


def read_live(files: FileSystem, key: str) -> str | None:
    """Return a key's value in the running kernel, None where this kernel does not have it or does not tell."""
    try:
        return normal(files.read_text(_place(key)))
    except OSError:
        return None


def with_stricter(settings: Mapping[str, str], at_least: Collection[str], files: FileSystem) -> dict[str, str]:
    """Return `settings`, but of the keys `at_least` a larger number that the running kernel has."""
    live = {key: read_live(files, key) or "" for key in settings if key in at_least}
    larger = {key: value for key, value in live.items() if value.isdecimal() and settings[key].isdecimal()}
    return {**settings, **{key: value for key, value in larger.items() if int(value) > int(settings[key])}}


def make_plan(settings: Mapping[str, str], comments: Mapping[str, str], files: FileSystem) -> SysctlPlan:
    """Compare the running kernel with `settings`; a comment explains its key in the file.

    The file has all keys, since another kernel may have them at the next boot. InputError for what is no key.
    """
    lines, changes, skipped = [HEADER], {}, []
    container = in_container(files)
    for key, value in sorted(settings.items()):
        if not _KEY.fullmatch(key) or "*" in key or "\n" in value:
            raise InputError(f"{key} = {value} is no kernel setting: correct docker_host_sysctl. Nothing was changed.")
        if key in comments:
            lines.append(f"# {comments[key]}\n")
        # With the dash a kernel without the key makes neither systemd nor sysctl fail.
        lines.append(f"-{key} = {value}\n")
        live = read_live(files, key)
        if live is None:
            skipped.append(Skipped(key, "this kernel does not have it"))
        elif live == value:
            continue
        elif container and not key.startswith(_NAMESPACED):
            skipped.append(Skipped(key, "this host is a container and the kernel belongs to the machine"))
        elif _LOCKED.get(key) == live:
            skipped.append(Skipped(key, f"it is {live} and locked until the next boot"))
        else:
            changes[key] = (live, value)
    return SysctlPlan("".join(lines), changes, tuple(skipped))


def apply(changes: Mapping[str, tuple[str, str]], root: str = "") -> list[Skipped]:
    """Tell the running kernel the changes and return those that it refuses; `root` is where /proc is looked for."""
    answers = {key: _write(root + _place(key), after) for key, (_before, after) in changes.items()}
    return [Skipped(key, reason) for key, reason in answers.items() if reason]


def _write(path: str, value: str) -> str:
    """Return why the kernel refuses the value, empty where it takes it."""
    try:
        with open(path, "w", encoding="ascii") as stream:
            stream.write(value)
    except OSError as error:
        return f"the kernel refuses {value}: {error.strerror}"
    return ""


class OtherFiles:
    """What files other than ours set: for systemd the last one that names a key wins, and sysctl reads one more."""

    def __init__(self, files: FileSystem) -> None:
        """Read them all."""
        self._lines = [line for path in _paths(files) for line in _parse(files, path)]

    def last(self, key: str, afterwards: bool = False) -> tuple[str, str] | None:
        """Return value and path of the file that decides about the key at boot, None for none.

        With `afterwards` it is LAST_PATH, which decides when somebody runs `sysctl --system`.
        """
        found = None
        for pattern, value, origin in self._lines:
            if (origin == LAST_PATH) == afterwards and fnmatch.fnmatchcase(key, pattern):
                found = (value, origin)
        return found


def _place(key: str) -> str:
    return "/proc/sys/" + key.replace(".", "/")


def _paths(files: FileSystem) -> list[str]:
    """Return the files in the order of reading; of the same name only that of the first directory counts."""
    chosen: dict[str, str] = {}
    for directory in _DIRECTORIES:
        for name in names_in(files, directory):
            if name.endswith(".conf"):
                chosen.setdefault(name, f"{directory}/{name}")
    return [path for _name, path in sorted(chosen.items()) if path != PATH] + [LAST_PATH]


def _parse(files: FileSystem, path: str) -> list[tuple[str, str, str]]:
    found = []
    for line in text_of(files, path).splitlines():
        name, equals, value = line.strip().partition("=")
        name = name.strip().lstrip("-")
        if equals and not line.lstrip().startswith(("#", ";")) and _KEY.fullmatch(name):
            found.append((_dotted(name), normal(value), path))
    return found


def _dotted(name: str) -> str:
    """Return a key with dots: where a slash comes first, slashes are the separators and dots belong to the parts."""
    return name.replace("/", ".") if "/" in name and "." not in name.partition("/")[0] else name
