# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The certificates of one host from the judgement to the signature; talking to the host is left to the action.

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.certificate import (
    CertificateFacts,
    CertificateSpec,
    foreign_ca,
    issue,
    read_facts,
    renewal_reasons,
    subject_names,
    to_pem,
)


@dataclass(frozen=True)
class Policy:
    """What holds for all certificates; `days` and `renew_before` in days."""

    key_type: str
    days: int
    renew_before: int
    new_keys: bool
    replace_foreign: bool


@dataclass
class _Case:
    """One certificate: what is wanted, what is there, and what is to be done about it."""

    spec: CertificateSpec
    place: Mapping[str, Any]
    wanted: bool
    facts: CertificateFacts | None = None
    found: Mapping[str, Any] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    """Why the certificate is issued anew."""
    corrections: list[str] = field(default_factory=list)
    """What else is not as it is to be."""
    certificate: str = ""
    foreign: str = ""
    """The name of the CA that the host's files are of, where it is not this one."""

    @property
    def changed(self) -> bool:
        return bool(self.reasons or self.corrections)

    def needs_key(self, new_keys: bool) -> bool:
        """Tell whether the present key can't be kept. A kept one fits the old certificate and the new one alike."""
        if not self.reasons:
            return False
        return new_keys or self.facts is None or not self.facts.key_matches or self.facts.key_type != self.spec.key_type


class Issuance:
    """The certificates of one host; the methods are called in the order in which they stand here."""

    def __init__(
        self, authority: Authority, policy: Policy, certificates: Sequence[Mapping[str, Any]], now: datetime
    ) -> None:
        """Check what is asked for; InputError when it can't be right."""
        self._authority = authority
        self._policy = policy
        self._now = now
        self._cases = [_case(entry, policy) for entry in certificates]
        directories = [case.place["directory"] for case in self._cases]
        for directory in directories:
            if directories.count(directory) > 1:
                raise InputError(f"Two certificates are to be in {directory}: give each a directory of its own.")

    def questions(self) -> list[Mapping[str, Any]]:
        """Return what the host is to look at."""
        return [case.place for case in self._cases]

    def judge(self, found: Sequence[Mapping[str, Any]]) -> None:
        """Compare what the host has with what it is to have; InputError when the CA is not fit, or the files another's.

        Their key may be the only one, and whoever relies on the other CA would be refused.
        """
        absent = self._authority.phase == "absent"
        ours = [] if absent else self._authority.trusted()
        self._trusted = "".join(map(to_pem, _by_age(ours)))
        for case, there in zip(self._cases, found):
            case.found = there
            case.foreign = foreign_ca(there["trusted"], there["certificate"], there["key"], ours)
            spared = case.foreign and not self._policy.replace_foreign
            if not case.wanted:
                case.corrections = ["it is removed"] if there["present"] and not spared else []
            elif spared:
                raise _foreign(case)
            elif absent:
                case.reasons = ["there is no CA yet"]
            else:
                self._compare(case)

    def _compare(self, case: _Case) -> None:
        issuer = self._authority.certificate()
        found = case.found
        case.facts = read_facts(found["certificate"], found["request"], issuer)
        renew_before = timedelta(days=self._policy.renew_before)
        case.reasons = renewal_reasons(case.spec, case.facts, issuer.not_valid_after_utc, self._now, renew_before)
        case.corrections = list(found["loose_rights"])
        if found["trusted"] != self._trusted:
            case.corrections.append("the trusted CAs are others")

    def changes(self) -> bool:
        """Tell whether anything is to be done."""
        return any(case.changed for case in self._cases)

    def key_orders(self) -> list[Mapping[str, Any]]:
        """Return for which certificates the host is to make a new key."""
        return [{**case.place, "key_type": case.spec.key_type} for case in self._orders()]

    def _orders(self) -> list[_Case]:
        return [case for case in self._cases if case.needs_key(self._policy.new_keys)]

    def sign(self, made: Sequence[Mapping[str, Any]], passphrase: str) -> None:
        """Issue what is due, for the requests that came with new keys or were there; InputError when the CA can't."""
        due = [case for case in self._cases if case.reasons]
        if not due:
            return
        issuer = self._authority.certificate()
        if issuer.not_valid_after_utc <= self._now:
            end = f"{issuer.not_valid_after_utc:%Y-%m-%d}"
            raise InputError(f"The CA expired on {end}: run breakwater.docker.rotate_certificates.")
        key = self._authority.key(passphrase)
        requests = {case.place["directory"]: new["request"] for case, new in zip(self._orders(), made)}
        for case in due:
            request = requests.get(case.place["directory"], case.found["request"])
            certificate = issue(case.spec, request, issuer, key, self._now)
            case.certificate = to_pem(certificate)
            case.facts = read_facts(case.certificate, request, issuer)

    def deliveries(self) -> list[Mapping[str, Any]]:
        """Return what the host is to install or remove."""
        return [
            {
                **case.place,
                "certificate": case.certificate,
                "trusted": self._trusted,
                "keep": bool(case.foreign),
            }
            for case in self._cases
            if case.changed
        ]

    def answer(self) -> dict[str, Any]:
        """Return the result of the task."""
        return {
            "changed": self.changes(),
            "changed_usages": sorted({case.spec.usage for case in self._cases if case.changed}),
            "certificates": [
                {
                    "name": case.spec.name,
                    "usage": case.spec.usage,
                    "directory": case.place["directory"],
                    "expires": f"{case.facts.not_after:%Y-%m-%d}" if case.wanted and case.facts else None,
                    "renewed": case.reasons,
                    "corrected": case.corrections,
                }
                for case in self._cases
            ],
            "diff": [
                {
                    "before_header": case.place["directory"],
                    "after_header": case.place["directory"],
                    "before": "",
                    "after": "".join(f"{line}\n" for line in _told(case)),
                }
                for case in self._cases
                if case.changed
            ],
        }


