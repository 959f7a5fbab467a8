# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# When a CA is made and replaced. Between two steps every host has to be reached: nobody may be shown a certificate of a
# CA that he does not trust yet.

from __future__ import annotations

from datetime import datetime, timedelta

from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority, CaSpec, check_creatable

#: What a step does, as a sentence about the CA.
OUTCOMES = {
    "create": "a new CA is made",
    "introduce": "a second CA is made; both are trusted, the old one still issues",
    "promote": "the new CA issues; both are trusted",
    "retire": "the old CA is removed; only the new one is trusted",
}


def deed(step: str, phase: str, due: bool) -> str | None:
    """Return what `step` (ensure, introduce, promote or retire) does in a phase of the CA: a key of OUTCOMES or None.

    `due` says whether the CA is to be replaced. A step that is done already, or whose turn has not come, does nothing;
    so a rotation that was broken off goes on when it is run again.
    """
    if phase == "absent":
        return "create" if step in ("ensure", "introduce") else None
    if phase == "stable":
        return "introduce" if step == "introduce" and due else None
    return step if (step, phase) in (("promote", "introduced"), ("retire", "promoted")) else None


def is_due(authority: Authority, now: datetime, renew_before: timedelta) -> bool:
    """Tell whether the issuing CA is near its end; InputError when there is none that is fit."""
    return authority.certificate().not_valid_after_utc - now < renew_before


def perform(authority: Authority, name: str | None, spec: CaSpec, now: datetime) -> None:
    """Do what `deed` returned and correct the directory's rights; OSError where it can't be changed."""
    if authority.phase == "promoted":
        authority.finish_promotion()
    if name == "create":
        authority.create(spec, now)
    elif name == "introduce":
        authority.create(spec, now, "next")
    elif name == "promote":
        authority.promote()
    elif name == "retire":
        authority.retire()
    for path, mode in authority.loose_rights():
        path.chmod(mode)


def check(name: str | None, spec: CaSpec) -> None:
    """Raise InputError, in check mode as well, for what `perform` would refuse."""
    if name in ("create", "introduce"):
        check_creatable(spec)
