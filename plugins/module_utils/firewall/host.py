# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The rules on a host: those that are in effect, those that are confirmed and survive a reboot, and a candidate between.
#
# A candidate is loaded at once but lies in /run only. Unless it is confirmed in time, the confirmed rules are loaded
# again; a reboot does the same.

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.firewall import iptables, nftables
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.loader import (
    CONFIRMED,
    OTHERS,
    RUNTIME,
    SCRIPT,
    SCRIPT_TEXT,
    UNIT,
    UNIT_FILE,
    UNIT_TEXT,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, LocalFileSystem

#: The files of rules, and the command that shows what is loaded of each.
V4, V6, NFT = "rules.v4", "rules.v6", "rules.nft"
_SHOWN_BY = {
    V4: ("iptables-save", "-t", "filter"),
    V6: ("ip6tables-save", "-t", "filter"),
    NFT: ("nft", "list", "table", *nftables.TABLE.split()),
}
#: Seconds for loading rules, waiting for other programs' lock included.
_LOAD_SECONDS = 60


class Service(NamedTuple):
    """The state of a systemd service."""

    active: bool
    enabled: bool


class FirewallHost:
    """A host's own packet filter, or for tests one below the directory `root`."""

    def __init__(self, commands: CommandRunner, root: str = "") -> None:
        self._commands = commands
        self._root = root
        self._files = LocalFileSystem(root)
        self.systemd = os.path.exists(root + "/run/systemd/system")
        self.services = self._services()

    def _services(self) -> dict[str, Service]:
        if not self.systemd:
            return {}
        shown = self._commands.run(("systemctl", "show", "--property=Id,ActiveState,UnitFileState", UNIT, *OTHERS))
        services = {}
        for block in shown.stdout.split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            enabled = values.get("UnitFileState") == "enabled"
            services[values.get("Id", "")] = Service(values.get("ActiveState") == "active", enabled)
        return services

    @property
    def has_ipv6(self) -> bool:
        """Tell whether the kernel knows IPv6."""
        return os.path.exists(self._root + "/proc/sys/net/ipv6")

    def others(self) -> list[str]:
        """Return the other services that fill the packet filter."""
        return [name for name in OTHERS if any(self.services.get(name, ()))]

    def traps(self) -> list[str]:
        """Return, as sentences, where another service is going to throw the rules away, and what to do."""
        found = []
        others = self.others()
        if "nftables.service" in others and "flush ruleset" in self._read("/etc/nftables.conf"):
            found.append(
                "nftables.service is in use, and /etc/nftables.conf has `flush ruleset`: when it is restarted or"
                f" reloaded, Docker's rules are gone until dockerd is restarted ({UNIT} loads its own again), and when"
                " it is stopped, all are. Have that file delete its own tables only, or disable the service."
            )
        if "firewalld.service" in others and "\nFirewallBackend=iptables" in self._read(
            "/etc/firewalld/firewalld.conf"
        ):
            found.append(
                "firewalld fills iptables, so `firewall-cmd --reload` throws these rules away: set"
                " FirewallBackend=nftables in /etc/firewalld/firewalld.conf."
            )
        if "netfilter-persistent.service" in others and "\nIPTABLES_RESTORE_NOFLUSH=yes" not in self._read(
            "/etc/default/netfilter-persistent"
        ):
            found.append(
                "netfilter-persistent.service is in use: when it is restarted, Docker's rules are gone until dockerd is"
                f" restarted ({UNIT} loads its own again), and after `netfilter-persistent reload`, all are. Set"
                " IPTABLES_RESTORE_NOFLUSH=yes and IP6TABLES_RESTORE_NOFLUSH=yes in /etc/default/netfilter-persistent,"
                " or disable the service."
            )
        if "iptables.service" in others or "ip6tables.service" in others:
            found.append(
                "iptables.service or ip6tables.service is in use: when it is restarted or reloaded, Docker's rules are"
                f" gone until dockerd is restarted ({UNIT} loads its own again), and when it is stopped, all are."
                " Disable both."
            )
        return found

    def confirmed(self) -> dict[str, str]:
        """Return the rules that survive a reboot, by the names of their files."""
        return self._texts(CONFIRMED)

    def _texts(self, directory: str) -> dict[str, str]:
        texts = {name: self._read(f"{directory}/{name}") for name in _SHOWN_BY}
        return {name: text for name, text in texts.items() if text}

    def _read(self, path: str) -> str:
        with contextlib.suppress(OSError):
            return self._files.read_text(path)
        return ""

    def is_loaded(self, texts: Mapping[str, str]) -> bool:
        """Tell whether the rules of these files, and no other ones of ours, are in effect as they were loaded."""
        return all(self._is_loaded(name) is (name in texts) for name in _SHOWN_BY)

    def _is_loaded(self, name: str) -> bool | None:
        """Tell whether the rules of one file are in effect; None for ones that are not as they were loaded."""
        shown = self._commands.run(_SHOWN_BY[name]).stdout
        live = shown if name == NFT else "".join(f"{rule}\n" for rule in iptables.rules_in(shown))
        if not live:
            return False
        whole = live == self._read(f"{RUNTIME}/loaded/{name}") and (name == NFT or iptables.is_hooked(shown))
        return whole or None

    def is_installed(self) -> bool:
        """Tell whether the rules will be loaded at the next boot."""
        if self._read(SCRIPT) != SCRIPT_TEXT:
            return False
        return not self.systemd or (self._read(UNIT_FILE) == UNIT_TEXT and all(self.services.get(UNIT, (False,))))

    def try_out(self, texts: Mapping[str, str], seconds: int) -> str:
        """Load rules by the names of their files, and return the candidate's token for `confirm`.

        They are taken back after `seconds` unless they are confirmed; 0 leaves that to a reboot. BreakwaterError when
        they can't be loaded, everything being as before then.
        """
        for name in texts:
            if self._commands.run(_SHOWN_BY[name]).rc is None:
                tool = "nftables" if name == NFT else "iptables"
                raise InputError(f"{_SHOWN_BY[name][0]} is not installed: install {tool}. Nothing was changed.")
        self._forget_candidates()
        token = os.urandom(8).hex()
        candidate = self._candidate(token)
        self._write(SCRIPT, SCRIPT_TEXT)
        for name, text in texts.items():
            self._write(f"{candidate}/{name}", text)
        if seconds:
            self._schedule(candidate, token, seconds)
        loaded = self._script("load", candidate)
        if loaded:
            shutil.rmtree(self._root + candidate)
            self._script("load", CONFIRMED)
            raise BreakwaterError(f"The rules can't be loaded, the former ones are in effect: {loaded}")
        return token

    def _schedule(self, candidate: str, token: str, seconds: int) -> None:
        """Have the candidate taken back by a process that no end of a session can reach."""
        revert = ("sh", SCRIPT, "revert", candidate, str(seconds))
        if self.systemd:
            argv = ("systemd-run", "--quiet", "--collect", f"--unit=breakwater-firewall-revert-{token}", *revert)
        else:
            argv = ("sh", "-c", 'setsid "$@" >/dev/null 2>&1 </dev/null &', "sh", *revert)
        started = self._commands.run(argv)
        if started.rc != 0:
            shutil.rmtree(self._root + candidate)
            raise BreakwaterError(
                f"The rules' rollback can't be scheduled: {started.stderr.strip()}. Nothing was changed."
            )

    def confirm(self, token: str) -> None:
        """Keep the candidate and have it loaded at boot; BreakwaterError when it was taken back already."""
        candidate = self._candidate(token)
        claimed = candidate + ".confirmed"
        try:
            # Who moves the candidate away decides what becomes of it: this, or its rollback.
            os.rename(self._root + candidate, self._root + claimed)
        except FileNotFoundError:
            raise BreakwaterError(
                "The controller could not connect again in time under the new rules, so the host has taken them back"
                " and is as it was before. List in input, or in trusted_clients, where its connections come from."
            ) from None
        texts = self._texts(claimed)
        for name in _SHOWN_BY:
            if name in texts:
                self._write(f"{CONFIRMED}/{name}", texts[name])
            else:
                ConfigFile(f"{self._root}{CONFIRMED}/{name}").delete()
        if self.systemd:
            self._write(UNIT_FILE, UNIT_TEXT)
            self._systemctl("daemon-reload")
            self._systemctl("enable", UNIT)
            self._systemctl("restart", UNIT)
        shutil.rmtree(self._root + claimed)

    def is_present(self) -> bool:
        """Tell whether there is anything of ours on the host."""
        paths = (CONFIRMED, RUNTIME, SCRIPT, UNIT_FILE)
        return any(os.path.lexists(self._root + path) for path in paths) or not self.is_loaded({})

    def remove(self) -> None:
        """Take the rules out of the packet filter, and everything of ours off the host."""
        self._forget_candidates()
        if self._read(UNIT_FILE):
            self._systemctl("disable", "--now", UNIT)
            ConfigFile(self._root + UNIT_FILE).delete()
            self._systemctl("daemon-reload")
        shutil.rmtree(self._root + CONFIRMED, ignore_errors=True)
        self._write(SCRIPT, SCRIPT_TEXT)
        unloaded = self._script("load", CONFIRMED)
        if unloaded:
            raise BreakwaterError(f"The rules can't be unloaded: {unloaded}")
        shutil.rmtree(self._root + RUNTIME, ignore_errors=True)
        ConfigFile(self._root + SCRIPT).delete()
        for directory in (os.path.dirname(CONFIRMED), os.path.dirname(SCRIPT)):
            with contextlib.suppress(OSError):  # others may have files there
                os.rmdir(self._root + directory)

    def _candidate(self, token: str) -> str:
        return f"{RUNTIME}/candidate-{token}"

    def _forget_candidates(self) -> None:
        """Leave it to the run that follows what becomes of a run that was killed; its rollback finds nothing to do."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._root + RUNTIME):
                if name.startswith("candidate-"):
                    shutil.rmtree(f"{self._root}{RUNTIME}/{name}")

    def _write(self, path: str, text: str) -> None:
        ConfigFile(self._root + path).write(text)

    def _script(self, *arguments: str) -> str:
        """Run the script and return its complaint, empty when it has none."""
        done = self._commands.run(("sh", SCRIPT, *arguments), timeout=_LOAD_SECONDS)
        return "" if done.rc == 0 else done.stderr.strip()[-500:] or "it does not say why."

    def _systemctl(self, *arguments: str) -> None:
        done = self._commands.run(("systemctl", *arguments), timeout=_LOAD_SECONDS)
        if done.rc != 0:
            raise BreakwaterError(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip()}")
