# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Makes reports that look like real ones, of any size and always the same for the same arguments.

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, Iterable, Iterator

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import (
    SEVERITIES,
    THREATS,
    Finding,
    HostReport,
    ObjectRef,
    Remediation,
    Waiver,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import proofs, sources, writer
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.drift import Drift
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import write_host

RUN = "this-run"
AT = "2026-11-24T23:00:00Z"
HOSTILE = '<script>document.title="owned"</script>"\'><img src=x onerror=alert(1)>&amp;'
WAIVER = Waiver(
    "container_root_filesystem_read_only", "Writes its cache; moves to a volume in Q1", "web team", "2027-03-31"
)

#: id, title, scope, severity, CIS number, threats
_CONTROLS = (
    ("container_not_privileged", "Container does not run privileged", "container", "critical", "5.5", "T1 T3"),
    (
        "container_no_docker_socket",
        "Container has no access to Docker's socket",
        "container",
        "critical",
        "5.32",
        "T1 T4",
    ),
    ("container_memory_limited", "Container's memory is limited", "container", "medium", "5.11", "T8"),
    ("container_cpu_limited", "Container's CPU share is set", "container", "low", "5.12", "T8"),
    ("container_pids_limited", "Container's number of processes is limited", "container", "medium", "5.29", "T8"),
    (
        "container_root_filesystem_read_only",
        "Container's root is read-only",
        "container",
        "medium",
        "5.13",
        "T7",
    ),
    ("container_no_new_privileges", "Container can't gain privileges", "container", "high", "5.26", "T1 T3"),
    ("container_user_not_root", "Container runs as a user that is not root", "container", "high", "4.1", "T1 T3"),
    ("container_no_host_network", "Container does not share the host's network", "container", "high", "5.10", "T6"),
    ("container_capabilities", "Container has no capability beyond the allowed ones", "container", "high", "5.4", "T3"),
    ("container_seccomp", "Container runs with a seccomp profile", "container", "high", "5.22", "T2"),
    ("container_apparmor", "Container runs with an AppArmor profile", "container", "medium", "5.2", "T1 T2"),
    ("daemon_icc_disabled", "Containers on the default bridge can't reach each other", "daemon", "high", "2.2", "T6"),
    ("daemon_live_restore", "Containers keep running while the daemon is down", "daemon", "low", "2.15", "T5"),
    ("daemon_userns_remap", "Containers' root is not the host's root", "daemon", "high", "2.10", "T1 T8"),
    ("daemon_tls", "The daemon's API on TCP needs a client certificate", "daemon", "critical", "2.8", "T4"),
    ("daemon_no_experimental", "Experimental features are off", "daemon", "low", "2.17", "T5"),
    ("daemon_log_level_info", "The daemon logs at level info", "daemon", "low", "2.3", "T5"),
    ("host_docker_group_members", "Only expected users are in the docker group", "host", "high", "1.1.2", "T4 T5"),
    ("host_partition", "Docker's data is on a partition of its own", "host", "medium", "1.1.1", "T5 T8"),
    ("host_audit_dockerd", "Calls of dockerd are audited", "host", "medium", "1.1.3", "T5"),
    ("file_socket_mode", "Docker's socket is writable for its owner and group only", "file", "high", "3.16", "T4"),
    ("file_daemon_json_owner", "daemon.json belongs to root", "file", "high", "3.17", "T5"),
    ("image_healthcheck", "Image has a health check", "image", "low", "4.6", "T7"),
    ("image_trusted_registry", "Image comes from a trusted registry", "image", "medium", "4.2", "T7"),
    ("swarm_secrets_rotated", "Swarm's certificates are rotated", "swarm", "low", "7.7", "T4"),
)
_ROLES = {"daemon": ("docker_engine", "docker_engine_config"), "file": ("docker_host", "docker_host_file_modes")}
_NAMES = ("web", "db", "cache", "queue", "worker", "proxy", "metrics", "mail", "search", "registry")


def finding(control: tuple[str, ...], status: str, name: str, subject_id: str = "", **changes: Any) -> Finding:
    """Make a finding; its evidence and message fit its status."""
    identifier, title, scope, severity, cis, threats = control
    role, variable = _ROLES.get(scope, (None, None))
    messages = {
        "fail": f"Not so: {title}.",
        "error": "Can't be decided: /proc/1234/status is not readable for this user.",
        "waived": f"Accepted by {WAIVER.owner} until {WAIVER.expires}: {WAIVER.reason}",
        "manual": "Look at the list and judge whether each entry is needed.",
        "not_applicable": f"There is no {scope} on this host to which this applies.",
    }
    made = Finding(
        control=identifier,
        title=title,
        scope=scope,
        severity=severity,
        status=status,
        object=ObjectRef(scope, subject_id or name, name),
        refs={"cis_1_6": cis, "cis_1_8": cis},
        threats=tuple(threats.split()),
        evidence=None if status == "not_applicable" else {identifier.partition("_")[2]: status == "pass", "limit": 0},
        message=messages.get(status, ""),
        remediation=Remediation(f"Make sure of it: {title.lower()}.", role, variable),
        waiver=WAIVER if status == "waived" else None,
    )
    return replace(made, **changes)


def controls(number: int) -> list[tuple[str, ...]]:
    """Return that many controls; beyond the hand-made ones they are numbered, half of them about containers."""
    made = list(_CONTROLS[:number])
    for index in range(len(made), number):
        scope = ("container", "host", "container", "file")[index % 4]
        severity = SEVERITIES[index % 4]
        made.append((f"{scope}_control_{index}", f"Setting {index} is secure", scope, severity, f"9.{index}", "T5"))
    return made


def host_report(
    host: str, seed: int = 0, containers: int = 4, number: int = len(_CONTROLS), trouble: float = 0.4
) -> HostReport:
    """Make a host's report; `trouble` is the share of its decided findings that fail."""
    random = Random(seed)
    names = [f"{_NAMES[index % len(_NAMES)]}-{index // len(_NAMES)}" for index in range(containers)]
    made = []
    for control in controls(number):
        scope = control[2]
        objects = names if scope in {"container", "image"} else [host if scope == "host" else scope]
        if scope == "swarm" or not objects:
            made.append(finding(control, "not_applicable", "none"))
            continue
        level = trouble * random.choice((0, 0.5, 1, 2))
        for name in objects:
            status = "fail" if random.random() < level else "pass"
            if status == "fail" and control[0] == WAIVER.control:
                status = "waived"
            elif random.random() < 0.01:
                status = random.choice(("error", "manual"))
            made.append(finding(control, status, name, f"{random.getrandbits(48):012x}"))
    return HostReport.of(host, made, {"status": "ok", "version": random.choice(("26.1.5", "28.5.1", "29.10.0"))})


def hostile_report() -> HostReport:
    """Make a report in which every text that a container, image, label or host can choose is hostile."""
    made = [
        replace(
            found,
            object=ObjectRef(found.object.type, HOSTILE, f"{HOSTILE}\u202e\x1b[2J\x00"),
            evidence={"label": HOSTILE, "image": f"]]>{HOSTILE}<!--"},
            message=f"{found.message} {HOSTILE}",
        )
        for found in host_report("any", containers=2).findings
    ]
    return HostReport.of(HOSTILE, made, {"status": "ok", "version": HOSTILE})


def fleet(hosts: int, **sizes: Any) -> Iterator[HostReport]:
    """Make reports of hosts that are the better the later they come; every 50th was not assessed."""
    for index in range(hosts):
        name = f"{('web', 'app', 'db', 'edge')[index % 4]}-{index:03}.example.net"
        if index % 50 == 7:
            yield HostReport.not_assessed(name, "It was unreachable, or its audit failed before it gave a result.")
        else:
            yield host_report(name, seed=index, trouble=0.5 * (1 - index / hosts), **sizes)


def write_proof(directory: Path, host: str, run: str = RUN, **kind: Any) -> None:
    """Write what probes proved of a host as docker_probe_info does."""
    proofs.write(directory, host, proof(**kind), run)


def write_hosts(directory: Path, reports: Iterable[HostReport], run: str = RUN) -> list[str]:
    """Write hosts' files as an audit does; return the hosts' names."""
    names = []
    for report in reports:
        write_host(directory, report, run)
        names.append(report.host)
    return names


def proof(started: bool = True, text: str = "web-0", mended: bool = False) -> dict[str, Any]:
    """Make what docker_probe_info returns; `text` is what a host can choose.

    T6 is exposed by default and T1 in a container, unless the host is mended.
    """
    exposed = {"verdict": "exposed", "reason": f"it reaches {text}."}
    contained = {"verdict": "contained", "reason": "refused with EPERM."}
    attempts = [
        ("neighbour", "Reach another container", ["T6"], f"it reaches {text}", exposed, contained),
        ("mount", "Mount a file system", ["T1", "T2"], "it mounts a file system", contained, contained),
    ]
    names = ("id", "title", "threats", "control", "default", "hardened")
    sums: dict[str, dict[str, Any]] = {
        threat: {"default": "not_testable", "hardened": "not_testable", "exposed_containers": []} for threat in THREATS
    }
    proven = {"T1": "contained", "T2": "contained", "T6": "contained" if mended else "exposed"}
    for threat, default in proven.items() if started else ():
        sums[threat].update(default=default, hardened="contained")
    sums["T1"]["exposed_containers"] = [] if mended else [text]
    return {
        "started": started,
        "reason": None if started else f"In check mode no container is started: {text}.",
        "threats": sums,
        "probes": [dict(zip(names, attempt)) for attempt in attempts] if started else [],
        "containers": [
            {"name": text, "exposed": [{"probe": "mount", "reason": f"{text} may"}]},
            {"name": "db", "exposed": []},
        ],
    }


def documents(reports: Iterable[HostReport]) -> Iterator[sources.HostDocument]:
    """Give reports the form in which they are read from files, without the files."""
    for report in reports:
        text = json.dumps(vars(report), default=vars)
        yield sources.HostDocument(text, json.loads(text))


def write_reports(
    directory: Path, reports: Iterable[HostReport], *formats: str, previous: Path | None = None, at: str = AT
) -> Fleet:
    """Write hosts' files and the reports over them as a run does; return the fleet."""
    names = write_hosts(directory, reports)
    summed = Fleet(at, "breakwater.docker 1.2.3", Drift(previous) if previous else None)
    writer.write(directory, formats, sources.of_run(directory, names, RUN), summed)
    return summed
