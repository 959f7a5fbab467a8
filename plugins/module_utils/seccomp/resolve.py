# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Makes profiles of what users ask for: a base, and what is allowed and denied besides.

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import (
    conditions,
    documents,
    presets,
    probe,
    syscalls,
)
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import ALWAYS, Conjunction
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import Delta, Profile, changed, within

ENGINE = "engine"
#: What the engine's own profile came to when it was read last; check mode, which starts no container, predicts by it.
CACHE = "/var/lib/breakwater/seccomp-engine-default.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_OPERATORS = {name: f"SCMP_CMP_{name.upper()}" for name in ("eq", "ne", "lt", "le", "gt", "ge")}
OPERATORS = (*_OPERATORS, "has", "lacks")


class UnpredictableError(InputError):
    """What depends on the engine's own profile can't be told before that was read."""


class Resolver:
    """Resolves profiles for one host; a context manager, which removes the probe that it may have needed."""

    def __init__(self, docker: Docker, files: FileSystem, target: documents.Target, starts_containers: bool) -> None:
        """Prepare; without `starts_containers`, as in check mode, the engine's own profile is taken from CACHE only."""
        self.docker = docker
        self._files = files
        self._target = target
        self._starts_containers = starts_containers
        self._cleanup = contextlib.ExitStack()
        self._has_image = False

    def __enter__(self) -> Resolver:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._cleanup.close()

    def need_image(self) -> None:
        """Make the probe's image, once."""
        if not self._has_image:
            self._cleanup.enter_context(probe.image(self.docker, self._target.machine))
            self._has_image = True

    def resolve(self, entry: Mapping[str, Any]) -> Profile:
        """Return the profile that is asked for; InputError for what can't be, UnpredictableError in check mode."""
        where = f"Profile {entry['name']}"
        if not _NAME.fullmatch(entry["name"]):
            raise InputError(
                f"{entry['name']!r} can't name a profile: use letters, digits, - and _. Nothing was changed."
            )
        capabilities = presets.capabilities(entry["capabilities"], where)
        wanted = delta(entry, where)
        return changed(self.base(entry["base"], capabilities), wanted)

    def base(self, name: str, capabilities: tuple[str, ...]) -> Profile:
        """Return what the base is for containers with these capabilities; errors as above."""
        target = replace(self._target, capabilities=capabilities)
        if name in presets.NAMES:
            return self._preset(name, target)
        if name == ENGINE:
            return documents.read(self._engine_default(capabilities), "The engine's own profile", target)
        if not name.startswith("/"):
            raise InputError(
                f"There is no base {name!r}: write {ENGINE}, one of the presets {', '.join(presets.NAMES)}, or the path"
                " of a profile on the host. Nothing was changed."
            )
        try:
            content = json.loads(self._files.read_text(name))
        except OSError as error:
            raise InputError(f"The base {name} can't be read: {error.strerror}. Nothing was changed.") from None
        except ValueError as error:
            raise InputError(f"The base {name} is not JSON: {error}. Nothing was changed.") from None
        return documents.read(content, name, target)

    def _preset(self, name: str, target: documents.Target) -> Profile:
        """Return a preset without what the engine's own profile refuses.

        So a version that learns to refuse a call narrows the presets as well. Where no engine tells its profile, a
        preset is what it lists.
        """
        listed = presets.preset(name, target.architecture)
        if self._starts_containers and self.docker.version() is None:
            return listed
        try:
            return within(listed, self.base(ENGINE, target.capabilities))
        except probe.HiddenDefaultError:
            return listed

    def _engine_default(self, capabilities: Sequence[str]) -> Any:
        version = self.docker.version()
        if version is None and self._starts_containers:
            raise InputError(
                "The engine does not answer, so its own seccomp profile can't be read: start it, or give a preset or a"
                " file as base. Nothing was changed."
            )
        state = {"engine": version, "kernel": list(self._target.kernel), "machine": self._target.machine}
        try:
            cache = json.loads(text_of(self._files, CACHE))
        except ValueError:
            cache = {}
        former = cache.get("profiles", {})
        known = former if cache.get("state") == state else {}
        key = ",".join(capabilities)
        if key not in known and version is not None:
            try:
                probe.require_shown(self.docker)
            except probe.HiddenDefaultError:
                if key not in former:
                    raise
                return former[key]  # such an engine gets no more than corrections
        if key not in known and self._starts_containers:
            self.need_image()
            known[key] = probe.engine_default(self.docker, self._files, capabilities)
            ConfigFile(CACHE).write(json.dumps({"state": state, "profiles": known}))
        if key not in known:
            raise UnpredictableError(
                "The engine's own seccomp profile was not read here yet: run without check mode once."
            )
        return known[key]


def delta(entry: Mapping[str, Any], where: str) -> Delta:
    """Return what an entry allows and denies; InputError for a name or number that can't be."""
    allow: list[tuple[str, Conjunction]] = [(name, ALWAYS) for name in entry["allow"]]
    deny: list[tuple[str, Conjunction]] = [(name, ALWAYS) for name in entry["deny"]]
    for rule in entry["arguments"]:
        when = conditions.conjunction((item["argument"], _constraint(item, where)) for item in rule["when"])
        if not rule["when"] or when is None:
            problem = "never holds" if rule["when"] else "is empty"
            raise InputError(f"{where}: `when` of {', '.join(rule['syscalls'])} {problem}. Nothing was changed.")
        (allow if rule["action"] == "allow" else deny).extend((name, when) for name in rule["syscalls"])
    syscalls.require_known([name for name, _when in (*allow, *deny)], where)
    return Delta(tuple(allow), tuple(deny))


def _constraint(item: Mapping[str, Any], where: str) -> conditions.Constraint:
    if not 0 <= item["argument"] <= 5:
        raise InputError(
            f"{where}: a system call has the arguments 0 to 5, no {item['argument']}. Nothing was changed."
        )
    value = syscalls.constant(item["value"], where)
    if item["op"] in _OPERATORS:
        return conditions.compare(_OPERATORS[item["op"]], value)
    return conditions.compare(conditions.MASKED, value, value if item["op"] == "has" else 0)
