# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# JUnit XML in the dialect of Jenkins and GitLab: a suite for each host, a case for each control and object.

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet, describe
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.renderer import Renderer

#: Characters that XML 1.0 can't hold in any form.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class JunitReport(Renderer):
    """The report for CI systems."""

    def start(self, fleet: Fleet) -> str:
        """Return the head; it has no totals, since no host is known yet."""
        del fleet
        return '<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="breakwater.docker">\n'

    def host(self, text: str, report: Mapping[str, Any]) -> Iterator[str]:
        """Yield the host's suite; a host that was not assessed is one case with an error."""
        del text
        yield _suite(report)

    def end(self, fleet: Fleet) -> Iterator[str]:
        """Yield the closing tag."""
        del fleet
        yield "</testsuites>\n"


def _suite(report: Mapping[str, Any]) -> str:
    summary, host = report["summary"], report["host"]
    if report["assessed"]:
        # Docker lets two networks have one name; of cases that are named alike GitLab reads the first only.
        names: Counter[str] = Counter()
        cases = []
        for finding in report["findings"]:
            name = f"{finding['control']} [{finding['object']['name']}]"
            names[name] += 1
            cases.append(_case(host, finding, f"{name} ({names[name]})" if names[name] > 1 else name))
        errors = summary["error"]
    else:
        reason = f"Not assessed: {report['reason']}"
        cases = [f'<testcase classname={_attr(host)} name="assessment"><error message={_attr(reason)}/></testcase>\n']
        errors = 1
    skipped = summary["waived"] + summary["not_applicable"] + summary["manual"]
    when = f' timestamp="{report["assessed_at"].rstrip("Z")}"' if report.get("assessed_at") else ""
    head = (
        f'<testsuite name={_attr(host)} hostname={_attr(host)} tests="{len(cases)}" failures="{summary["fail"]}" '
        f'errors="{errors}" skipped="{skipped}"{when}>\n'
    )
    return head + "".join(cases) + "</testsuite>\n"


def _case(host: str, finding: Mapping[str, Any], name: str) -> str:
    status = finding["status"]
    head = f"<testcase classname={_attr(host + '.' + finding['scope'])} name={_attr(name)}"
    if status == "pass":
        return head + "/>\n"
    if status in {"fail", "error"}:
        element = "failure" if status == "fail" else "error"
        told = f'<{element} type="{finding["severity"]}" message={_attr(finding["message"] or finding["title"])}>'
        return f"{head}>{told}{escape(_legal(_advice(finding)))}</{element}></testcase>\n"
    return f"{head}><skipped message={_attr(_reason(finding))}/></testcase>\n"


def _reason(finding: Mapping[str, Any]) -> str:
    """Say why a case is skipped."""
    kind = {"waived": "Waived", "manual": "For a person to judge", "not_applicable": "Not applicable"}
    return f"{kind[finding['status']]}: {finding['message']}"


def _advice(finding: Mapping[str, Any]) -> str:
    """Say what was found and how to fix it."""
    fix = finding["remediation"]
    lines = [finding["title"], f"Found: {describe(finding['evidence'])}", f"Fix: {fix['text']}"]
    if fix["variable"]:
        lines.append(f"Variable: {fix['variable']} (role {fix['role']})")
    return "\n".join(lines)


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)


def _attr(text: str) -> str:
    return quoteattr(_legal(text))
