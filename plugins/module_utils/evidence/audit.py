# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which paths the kernel's audit system watches, decided as the kernel does it: by path and directory, in order, never
# by substring. Sources: auditctl(8), audit.rules(7), augenrules(8).

from __future__ import annotations

import re
import shlex
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import resolve_parent
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

_ALL_PERMISSIONS = frozenset("rwxa")
_FIELD = re.compile(r"([a-z0-9_]+)(!=|>=|<=|&=|=|>|<|&)(.*)")
#: The usual way to leave out processes without a login; it keeps every person.
_PEOPLE = re.compile(r"auid(>=\d+|!=(unset|-1|4294967295))")


class Rule(NamedTuple):
    """One rule about a path; `permissions` are auditctl's (r, w, x, a), `whole` is false where more narrows it."""

    never: bool
    path: str
    below: bool
    permissions: frozenset[str] = _ALL_PERMISSIONS
    whole: bool = True

    def is_about(self, path: str) -> bool:
        """Tell whether accesses to `path` meet this rule."""
        return path == self.path or (self.below and path.startswith(self.path.rstrip("/") + "/"))


class AuditRules(NamedTuple):
    """An ordered set of rules; `off` where auditing is disabled or a rule excludes every task."""

    rules: tuple[Rule, ...] = ()
    off: bool = False
    executions: bool = False
    """Whether the execve system call is recorded for every program."""

    def covers(self, path: str, directory: bool = False, program: bool = False) -> bool:
        """Tell whether changes to `path` (writes and attributes) are recorded, or a program's executions.

        Of a directory all that is below it has to be recorded, which a rule for a single path does not do.
        """
        changes = self._records(path, "w", directory) and self._records(path, "a", directory)
        return changes or (program and self._records(path, "x"))

    def records_execution(self, path: str) -> bool:
        """Tell whether each execution of the program is recorded."""
        return self._records(path, "x") or (self.executions and not self.off)

    def _records(self, path: str, permission: str, directory: bool = False) -> bool:
        """Follow the kernel: the first rule that fits decides; one narrowed to some users or calls does not count."""
        if self.off:
            return False
        for rule in self.rules:
            about = rule.is_about(path) and permission in rule.permissions
            if about and (rule.never or (rule.whole and (rule.below or not directory))):
                return not rule.never
        return False


def parse_rules(files: FileSystem, text: str) -> AuditRules:
    """Read rules as auditctl prints them and rule files hold them; lines that are not rules are passed over."""
    rules: list[Rule] = []
    excluded = disabled = executions = False
    for line in text.splitlines():
        try:
            options = _options(shlex.split(line, comments=True))
        except ValueError:
            continue
        if "-D" in options:
            rules, excluded, executions = [], False, False
        if "-e" in options:
            disabled = options["-e"][-1] == "0"
        if "-W" in options:
            removed = resolve_parent(files, options["-W"][-1])
            rules = [rule for rule in rules if rule.path != removed]
        action = set((options.get("-a") or options.get("-A") or [""])[-1].split(","))
        if action == {"never", "task"}:
            excluded = True
        rule = _rule(files, options, action)
        if rule is not None:
            rules.insert(0 if "-A" in options else len(rules), rule)
        elif action == {"always", "exit"} and _is_every_execution(options):
            executions = True
    return AuditRules(tuple(rules), excluded or disabled, executions)


def _options(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each option, in order; an option without a value has an empty one."""
    options: dict[str, list[str]] = {}
    for index, word in enumerate(words):
        if re.fullmatch("-[A-Za-z]", word):
            following = words[index + 1] if index + 1 < len(words) else ""
            options.setdefault(word, []).append("" if re.fullmatch("-[A-Za-z]", following) else following)
    return options


def _rule(files: FileSystem, options: dict[str, list[str]], action: set[str]) -> Rule | None:
    if "-w" in options:
        permissions = frozenset(options.get("-p", ["rwxa"])[-1])
        return Rule(False, resolve_parent(files, options["-w"][-1]), True, permissions)
    if action not in ({"always", "exit"}, {"never", "exit"}):
        return None
    path: str | None = None
    below, whole = False, "-C" not in options
    limited: frozenset[str] | None = None
    for text in options.get("-F", ()):
        found = _FIELD.fullmatch(text)
        name, operator, value = found.groups() if found else ("", "", "")
        if name in {"path", "dir"} and operator == "=":
            path, below = value, name == "dir"
        elif name == "perm" and operator == "=":
            limited = frozenset(value)
        elif name not in {"arch", "key"} and not _PEOPLE.fullmatch(text):
            whole = False
    if path is None:
        return None
    if limited is None and _calls(options) - {"all"}:
        whole = False
    return Rule("never" in action, resolve_parent(files, path), below, limited or _ALL_PERMISSIONS, whole)


def _calls(options: dict[str, list[str]]) -> set[str]:
    return {call for value in options.get("-S", ()) for call in value.split(",") if call}


def _is_every_execution(options: dict[str, list[str]]) -> bool:
    fields = options.get("-F", ())
    narrowing = [text for text in fields if not text.startswith(("arch=", "key=")) and not _PEOPLE.fullmatch(text)]
    return bool(_calls(options) & {"execve", "all"}) and not narrowing and "-C" not in options


def live_rules(files: FileSystem, commands: CommandRunner) -> AuditRules:
    """Return what the kernel has loaded; none where auditctl is missing. UnreadableError without privilege."""
    listed = commands.run(("auditctl", "-l"))
    if listed.rc is None and listed.stderr.endswith("is not installed"):
        return AuditRules()
    status = commands.run(("auditctl", "-s"))
    for result in (listed, status):
        if result.rc != 0:
            reason = " ".join((result.stderr or result.stdout).split()) or "it gave no reason"
            raise UnreadableError(
                f"auditctl can't read the kernel's audit rules (it needs root on the host itself): {reason}"
            )
    rules = parse_rules(files, listed.stdout)
    enabled = re.search(r"^enabled (\d)", status.stdout, re.MULTILINE)
    return AuditRules(rules.rules, rules.off or (enabled is not None and enabled.group(1) == "0"), rules.executions)


def persistent_rules(files: FileSystem) -> AuditRules:
    """Return what a boot loads: rules.d where it holds rule files (augenrules), else audit.rules; or OSError."""
    try:
        names = [name for name in files.listdir("/etc/audit/rules.d") if name.endswith(".rules")]
    except FileNotFoundError:
        names = []
    paths = [f"/etc/audit/rules.d/{name}" for name in names] or ["/etc/audit/audit.rules"]
    try:
        return parse_rules(files, "\n".join(files.read_text(path) for path in paths))
    except FileNotFoundError:
        return AuditRules()
