# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host's registry: its files and units as they are and as they are to be.

from __future__ import annotations

import os
import pwd
import secrets
import stat
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Callable, ContextManager, Iterable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, install, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import (
    CommandResult,
    CommandRunner,
    EngineReader,
    LocalFileSystem,
)
from ansible_collections.breakwater.docker.plugins.module_utils.registry import config, directories, passwords, units
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import CONTAINER, NATIVE, Settings
from ansible_collections.breakwater.docker.plugins.module_utils.unit_starts import started_at

_SECRET = "http.secret"  # noqa: S105 - a file's name
_OWN_FILES = (
    *(config.CONFIG, config.READ_ONLY, config.HTPASSWD, config.CERTIFICATE, config.KEY, config.CLIENT_CA),
    *(config.TOKEN_CA, config.TOKEN_KEYS, config.GCS_KEY, _SECRET),
)
_OWN_UNITS = tuple(
    f"{name}.{kind}"
    for name in (units.NAME, units.TWIN, units.GC, units.QUOTA, units.BACKUP)
    for kind in ("service", "timer")
)
#: Files that the registry looks at by itself when they change.
_REREAD = (config.HTPASSWD,)
_MODES = {config.KEY: 0o400}
_MODE = 0o600
_DIRECTORY_MODE = 0o700
_STOP_TIMEOUT = 120.0


@dataclass(frozen=True)
class Plan:
    """Texts of files and units before and after, by name; what is gone has no `after`."""

    owner: tuple[int, int] | None
    """uid and gid of the registry; None for an account that is yet to be created."""
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    loose: tuple[str, ...] = ()
    """Files with other rights than they must have."""
    units_before: Mapping[str, str] = field(default_factory=dict)
    units_after: Mapping[str, str] = field(default_factory=dict)
    idle_timers: tuple[str, ...] = ()
    make_root: str = ""
    """The directory of the images, when it is missing or belongs to somebody else."""
    restart: tuple[str, ...] = ()
    """Why a running registry has to be started anew, as clauses."""

    @property
    def changed_files(self) -> list[str]:
        """Return the names of the files that are written or removed."""
        names = sorted({*self.before, *self.after})
        return [name for name in names if self.before.get(name, "") != self.after.get(name, "") or name in self.loose]

    @property
    def changed_units(self) -> list[str]:
        """Return the names of the units that are written or removed."""
        names = sorted({*self.units_before, *self.units_after})
        return [name for name in names if self.units_before.get(name) != self.units_after.get(name)]

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.changed_files or self.changed_units or self.idle_timers or self.make_root or self.restart)


