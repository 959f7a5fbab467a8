# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Units of systemd that must never start. Sources: systemctl(1), systemd.unit(5), org.freedesktop.systemd1(5).

from __future__ import annotations

import re
from itertools import chain
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket|path|timer|mount|automount|target)")
#: Without these there is no container host, or nobody reaches it.
_VITAL = re.compile(r"(docker|containerd|ssh|sshd|dbus|systemd-[a-z]+)(@.*)?\.(service|socket)")
_PROPERTIES = ("Id", "LoadState", "ActiveState", "RequiredBy", "TriggeredBy")
_MODEMS = "ModemManager.service"
#: ARPHRD_PPP of the kernel's if_arp.h.
_PPP = "512"
#: Seconds for stopping services.
_TIMEOUT = 120


class Plan(NamedTuple):
    """Units to mask, and those that are kept, with the active units that need or trigger them, or their interfaces."""

    mask: tuple[str, ...]
    kept: Mapping[str, tuple[str, ...]]


def modems(files: FileSystem) -> tuple[str, ...]:
    """Return the host's interfaces of mobile networks, by one of which it may be reached."""
    root = "/sys/class/net"
    return tuple(
        name
        for name in names_in(files, root)
        if "DEVTYPE=wwan\n" in text_of(files, f"{root}/{name}/uevent")
        or text_of(files, f"{root}/{name}/type").strip() == _PPP
    )


def make_plan(names: Sequence[str], needed: Sequence[str], commands: CommandRunner, mobile: Sequence[str] = ()) -> Plan:
    """Choose from `names` what this host has, is not masked and nobody needs; `needed` are units that stay.

    `mobile` are interfaces that ModemManager may keep connected.

    InputError for what is no unit, and for one without which the host is none.
    """
    for name in names:
        if not _UNIT.fullmatch(name):
            raise InputError(f"{name!r} is no name of a unit, such as cups.service: correct it. Nothing was changed.")
        if _VITAL.fullmatch(name):
            raise InputError(
                f"{name} must not be masked on a container host: take it off the list. Nothing was changed."
            )
    wanted = [name for name in dict.fromkeys(names) if name not in needed]
    if not wanted:
        return Plan((), {})
    units = _show(wanted, commands)
    present = [name for name, unit in units.items() if unit["LoadState"] not in ("not-found", "masked")]
    others = {
        name: [
            other
            for key in ("RequiredBy", "TriggeredBy")
            for other in units[name].get(key, "").split()
            if other not in wanted
        ]
        for name in present
    }
    active = {name for name, unit in _show(sorted(set(chain(*others.values()))), commands).items() if _is_active(unit)}
    kept = {name: tuple(other for other in others[name] if other in active) for name in present}
    if mobile and _MODEMS in kept:
        kept[_MODEMS] += tuple(mobile)
    # A socket that stays would fail when the first connection finds its service masked.
    for name in present:
        for trigger in units[name].get("TriggeredBy", "").split():
            if kept.get(trigger) and _is_active(units[trigger]):
                kept[name] += (trigger,)
    kept = {name: reasons for name, reasons in kept.items() if reasons}
    return Plan(tuple(name for name in present if name not in kept), kept)


def apply(plan: Plan, commands: CommandRunner) -> None:
    """Stop and mask the units; BreakwaterError when systemd refuses."""
    # one call for both stops a service before the socket that would start it again
    done = commands.run(("systemctl", "mask", "--now", *plan.mask), timeout=_TIMEOUT)
    if done.rc != 0:
        raise BreakwaterError(f"systemctl did not mask {', '.join(plan.mask)}: {done.stderr.strip()}")


def _is_active(unit: Mapping[str, str]) -> bool:
    return unit["ActiveState"] == "active"


def _show(names: Sequence[str], commands: CommandRunner) -> dict[str, dict[str, str]]:
    """Return properties of units by the names that were asked for."""
    if not names:
        return {}
    done = commands.run(("systemctl", "show", "--property", ",".join(_PROPERTIES), "--", *names))
    blocks = [block for block in done.stdout.split("\n\n") if block.strip()]
    if done.rc != 0 or len(blocks) != len(names):
        raise BreakwaterError(f"systemctl does not tell about units: {done.stderr.strip() or 'it gave no reason'}")
    units = [dict(line.partition("=")[::2] for line in block.strip().splitlines()) for block in blocks]
    return dict(zip(names, units))
