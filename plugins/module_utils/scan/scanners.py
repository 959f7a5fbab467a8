# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The scanners' command lines. None of them is let into the network but clairctl, which asks its own server: what they
# compare with is what is on the host.
# Sources: oscap(8), https://trivy.dev/docs, https://github.com/anchore/grype, https://quay.github.io/clair/.

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner
from ansible_collections.breakwater.docker.plugins.module_utils.scan.state import checksum

NAMES = ("openscap", "trivy", "grype", "clair")
#: Bytes of an output that are taken.
MAX_OUTPUT = 128 << 20
_ASKING = 60.0
_OFFLINE_GRYPE = (
    *("env", "GRYPE_DB_AUTO_UPDATE=false", "GRYPE_DB_VALIDATE_AGE=false", "GRYPE_CHECK_FOR_APP_UPDATE=false"),
)
_OFFLINE_TRIVY = ("--quiet", "--skip-db-update", "--skip-java-db-update", "--offline-scan")
_TRIVY_FORMATS = {"trivy": "json", "cyclonedx": "cyclonedx", "spdx": "spdx-json"}


class ScannerError(BreakwaterError):
    """A scanner gave no result; the text says why."""


@dataclass(frozen=True)
class Tool:
    """A scanner as it is on this host: what identifies its verdicts on the same files, and when its data was made.

    `data` is empty where the scanner does not tell it; then nothing is kept.
    """

    name: str
    version: str
    data: str
    content: str = ""
    content_date: str = ""


def openscap(commands: CommandRunner) -> str:
    """Return OpenSCAP's version; ScannerError where it is not installed."""
    words = _checked(commands.run(("oscap", "--version"), timeout=_ASKING)).stdout.split()
    return next((word for word in words if word[:1].isdigit()), "unknown")


def evaluate(commands: CommandRunner, definitions: str, root: Path | None, output: Path, timeout: float) -> None:
    """Write OVAL results about the files below `root`, or about the host."""
    argv = ("oscap", "oval", "eval", "--without-syschar", "--results", str(output), definitions)
    probe = ("env", f"OSCAP_PROBE_ROOT={root}") if root else ()
    _checked(commands.run((*probe, *argv), timeout=timeout))


def judge(commands: CommandRunner, guide: str, profile: str, output: Path, timeout: float) -> None:
    """Write the XCCDF results of the host by a guide's profile, which may be given by the end of its id."""
    argv = ("oscap", "xccdf", "eval", "--profile", profile, "--results", str(output), guide)
    # 2 says that a rule fails.
    _checked(commands.run(argv, timeout=timeout), (0, 2))


def trivy(commands: CommandRunner) -> Tool:
    """Return Trivy and the state of its database; ScannerError where there is none."""
    told = _json(commands.run(("trivy", "version", "--format", "json"), timeout=_ASKING))
    database = told.get("VulnerabilityDB") or {}
    updated = str(database.get("UpdatedAt") or "")
    if not updated:
        raise ScannerError("it has no vulnerability database on this host, and may not fetch one")
    version = str(told.get("Version"))
    return Tool("trivy", version, updated, f"database {database.get('Version')}", updated[:10])


def grype(commands: CommandRunner) -> Tool:
    """Return Grype and the state of its database; ScannerError where there is none."""
    version = _json(commands.run(("grype", "version", "-o", "json"), timeout=_ASKING)).get("version")
    status = _json(commands.run((*_OFFLINE_GRYPE, "grype", "db", "status", "-o", "json"), timeout=_ASKING))
    built = str(status.get("built") or "")
    if not built:
        raise ScannerError("it has no vulnerability database on this host, and may not fetch one")
    return Tool("grype", str(version), built, f"database {status.get('schemaVersion')}", built[:10])


def clair(commands: CommandRunner) -> Tool:
    """Return clairctl; how old the server's data is, it does not tell."""
    words = _checked(commands.run(("clairctl", "--version"), timeout=_ASKING)).stdout.split()
    return Tool("clair", words[-1] if words else "", "")


def trivy_version(commands: CommandRunner) -> str:
    """Return Trivy's version, with which no database need be; ScannerError where it is not installed."""
    return str(_json(commands.run(("trivy", "version", "--format", "json"), timeout=_ASKING)).get("Version"))


def examine(commands: CommandRunner, how: str, archive: Path, output: Path, timeout: float) -> None:
    """Let Trivy (`trivy`, or for a bill of materials `cyclonedx` and `spdx`) or `grype` examine an image's archive."""
    argv: tuple[str, ...]
    if how == "grype":
        argv = (*_OFFLINE_GRYPE, "grype", "--quiet", "-o", "json", "--file", str(output), f"docker-archive:{archive}")
    else:
        form = ("--format", _TRIVY_FORMATS[how], "--output", str(output))
        argv = ("trivy", "image", *_OFFLINE_TRIVY, *form, "--input", str(archive))
    _checked(commands.run(argv, timeout=timeout))


def report_of_clair(commands: CommandRunner, server: str, reference: str, timeout: float) -> bytes:
    """Return what a server of Clair says of an image in its registry."""
    argv = ("clairctl", "report", "--host", server, "--out", "json", reference)
    return _checked(commands.run(argv, timeout=timeout)).stdout.encode()


def written(path: Path) -> bytes:
    """Return what a scanner wrote to a file; ScannerError where it is too much."""
    with path.open("rb") as file:
        data = file.read(MAX_OUTPUT + 1)
    if len(data) > MAX_OUTPUT:
        raise ScannerError(f"it wrote more than {MAX_OUTPUT >> 20} MiB")
    return data


def content(path: str) -> str:
    """Return the checksum of a file of definitions; ScannerError where it can't be read."""
    try:
        return checksum(path)
    except OSError as error:
        raise ScannerError(f"{path} can't be read: {error.strerror}") from None


def _checked(result: CommandResult, right: Sequence[int] = (0,)) -> CommandResult:
    if result.rc not in right:
        lines = [line for line in result.stderr.splitlines() if line.strip()]
        raise ScannerError(" ".join(lines[-3:])[-500:] or f"it ended with {result.rc}")
    return result


def _json(result: CommandResult) -> dict[str, Any]:
    try:
        told = json.loads(_checked(result).stdout)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise ScannerError("what it says of itself is not understood")
    return told


TOOLS: dict[str, Callable[[CommandRunner], Tool]] = {"trivy": trivy, "grype": grype, "clair": clair}