class RegistryHost:
    """A host's registry, or for tests one below the directory `root`; `connect` opens the Engine API."""

    def __init__(
        self, commands: CommandRunner, connect: Callable[[], ContextManager[EngineReader]], root: str = ""
    ) -> None:
        self._commands = commands
        self._connect = connect
        self._root = root
        self._files = LocalFileSystem(root)
        self.systemd = os.path.isdir(f"{root}/run/systemd/system")

    def plan(self, settings: Settings, secret: str, hasher: passwords.Hasher, check_mode: bool) -> Plan:
        """Compare the host with the settings; in check mode files may be missing that an earlier task makes.

        InputError for files that don't fit together, and while garbage is collected.
        """
        self.refuse_while_collecting()
        self._refuse_other_kind(settings)
        owner = self._owner(settings)
        if owner is None and not check_mode:
            raise InputError(f"There is no user {units.NAME}: create the account first. Nothing was changed.")
        before = {name: text for name in _OWN_FILES if (text := self._text(name))}
        after = {name: self._joined(paths, check_mode) for name, paths in config.sources(settings).items()}
        self._check_pair(settings)
        after[_SECRET] = secret or before.get(_SECRET, "").strip() or secrets.token_hex(32)
        for name, read_only in ((config.CONFIG, False), (config.READ_ONLY, True)):
            after[name] = config.text_of(config.render(settings, after[_SECRET], read_only))
        if settings.users:
            after[config.HTPASSWD] = passwords.htpasswd(settings.users, before.get(config.HTPASSWD, ""), hasher)
        units_before, units_after = self._units(), units.render(settings)
        idle = [name for name in units_after if name.endswith(".timer") and not self._is_enabled(name)]
        plan = Plan(
            owner=owner,
            before=before,
            after=after,
            loose=tuple(self._loose(after, owner)),
            units_before=units_before,
            units_after=units_after,
            idle_timers=tuple(idle) if self.systemd else (),
            make_root=settings.root if settings.root and self._owner_of(settings.root) != owner else "",
        )
        return replace(plan, restart=tuple(self._reasons(settings, plan)))

    def removal(self) -> Plan:
        """Return the plan for having no registry; the images are kept."""
        self.refuse_while_collecting()
        before = {name: text for name in _OWN_FILES if (text := self._text(name))}
        return Plan(owner=None, before=before, units_before=self._units())

    def refuse_while_collecting(self) -> None:
        """Raise InputError while garbage is collected: a registry started meanwhile would lose what is pushed."""
        if self.systemd and self._state(f"{units.GC}.service") == "activating":
            raise InputError(
                f"{units.GC}.service is collecting garbage, during which nothing may be pushed: run again when it has"
                " ended. Nothing was changed."
            )

    def _refuse_other_kind(self, settings: Settings) -> None:
        other = self._container_start() if settings.native else self._native_start()
        if other is not None:
            kind = CONTAINER if settings.native else NATIVE
            raise InputError(
                f"A registry of kind {kind} runs on this host: remove it first, with state absent and that kind; the"
                " images are kept. Nothing was changed."
            )

    def apply(self, settings: Settings, plan: Plan) -> None:
        """Carry the plan out; BreakwaterError when systemd refuses."""
        owner = plan.owner or (0, 0)
        directory = self._root + units.DIRECTORY
        directories.make(directory, _DIRECTORY_MODE, self._files, self._commands)
        os.chown(directory, *owner)
        os.chmod(directory, _DIRECTORY_MODE)
        if plan.make_root:
            directories.make(self._root + plan.make_root, 0o750, self._files, self._commands)
            directories.give(self._root + plan.make_root, owner)
        for name in plan.changed_files:
            if name in plan.after:
                install(f"{directory}/{name}", plan.after[name], _MODES.get(name, _MODE), owner)
            else:
                os.unlink(f"{directory}/{name}")
        self._change_units(plan)
        if plan.idle_timers:
            self._systemctl("enable", "--now", *plan.idle_timers)
        if plan.restart and settings.native:
            self._systemctl("restart", f"{units.NAME}.service")

    def remove(self, plan: Plan) -> None:
        """Stop the registry and remove its files and units, not its images; BreakwaterError when systemd refuses."""
        self._change_units(plan)
        for name in plan.before:
            os.unlink(f"{self._root}{units.DIRECTORY}/{name}")

    def _change_units(self, plan: Plan) -> None:
        removed = [name for name in plan.changed_units if name not in plan.units_after]
        if removed and self.systemd:
            # the timers first, since they would start what is being stopped
            self._systemctl("disable", "--now", *sorted(removed, key=lambda name: not name.endswith(".timer")))
            # an alarm of a unit that is gone would stay; those that have not failed are unknown to it
            self._commands.run(("systemctl", "reset-failed", *removed))
        for name in plan.changed_units:
            path = f"{self._root}{units.UNITS}/{name}"
            if name in plan.units_after:
                install(path, plan.units_after[name], 0o644, (0, 0))
            else:
                os.unlink(path)
        if plan.changed_units and self.systemd:
            self._systemctl("daemon-reload")

    def _reasons(self, settings: Settings, plan: Plan) -> Iterable[str]:
        """Yield why the running registry is not yet the planned one; files may be newer where a run was killed."""
        started = self._native_start() if settings.native else self._container_start()
        if started is None:
            return
        changed = [name for name in plan.changed_files if name not in (*_REREAD, _SECRET)]
        if changed:
            yield f"{', '.join(changed)} changed"
        if settings.native and f"{units.NAME}.service" in plan.changed_units:
            yield "its unit changed"
        paths = [f"{units.DIRECTORY}/{name}" for name in plan.after if name not in (*changed, *_REREAD)]
        if settings.native:
            paths.append(f"{units.UNITS}/{units.NAME}.service")
        newer = [path for path in paths if self._written_after(path, started)]
        if newer:
            yield f"{', '.join(newer)} was written after its start"

    def _written_after(self, path: str, moment: float) -> bool:
        try:
            return self._files.stat(path).st_mtime > moment
        except FileNotFoundError:
            return False

    def _native_start(self) -> float | None:
        if not self.systemd or self._state(f"{units.NAME}.service") != "active":
            return None
        return started_at(f"{units.NAME}.service", self._commands)

    def _container_start(self) -> float | None:
        try:
            with self._connect() as engine:
                state = engine.get(f"/containers/{units.NAME}/json")["State"]
            text = state["StartedAt"] if state["Running"] else ""
            return datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
        except (EngineError, KeyError, TypeError, ValueError):
            return None

    def _owner(self, settings: Settings) -> tuple[int, int] | None:
        if settings.kind != NATIVE:
            return settings.uid, settings.uid
        try:
            account = pwd.getpwnam(units.NAME)
        except KeyError:
            return None
        return account.pw_uid, account.pw_gid

    def _owner_of(self, path: str) -> tuple[int, int] | None:
        try:
            status = self._files.stat(path)
        except FileNotFoundError:
            return None
        if not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path} is no directory: name another one for the images. Nothing was changed.")
        return status.st_uid, status.st_gid

    def _loose(self, names: Iterable[str], owner: tuple[int, int] | None) -> Iterable[str]:
        for name in names:
            try:
                status = self._files.lstat(f"{units.DIRECTORY}/{name}")
            except FileNotFoundError:
                continue
            rights = (stat.S_ISREG(status.st_mode), status.st_mode & 0o7777, (status.st_uid, status.st_gid))
            if rights != (True, _MODES.get(name, _MODE), owner):
                yield name

    def _text(self, name: str) -> str:
        return text_of(self._files, f"{units.DIRECTORY}/{name}")

    def _joined(self, paths: Iterable[str], check_mode: bool) -> str:
        missing = [path for path in paths if not exists(self._files, path)]
        if missing and not check_mode:
            raise InputError(f"There is no file {missing[0]}: correct the path. Nothing was changed.")
        return "".join(self._files.read_text(path).rstrip("\n") + "\n" for path in paths if path not in missing)

    def _check_pair(self, settings: Settings) -> None:
        """Raise InputError when certificate and key, where both are there, don't belong together."""
        certificate, key = self._root + settings.certificate, self._root + settings.key
        if not (os.path.exists(certificate) and os.path.exists(key)):
            return
        of_certificate = self._commands.run(("openssl", "x509", "-noout", "-pubkey", "-in", certificate))
        of_key = self._commands.run(("openssl", "pkey", "-pubout", "-in", key))
        if of_key.rc is not None and (of_certificate.rc, of_key.rc, of_certificate.stdout) != (0, 0, of_key.stdout):
            raise InputError(
                f"{settings.key} is not the key of {settings.certificate}: correct the paths. Nothing was changed."
            )

    def _units(self) -> dict[str, str]:
        texts = {name: text_of(self._files, f"{units.UNITS}/{name}") for name in _OWN_UNITS}
        return {name: text for name, text in texts.items() if text}

    def _is_enabled(self, name: str) -> bool:
        return self._commands.run(("systemctl", "is-enabled", name)).rc == 0 and self._state(name) == "active"

    def _state(self, name: str) -> str:
        return self._commands.run(("systemctl", "is-active", name)).stdout.strip()

    def _systemctl(self, *arguments: str) -> CommandResult:
        done = self._commands.run(("systemctl", *arguments), timeout=_STOP_TIMEOUT)
        if done.rc != 0:
            raise BreakwaterError(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done
