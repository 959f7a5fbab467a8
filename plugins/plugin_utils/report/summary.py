# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The few lines that a run ends with in the terminal.

from __future__ import annotations

from typing import Any, Callable, Iterator, Mapping, Sequence, TypeVar

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import proofs
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import ControlRow, Fleet, HostRow

Row = TypeVar("Row")

_HOSTS = 20
_WORST = 8
_NAME_WIDTH = 40


def lines(fleet: Fleet) -> list[str]:
    """Return the summary: a line for each host, worst first, the worst findings, and what was not assessed."""
    text = [
        f"Docker compliance: {_score(fleet.score)}, {_count(len(fleet.hosts), 'host')}, "
        f"{len(fleet.not_assessed)} not assessed",
        *_hosts([host for host in fleet.hosts if host.assessed]),
        *_listed("Worst findings", fleet.failing_controls, _WORST, "failing control", _worst),
        *_listed("Not assessed", fleet.not_assessed, _HOSTS, "host", _missing),
        *_listed("Seen more than a day before", fleet.outdated, _HOSTS, "host", _seen),
        *_changes(fleet),
        *_listed("Threats contained, as probes prove", fleet.proven, _HOSTS, "host", _proof),
    ]
    return [_printable(line) for line in text]


def _hosts(hosts: list[HostRow]) -> Iterator[str]:
    width = min(max((len(host.name) for host in hosts), default=0), _NAME_WIDTH)
    for host in hosts[:_HOSTS]:
        failing = ", ".join(f"{host.failures[name]} {name}" for name in SEVERITIES if host.failures[name])
        others = [f"{host.summary[name]} {name}" for name in ("error", "waived", "manual") if host.summary[name]]
        aside = f" ({', '.join(others)})" if others else ""
        fine = "nothing decided" if host.score is None else "nothing failing"
        yield f"  {_short(host.name):<{width}}  {_score(host.score)}  {failing or fine}{aside}"
    if len(hosts) > _HOSTS:
        yield f"  and {_count(len(hosts) - _HOSTS, 'more host')} with a score as good or better"


def _listed(title: str, rows: Sequence[Row], limit: int, noun: str, line: Callable[[Row], str]) -> Iterator[str]:
    """Yield a line for each of the first rows below a title, and how many more there are; nothing without rows."""
    if rows:
        yield f"  {title}:"
    for row in rows[:limit]:
        yield f"    {line(row)}"
    if len(rows) > limit:
        yield f"    and {_count(len(rows) - limit, f'more {noun}')}"


def _missing(host: HostRow) -> str:
    return f"{_short(host.name)}: {host.reason}"


def _seen(host: HostRow) -> str:
    return f"{_short(host.name)}: {host.assessed_at}"


def _worst(control: ControlRow) -> str:
    return f"{control.severity:<8}  {control.title} ({control.id}) on {_count(control.failing, 'host')}"


def _changes(fleet: Fleet) -> Iterator[str]:
    if fleet.drift:
        told = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in fleet.drift.summary.items())
        yield f"  Since {fleet.drift.previous}: {told}"


def _proof(host: HostRow) -> str:
    return f"{_short(host.name)}: {_told(host.proof or {})}"


def _told(proof: Mapping[str, Any]) -> str:
    if not proof["started"]:
        return proof["reason"]
    told = []
    for arrangement, name in proofs.ARRANGEMENTS.items():
        held, lost = (proofs.threats(proof, arrangement, verdict) for verdict in ("contained", "exposed"))
        aside = f" ({', '.join(lost)} exposed)" if lost else ""
        told.append(f"{len(held)} of {len(proof['threats'])} under {name}{aside}")
    return ", ".join(told)


def _score(score: int | None) -> str:
    return "score   -" if score is None else f"score {score:>3}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"


def _printable(line: str) -> str:
    """Replace control characters: a hostile name must not drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
