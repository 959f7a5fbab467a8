# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Rules of the kernel's audit system for Docker's files: one file of them, and whether the kernel has them.
# Sources: audit.rules(7), auditctl(8), augenrules(8), the kernel's kernel/audit.c.

from __future__ import annotations

import os
import re
import shlex
import stat
from typing import Iterator, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

#: augenrules reads the files in order, and the last one decides about the kernel's settings.
DIRECTORY = "/etc/audit/rules.d"
PATH = f"{DIRECTORY}/zz-breakwater.rules"
HEADER = "## Written by the role breakwater.docker.docker_auditd, which overwrites changes.\n"
KEY = "docker"
EXEC_KEY = "docker_exec"
_IMMUTABLE = "2"
#: Seconds for loading some thousand rules on a busy host.
_TIMEOUT = 60
_SETTING = re.compile(r"^(\w+) (\d+)", re.MULTILINE)


class Settings(NamedTuple):
    """The kernel's audit settings: events that may wait, events a second (0 is no limit), and closed until a boot."""

    backlog: int
    rate: int
    immutable: bool


class Live(NamedTuple):
    """What the kernel has: watches as (path, permissions, key), and auditctl's settings by name."""

    watches: frozenset[tuple[str, str, str]]
    settings: dict[str, str]

    @property
    def immutable(self) -> bool:
        """Whether the kernel takes no rules before the next boot."""
        return self.settings.get("enabled") == _IMMUTABLE


def watches(
    paths: Sequence[str], without: Sequence[str], client: str | None, root: str = ""
) -> list[tuple[str, str, str]]:
    """Return a watch for each of `paths` that exists, followed to where it leads, and is not in `without`.

    Of programs the executions are recorded too, and with `client` those of the docker command. `root` is where paths
    are looked for.
    """
    excluded = {os.path.realpath(root + path) for path in without}
    found: dict[str, str] = {}
    for path in paths:
        real = os.path.realpath(root + path)
        if real not in excluded and _is_watchable(real):
            found[real[len(root) :]] = "wax" if _is_program(real) else "wa"
    rules = [(path, permissions, KEY) for path, permissions in found.items()]
    if client is not None and os.path.exists(root + client):
        rules.append((os.path.realpath(root + client)[len(root) :], "x", EXEC_KEY))
    return rules


def render(rules: Sequence[tuple[str, str, str]], settings: Settings) -> str:
    """Return the text of the rule file."""
    lines = [f"-b {settings.backlog}", f"-r {settings.rate}"]
    lines.append("## What was removed since must not keep the other rules from being loaded.\n-i")
    lines += [f"-w {shlex.quote(path)} -p {permissions} -k {key}" for path, permissions, key in rules]
    if settings.immutable:
        lines.append(f"-e {_IMMUTABLE}")
    return HEADER + "".join(f"{line}\n" for line in lines)


def read_live(commands: CommandRunner) -> Live:
    """Return what the kernel has loaded; BreakwaterError where it does not tell."""
    listed, status = (commands.run(("auditctl", option)) for option in ("-l", "-s"))
    for result in (listed, status):
        if result.rc != 0:
            raise BreakwaterError(f"auditctl does not tell what is loaded: {result.stderr.strip()}. Mend auditd first.")
    return Live(frozenset(_parse(listed.stdout)), dict(_SETTING.findall(status.stdout)))


def differences(rules: Sequence[tuple[str, str, str]], settings: Settings, live: Live) -> list[str]:
    """Return, a line each, what the kernel lacks of rules and settings."""
    missing = [
        f"-w {path} -p {permissions} -k {key}"
        for path, permissions, key in rules
        if not _has(live, (path, permissions, key))
    ]
    wanted = {"backlog_limit": str(settings.backlog), "rate_limit": str(settings.rate)}
    if settings.immutable:
        wanted["enabled"] = _IMMUTABLE
    differing = [f"{name} {value}" for name, value in wanted.items() if live.settings.get(name) != value]
    if live.settings.get("enabled") == "0":
        differing.append("enabled 1")
    return missing + differing


def surplus(rules: Sequence[tuple[str, str, str]], files: FileSystem, live: Live) -> list[str]:
    """Return, a line each, the watches by our keys that the kernel has and neither `rules` nor other files want."""
    others = [f"{DIRECTORY}/{name}" for name in names_in(files, DIRECTORY) if name.endswith(".rules")]
    wanted = [*rules, *(watch for path in others if path != PATH for watch in _parse(text_of(files, path)))]
    known = {(path, key) for path, _permissions, key in wanted}
    return [
        f"-w {path} -p {permissions} -k {key}"
        for path, permissions, key in sorted(live.watches)
        if key in {KEY, EXEC_KEY} and (path, key) not in known
    ]


def load(commands: CommandRunner) -> Live:
    """Let the kernel have what the rule files say and return what it has then; BreakwaterError when that fails."""
    done = commands.run(("augenrules", "--load"), timeout=_TIMEOUT)
    if done.rc != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["it does not say why"]
        raise BreakwaterError(f"augenrules did not load the rules: {lines[0]}. Mend the files in /etc/audit/rules.d.")
    live = read_live(commands)
    if live.settings.get("enabled") != "0":
        return live
    commands.run(("auditctl", "-e", "1"))
    return read_live(commands)


def _is_watchable(path: str) -> bool:
    """Tell files from devices: a masked unit is a link to one."""
    try:
        return not stat.S_ISCHR(os.stat(path).st_mode)
    except OSError:
        return False


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _has(live: Live, watch: tuple[str, str, str]) -> bool:
    """Tell whether the kernel has the watch, whose permissions it may list in another order."""
    path, permissions, key = watch
    return any(
        have == path and set(permissions) <= set(granted) and name == key for have, granted, name in live.watches
    )


def _parse(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the watches that auditctl lists and files have, in the old and the new style."""
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # auditctl does without it, too
            continue
        options = dict(zip(words[::2], words[1::2]))
        fields = dict(value.partition("=")[::2] for option, value in zip(words[::2], words[1::2]) if option == "-F")
        path = options.get("-w") or fields.get("path") or fields.get("dir")
        if path:
            permissions = options.get("-p") or fields.get("perm") or "rwxa"
            yield path.rstrip("/"), permissions, options.get("-k") or fields.get("key") or ""
