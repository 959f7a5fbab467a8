# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Lets the host run its scanners, and reads on the controller what they wrote.

from __future__ import annotations

import base64
import gzip
import io
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.scan.options import CONTROLLER_OPTIONS, HOST_OPTIONS
from ansible_collections.breakwater.docker.plugins.plugin_utils import waivers
from ansible_collections.breakwater.docker.plugins.plugin_utils.ansible_run import run_id, user_files
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport, ObjectRef
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import (
    add_to_host,
    host_file,
    write_atomically,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan import findings, formats
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import MAX_BYTES, ScanError, iso_date, text
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.platforms import System

_SBOM = ("cyclonedx", "spdx")


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller, in the worker of one host."""
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, options = self.validate_argument_spec(argument_spec={**HOST_OPTIONS, **CONTROLLER_OPTIONS})
        host = variables["inventory_hostname"]
        try:
            _check(options)
            accepted = waivers.load(user_files(self, options["waivers"]), None)
            imports = self._imports(options["imports"])
            done = self._execute_module(module_args={name: options[name] for name in HOST_OPTIONS}, task_vars=variables)
            if done.get("failed"):
                return {**result, "failed": True, "msg": done.get("msg", "The host did not say why it failed.")}
            if "would_scan" in done:
                return {**result, "changed": False, "would_scan": done["would_scan"]}
            outputs = [*done["scans"], *_named_alike(imports, done["scans"])]
            scans = [_read(output, host) for output in outputs]
            today = datetime.now(timezone.utc).date()
            found = findings.findings(scans, host, today, options["max_data_age_days"])
            ours = [waiver for waiver in accepted if waivers.of_scans(waiver.control)]
            marked, unused = waivers.apply(ours, found, host, today)
            report = HostReport.of(host, marked, {}, unused)
            return {**result, **_answer(report, outputs, scans, options["report_dir"])}
        except BreakwaterError as error:
            return {**result, "failed": True, "msg": str(error)}

    def _imports(self, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Read the imported reports before the host is asked: a wrong path is told at once."""
        found = []
        for entry, path in zip(entries, user_files(self, [entry["path"] for entry in entries])):
            try:
                data = path.read_bytes()
                form = formats.detect(data) if entry["format"] == "auto" else entry["format"]
                formats.read(data, form)
            except OSError as error:
                raise InputError(f"The report {path} can't be read: {error.strerror}.") from None
            except ScanError as error:
                raise InputError(f"The report {path} can't be imported: {error}.") from None
            told = {"type": entry["type"], "id": entry["name"], "name": entry["name"], "scanner": form, "format": form}
            found.append({**told, "data": data, "reason": "", "cached": False, "sbom": form in _SBOM})
        return found


def _check(options: Mapping[str, Any]) -> None:
    if "clair" in options["scanners"] and not options["clair_server"]:
        raise InputError("The scanner clair needs clair_server, the address of the server that it asks.")
    if options["sbom"] != "none" and not options["report_dir"]:
        raise InputError("sbom needs report_dir, where the bills of materials are kept.")


def _named_alike(imports: Sequence[dict[str, Any]], scans: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give imported reports the ids of what was scanned here under the same name."""
    ids = {(scan["type"], scan["name"]): scan["id"] for scan in scans}
    for entry in imports:
        yield {**entry, "id": ids.get((entry["type"], entry["name"]), entry["id"])}


def _read(output: Mapping[str, Any], host: str) -> findings.Scan:
    """Read one output; what can't be read is the reason for having no result."""
    subject = ObjectRef(str(output["type"]), str(output["id"] or host), str(output["name"] or host))
    scanner = str(output["scanner"])
    if output.get("no_guide"):
        return findings.Scan(subject, scanner, no_guide=True)
    if output["reason"]:
        return findings.Scan(subject, scanner, reason=str(output["reason"]))
    try:
        result = formats.read(_data(output), output["format"])
    except ScanError as error:
        return findings.Scan(subject, scanner, reason=f"what it wrote can't be read: {error}.")
    told = {"version": text(output.get("version")), "content": text(output.get("content"))}
    told["content_date"] = iso_date(output.get("content_date"))
    done = findings.completed(result, told)
    return findings.Scan(subject, scanner, done, cached=bool(output["cached"]), system=_system(output.get("system")))


def _system(release: Any) -> System | None:
    if not isinstance(release, Mapping):
        return None
    return System(*(text(release.get(name)) for name in ("ID", "VERSION_ID", "VERSION_CODENAME")))


def _data(output: Mapping[str, Any]) -> bytes:
    if "data" in output:
        return output["data"]
    try:
        with gzip.open(io.BytesIO(base64.b64decode(output["output"]))) as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, ValueError):
        raise ScanError("the host sent it damaged") from None


def _answer(
    report: HostReport, outputs: Sequence[Mapping[str, Any]], scans: Sequence[findings.Scan], report_dir: str | None
) -> dict[str, Any]:
    answer = {
        "changed": False,
        "scanned": [
            {
                "type": scan.subject.type,
                "id": scan.subject.id,
                "name": scan.subject.name,
                "scanner": scan.scanner,
                "cached": scan.cached,
                "reason": scan.reason,
            }
            for scan in scans
        ],
        "summary": report.summary,
        "failures": report.failures,
        "unused_waivers": [vars(waiver) for waiver in report.unused_waivers],
    }
    if not report_dir:
        return {**answer, "findings": report.to_dict()["findings"]}
    directory = Path(report_dir).expanduser()
    for output, scan in zip(outputs, scans):
        if output.get("sbom") and scan.result is not None:
            place = host_file(directory, scan.subject.id.replace(":", "-"), "sbom")
            write_atomically(place, _data(output).decode("utf-8", "replace"))
    add_to_host(directory, report, run_id())
    return answer
