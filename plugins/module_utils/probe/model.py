# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The nouns of a proof: probe, observation, verdict.

from __future__ import annotations

import errno
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program

CONTAINED, EXPOSED, NOT_TESTABLE = "contained", "exposed", "not_testable"
#: Under what a probe runs: with rights that have to show the weakness, as a plain `docker run`, as docker_workload.
CONTROL, DEFAULT, HARDENED = "control", "default", "hardened"
ARRANGEMENTS = (CONTROL, DEFAULT, HARDENED)


@dataclass(frozen=True)
class Surroundings:
    """What an attempt depends on besides itself."""

    machine: str
    #: major and minor number of a block device
    device: tuple[int, int] = (7, 0)
    #: a controller of control groups version 1
    controller: str = ""
    #: IP addresses by what is there: `gateway`, `gateway6`, `neighbour`, `stranger`
    addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observation:
    """What an attempt came to; `succeeded` is None when it did not come to an answer."""

    succeeded: bool | None
    text: str


@dataclass(frozen=True)
class Probe:
    """A harmless attempt at what an attacker would do.

    `attempt` adds its calls to a program, `judge` says of what that told whether the attempt succeeded.
    """

    id: str
    title: str
    threats: tuple[str, ...]
    attempt: Callable[[Program, Surroundings], None]
    judge: Callable[[Mapping[str, int]], Observation]


@dataclass(frozen=True)
class Verdict:
    """Whether a threat is contained under an arrangement, and why."""

    verdict: str
    reason: str


def verdict(observed: Observation, control: Observation) -> Verdict:
    """Judge an observation; it counts only where the control arrangement shows that the attempt can succeed here."""
    if control.succeeded is None:
        return Verdict(NOT_TESTABLE, f"The control arrangement gave no answer: {control.text}.")
    if not control.succeeded:
        return Verdict(NOT_TESTABLE, f"Even with all rights it does not succeed here: {control.text}.")
    if observed.succeeded is None:
        return Verdict(NOT_TESTABLE, f"The probe gave no answer: {observed.text}.")
    return Verdict(EXPOSED if observed.succeeded else CONTAINED, f"{observed.text}.")


def threat_verdict(verdicts: list[str]) -> str:
    """Return what the verdicts of a threat's probes come to: exposed when one is, contained when one is and none is."""
    for found in (EXPOSED, CONTAINED):
        if found in verdicts:
            return found
    return NOT_TESTABLE


def by_threat(
    probes: Sequence[Probe], results: list[dict[str, Any]], containers: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return by threat the verdict under each arrangement, and the names of the running containers that are exposed."""
    sums = {}
    for threat in sorted({name for probe in probes for name in probe.threats}):
        against = {probe.id for probe in probes if threat in probe.threats}
        found = [result for result in results if result["id"] in against]
        sums[threat] = {
            **{what: threat_verdict([result[what]["verdict"] for result in found]) for what in (DEFAULT, HARDENED)},
            "exposed_containers": [
                item["name"] for item in containers if against & {exposure["probe"] for exposure in item["exposed"]}
            ],
        }
    return sums


def error_name(result: int) -> str:
    """Return the name of the error in a system call's negative result, like EPERM."""
    return errno.errorcode.get(-result, f"error {-result}")


def succeeds(name: str, what: str, *reached: int) -> Callable[[Mapping[str, int]], Observation]:
    """Return a judge that looks at one call; an error among `reached` came from behind all protection.

    `what` says what succeeded, as in "it mounts a file system".
    """

    def judge(told: Mapping[str, int]) -> Observation:
        if name not in told:
            return Observation(None, "it did not get so far")
        result = told[name]
        if result >= 0:
            return Observation(True, what)
        if -result in reached:
            return Observation(True, f"{what}: the kernel looks at the call itself ({error_name(result)})")
        return Observation(False, f"refused with {error_name(result)}")

    return judge