def _told(case: _Case) -> list[str]:
    lines = [f"{case.spec.usage} certificate {case.spec.name}: {reason}" for reason in case.corrections]
    if case.reasons:
        lines.append(f"{case.spec.usage} certificate {case.spec.name} is issued, since {'; '.join(case.reasons)}")
    return lines


def _foreign(case: _Case) -> InputError:
    return InputError(
        f"What is in {case.place['directory']} is of another CA ({case.foreign}), and its key may be the only"
        " one; nothing was changed there. Run where that CA's directory is, give the certificate a directory of its"
        " own, or, to replace it, set docker_tls_replace_foreign, or for registries docker_registry_replace_foreign or"
        " docker_registry_client_replace_foreign."
    )


def _case(entry: Mapping[str, Any], policy: Policy) -> _Case:
    days = policy.days if entry["days"] is None else entry["days"]
    if days <= policy.renew_before:
        raise InputError(
            f"{entry['name']} is to be valid for {days} days and renewed {policy.renew_before} days before its end, so"
            " it would be renewed for ever: make days larger or renew_before smaller."
        )
    if entry["usage"] == "server" and not entry["names"]:
        raise InputError(f"The server certificate {entry['name']} needs names by which clients call the server.")
    spec = CertificateSpec(entry["name"], entry["usage"], subject_names(entry["names"]), policy.key_type, days)
    home = "/etc/docker/tls" if entry["usage"] == "server" else f"~{entry['user']}/.docker"
    place = {"directory": entry["directory"] or home, **{name: entry[name] for name in ("user", "usage", "state")}}
    return _Case(spec, place, entry["state"] == "present")


def _by_age(certificates: Sequence[Any]) -> list[Any]:
    """Return the CAs in an order that stays when another one of them issues, so that files stay as well."""
    return sorted(certificates, key=lambda each: (each.not_valid_before_utc, each.serial_number))
