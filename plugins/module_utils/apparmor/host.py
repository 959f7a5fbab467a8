# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The AppArmor profiles of a host: those in the kernel, those that are ours, and who needs them.
# Sources: apparmor_parser(8), apparmor(7), proc_pid_attr(5).

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from typing import Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils import security_module
from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.profile import HEADER, Profile, render
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import (
    BreakwaterError,
    EngineError,
    InputError,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import inspect_all
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import (
    CommandRunner,
    EngineReader,
    LocalFileSystem,
)

DEFAULT_PROFILE = "docker-default"
_DIRECTORY = "/etc/apparmor.d"
_PREFIX = "breakwater."
_LOADED = re.compile(r"^(.+) \((\w+)\)$", re.MULTILINE)
#: Between a profile and its child, or the next one of a stack.
_JOINTS = re.compile("//&?")
_PARSER = "apparmor_parser"
#: Seconds for compiling profiles on a slow machine.
_TIMEOUT = 120


class Plan(NamedTuple):
    """Texts to write and load by profile, profiles to remove, and those that are kept since they are in use."""

    texts: Mapping[str, str]
    removed: tuple[str, ...]
    kept: tuple[str, ...]


class Container(NamedTuple):
    """A container, running or not, and the profile that it is started under, empty for none."""

    name: str
    profile: str


def containers(engine: EngineReader) -> dict[str, Container] | None:
    """Return all containers by their ids; None where no engine answers, which need not mean that there are none."""
    try:
        documents = list(inspect_all(engine))
    except EngineError as error:
        if error.status in ("absent", "stopped"):
            return None
        raise
    return {item["Id"]: Container(item["Name"].lstrip("/"), item.get("AppArmorProfile") or "") for item in documents}


class ProfileHost:
    """A host's AppArmor, or for tests one below the directory `root`."""

    def __init__(self, commands: CommandRunner, root: str = "") -> None:
        self._commands = commands
        self._root = root
        self._files = LocalFileSystem(root)

    def obstacle(self) -> str:
        """Say why AppArmor confines nothing here, empty where it does."""
        module = security_module.active(self._files)
        if module == security_module.APPARMOR:
            return ""
        if module == security_module.SELINUX:
            return "SELinux is the security module of this kernel, and only one of the two can be."
        modules = text_of(self._files, "/sys/kernel/security/lsm").strip() or "none that it tells of"
        return f"AppArmor is not active in this kernel; its security modules are {modules}."

    def loaded(self) -> dict[str, str]:
        """Return the modes of the profiles in the kernel by their names."""
        return dict(_LOADED.findall(text_of(self._files, "/sys/kernel/security/apparmor/profiles")))

    def ours(self) -> dict[str, str]:
        """Return the texts of our profiles by their names."""
        names = [name for name in names_in(self._files, _DIRECTORY) if name.startswith(_PREFIX)]
        texts = {name[len(_PREFIX) :]: text_of(self._files, f"{_DIRECTORY}/{name}") for name in names}
        return {name: text for name, text in texts.items() if text.startswith(HEADER)}

    def labels(self, pids: Iterable[int]) -> dict[int, str]:
        """Return, by process, the profile under which it runs; `unconfined` for none, nothing for one that ended."""
        told = {pid: text_of(self._files, f"/proc/{pid}/attr/current").rstrip("\0\n") for pid in pids}
        return {pid: label.partition(" (")[0] for pid, label in told.items() if label}

    def plan(self, profiles: Sequence[Profile], in_use: Iterable[str]) -> Plan:
        """Compare the host with the profiles that it is to have; `in_use` has labels of processes, and names.

        InputError for a profile of that name which is not ours.
        """
        ours, loaded = self.ours(), self.loaded()
        texts = {}
        for profile in profiles:
            if profile.name in texts:
                raise InputError(f"The profile {profile.name} is listed twice: merge the two. Nothing was changed.")
            if profile.name in loaded and profile.name not in ours:
                raise InputError(
                    f"A profile {profile.name} that is not of this role is loaded already: choose another name, or"
                    f" unload it. Nothing was changed."
                )
            texts[profile.name] = render(profile)
        modes = {profile.name: profile.mode for profile in profiles}
        changed = {
            name: text for name, text in texts.items() if ours.get(name) != text or loaded.get(name) != modes[name]
        }
        unlisted = sorted(ours.keys() - texts.keys())
        kept = set(unlisted) & {name for label in in_use for name in _JOINTS.split(label)}
        return Plan(changed, tuple(name for name in unlisted if name not in kept), tuple(sorted(kept)))

    def can_compile(self) -> bool:
        """Tell whether AppArmor's parser is installed."""
        return self._commands.run((_PARSER, "--version")).rc is not None

    def check(self, texts: Mapping[str, str]) -> None:
        """Compile the texts without loading them; InputError with the parser's words for one that has a mistake."""
        for name, text in texts.items():
            with tempfile.NamedTemporaryFile("w", prefix="breakwater-", encoding="utf-8") as draft:
                draft.write(text)
                draft.flush()
                done = self._commands.run((_PARSER, "--skip-kernel-load", "--skip-cache", draft.name), _TIMEOUT)
            if done.rc != 0:
                words = done.stderr.replace(draft.name, name).strip().splitlines()[-1:] or ["it does not say why"]
                raise InputError(f"AppArmor can't compile the profile {name}: {words[0]}. Nothing was changed.")

    def apply(self, plan: Plan) -> None:
        """Write and load, remove and unload; BreakwaterError, with the former profiles in effect, when that fails."""
        former = self.ours()
        try:
            for name, text in plan.texts.items():
                self._file(name).write(text)
            self._load(plan.texts)
        except (BreakwaterError, OSError) as error:
            for name in plan.texts:
                if name in former:
                    self._file(name).write(former[name])
                else:
                    self._file(name).delete()
            with contextlib.suppress(BreakwaterError):
                self._load([name for name in plan.texts if name in former])
            raise BreakwaterError(f"The profiles can't be loaded, the former ones are in effect: {error}") from None
        for name in plan.removed:
            if name in self.loaded():
                self._parse("--remove", [name])
            self._file(name).delete()

    def _load(self, names: Iterable[str]) -> None:
        self._parse("--replace", names)

    def _parse(self, action: str, names: Iterable[str]) -> None:
        paths = [f"{_DIRECTORY}/{_PREFIX}{name}" for name in names]
        if not paths:
            return
        done = self._commands.run((_PARSER, action, "--write-cache", *paths), _TIMEOUT)
        if done.rc != 0:
            raise BreakwaterError(f"{_PARSER} {action} failed: {done.stderr.strip() or 'it does not say why'}")

    def _file(self, name: str) -> ConfigFile:
        return ConfigFile(os.path.join(self._root + _DIRECTORY, _PREFIX + name))
