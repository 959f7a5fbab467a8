# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Makes a plan effective as one transaction: the engine answers by the new configuration, or by the old one again.

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.conflicts import local_socket
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET, EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, render
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import (
    Document,
    EngineState,
    Plan,
    for_reload,
    merge,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError


@dataclass(frozen=True)
class Consent:
    """What the user lets happen to a host in use."""

    data_move: bool = False
    interruption: bool = False
    restart: bool = True


def check_dependents(state: EngineState, why: str, outcome: str) -> None:
    """Raise InputError where a restart takes other units along; `why` and `outcome` tell what it is about."""
    if state.dependents:
        raise InputError(
            f"{why}, and systemd then restarts {', '.join(state.dependents)} too, with whatever containers they run:"
            f" have them want docker.service instead of requiring it, or set allow_interruption: true. {outcome}"
        )


def check_consent(plan: Plan, state: EngineState, consent: Consent) -> None:
    """Raise InputError when the plan does to this host what the user has not agreed to."""
    if plan.action == "data_move" and not consent.data_move:
        root = state.root_of(plan.document)
        elsewhere = root and state.data_root and root != state.data_root
        places = f" They are in {state.data_root}, and it would look in {root}." if elsewhere else ""
        raise InputError(
            f"Changing {', '.join(plan.changed)} makes the engine look elsewhere for images, containers and volumes:"
            f" the present ones will not be seen.{places} Set allow_data_move: true to do it; nothing was changed."
        )
    stops = plan.action == "data_move" or (plan.action == "restart" and not plan.document.get("live-restore"))
    if stops and state.containers and consent.restart and not consent.interruption:
        raise InputError(
            f"Changing {', '.join(plan.changed)} stops the {state.containers} running containers, since live-restore"
            " can't keep them. Stop them first or set allow_interruption: true; nothing was changed."
        )
    restarts = plan.action in ("restart", "data_move") and consent.restart
    if restarts and not consent.interruption:
        check_dependents(state, f"Changing {', '.join(plan.changed)} restarts docker.service", "Nothing was changed.")


@dataclass(frozen=True)
class UnitSettings:
    """The drop-in with settings of docker.service, its text as it was and as it shall be; empty for no file."""

    file: ConfigFile
    before: str
    text: str


@dataclass(frozen=True)
class Transaction:
    """One change of one host: `running` is what the engine runs by, `timeout` in seconds bounds each wait for it."""

    host: EngineHost
    file: ConfigFile
    drop_in: ConfigFile
    settings: UnitSettings
    running: Document
    state: EngineState
    plan: Plan
    timeout: float
    may_restart: bool = True

    @property
    def deferred(self) -> bool:
        """Tell whether the change needs a restart that is not allowed now."""
        return self.state.running and self.plan.action in ("restart", "data_move") and not self.may_restart

    def check(self) -> None:
        """Raise InputError when this host gives no way to make the plan effective, or no safe one to do it later."""
        if self.plan.action in ("restart", "data_move") and self.state.running and not self.host.can_restart:
            raise InputError(
                f"Changing {', '.join(self.plan.changed)} takes a restart of dockerd, which systemd does not manage."
                " Stop dockerd, run again and start it; nothing was changed."
            )
        if self.deferred and (self.plan.action == "data_move" or "authorization-plugins" in self.plan.changed):
            # A restart by somebody else would lose running containers; a reload, end dockerd if the plugin is silent.
            raise InputError(
                f"Changing {', '.join(self.plan.changed)} can't be left to a later restart of dockerd, and restart"
                " does not allow one now. Run when it does; nothing was changed."
            )

    def drop_in_text(self) -> str:
        """Return what the unit's drop-in has to be for the plan; empty for no file."""
        if "hosts" not in self.plan.document:
            return ""
        # Where our drop-in is in force already, the unit shows nothing to take away any more.
        return self.host.unit.drop_in() or self.drop_in.read() or ""

    def apply(self) -> None:
        """Write the files and make them effective; BreakwaterError after everything was put back."""
        drop_in_before = self.drop_in.read() or ""
        restarted = False
        try:
            self.file.begin()
            if self.deferred:
                self._reload_part()
            else:
                self._prepare_containers()
            self.write_settings(self.settings.text)
            self._write(render(self.plan.document), self.drop_in_text())
            restarted = not self.deferred and self.plan.action in ("restart", "data_move")
            self._make_effective()
        except (BreakwaterError, OSError) as error:
            outcome = self._roll_back(drop_in_before, restarted)
            raise BreakwaterError(
                f"The new configuration was taken back: {str(error).rstrip('.')}. {outcome}"
            ) from error
        if self.deferred:
            self.file.defer(render({**self.running, **self._reloaded()}), self.host.unit.start)
        else:
            self.file.commit()

    def write_settings(self, text: str) -> None:
        """Make `text` the drop-in with the unit's settings, which systemd applies at dockerd's next start."""
        self._write_unit_file(self.settings.file, text)

    def _reloaded(self) -> Document:
        """Return the part of the plan that a reload makes effective."""
        return {key: self.plan.document[key] for key in self.plan.reloaded}

    def _reload_part(self) -> None:
        """Reload that part from a file of its own: dockerd reloads no `hosts` where its options have addresses, too."""
        if self.plan.reloaded:
            self.file.write(render(for_reload({**self.running, **self._reloaded()})))
            self.host.reload()
            self.host.wait_until(self._socket(self.running), self._reloaded(), self.timeout)

    def _write(self, text: str, drop_in: str) -> None:
        """Write both files in the order in which each state between is one that dockerd can start from."""
        if drop_in:
            self._write_unit_file(self.drop_in, drop_in)
        self.file.write(text)
        if not drop_in:
            self._write_unit_file(self.drop_in, drop_in)

    def _write_unit_file(self, file: ConfigFile, text: str) -> None:
        if text == (file.read() or ""):
            return
        if text:
            file.write(text)
        else:
            file.delete()
        self.host.daemon_reload()

    def _prepare_containers(self) -> None:
        """Turn live-restore on before a restart that keeps containers, and off before one that must stop them.

        It is reloadable: set alone and reloaded it takes effect at once, so even a first hardening keeps each process.
        """
        if not self.state.containers or self.plan.action not in ("restart", "data_move"):
            return
        keep = self.plan.action == "restart" and bool(self.plan.document.get("live-restore"))
        if keep != self.state.live_restore:
            self.file.write(render(for_reload(merge(self.running, {"live-restore": keep}))))
            self.host.reload()
            self.host.wait_until(self._socket(self.running), {"live-restore": keep}, self.timeout)

    def _make_effective(self) -> None:
        if self.plan.action == "reload":
            self.host.reload()
        elif self.plan.action == "none" or self.deferred or not self.host.can_restart:
            return
        else:
            self.host.restart(self.timeout)
        self.host.wait_until(self._socket(self.plan.document), self.plan.document, self.timeout)

    def _roll_back(self, drop_in: str, restarted: bool) -> str:
        """Put the files back and the engine into the state that it was in; return a sentence about the outcome."""
        socket = self._socket(self.running)
        error: BreakwaterError | None = None
        self.write_settings(self.settings.before)
        if self.state.running and (restarted or not self.host.answers(socket)):
            # A starting engine stops the containers that it finds unless live-restore is in its file.
            keep = {"live-restore": True} if self.state.containers and self.plan.action != "data_move" else {}
            self._write(render(merge(self.running, keep)), drop_in)
            error = self._attempt(lambda: self.host.restart(self.timeout), socket)
            self._restore(drop_in)
        else:
            self._restore(drop_in)
            if self.state.running:
                error = self._attempt(self.host.reload, socket)
        if error and not self.host.answers(socket):
            return f"{self.file.path} is as before, but the engine does not come back: {str(error).rstrip('.')}."
        engine = "runs by it" if self.state.running else "was down before as well"
        return f"{self.file.path} is as before and the engine {engine}."

    def _attempt(self, action: Callable[[], None], socket: str) -> BreakwaterError | None:
        try:
            action()
            self.host.wait_until(socket, {}, self.timeout)
        except BreakwaterError as error:
            return error
        return None

    def _restore(self, drop_in: str) -> None:
        self.file.restore()
        self._write_unit_file(self.drop_in, drop_in)

    @staticmethod
    def _socket(document: Document) -> str:
        return local_socket(document) or DEFAULT_SOCKET
