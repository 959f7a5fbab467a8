# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How "docker exec" was used, from the audit log's end. Only counts leave: a command line can hold secrets.
# Sources: auditd's log format (EXECVE records), the options of docker container exec and of docker compose exec.

from __future__ import annotations

import binascii
import re
from datetime import datetime, timezone
from typing import Any, Iterator, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.accounts import names_root
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.audit import AuditRules
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import exists
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

LOG = "/var/log/audit/audit.log"
#: What auditd calls the one before, which holds everything up to a moment ago when it has just begun anew.
_FORMER_LOG = LOG + ".1"
#: How much of each log's end is read, in bytes.
LOG_LIMIT = 4 << 20
#: With name_format in auditd.conf, as STIGs ask for, each line begins with the host's name.
_RECORD = re.compile(r"^(?:node=\S+ )?type=EXECVE msg=audit\((\d+)\.\d+:\d+\): (.*)$", re.MULTILINE)
#: At the beginning of a line, as an argument of a command can look the same.
_STAMP = re.compile(r"^(?:node=\S+ )?type=\w+ msg=audit\((\d{1,11})\.", re.MULTILINE | re.ASCII)
_ARGUMENT = re.compile(r'\ba(\d+)=(?:"([^"]*)"|([0-9A-F]+))')
_EXEC_VALUES = {"-e", "--env", "--env-file", "-u", "--user", "-w", "--workdir", "--detach-keys", "--index"}
_COMPOSE_VALUES = {
    "--ansi",
    "--env-file",
    "-f",
    "--file",
    "--parallel",
    "--profile",
    "--progress",
    "--project-directory",
    "-p",
    "--project-name",
    "--workdir",
}
_GLOBAL_VALUES = {
    "--config",
    "-c",
    "--context",
    "-H",
    "--host",
    "-l",
    "--log-level",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
}


def collect(files: FileSystem, commands: CommandRunner, live: AuditRules, client: str) -> dict[str, Any]:
    """Return how often `docker exec`, or Compose's, is in the last LOG_LIMIT bytes of the log and of the one before.

    `since` is the time of the first of them; `recorded` tells whether the kernel's rules record the program `client`,
    without which the counts say nothing.
    UnreadableError or OSError where the log can't be read.
    """
    recorded = live.records_execution(client)
    logs = [path for path in (_FORMER_LOG, LOG) if exists(files, path)]
    if not logs:
        return {"recorded": False, "total": 0, "privileged": 0, "root": 0, "since": None}
    result = commands.run(("tail", "-q", "-c", str(LOG_LIMIT), *logs))
    if result.rc != 0:
        raise UnreadableError(f"{' or '.join(logs)} can't be read: {result.stderr.strip() or 'tail failed'}")
    return {"recorded": recorded, **summarise(result.stdout)}


def summarise(log: str) -> dict[str, Any]:
    """Count the uses of `docker exec` and of Compose's in an audit log's text."""
    counts = {"total": 0, "privileged": 0, "root": 0}
    for arguments in _command_lines(log):
        options = _exec_options(arguments)
        if options is None:
            continue
        counts["total"] += 1
        counts["privileged"] += _is_on(options.get("--privileged"))
        user = options.get("-u", options.get("--user", ""))
        counts["root"] += bool(user) and names_root(user)
    first = _STAMP.search(log)
    since = datetime.fromtimestamp(int(first.group(1)), timezone.utc) if first else None
    return {**counts, "since": since.strftime("%Y-%m-%dT%H:%M:%SZ") if since else None}


def _is_on(value: str | None) -> bool:
    return value is not None and value.lower() not in {"false", "0", "f"}


def _command_lines(log: str) -> Iterator[list[str]]:
    for record in _RECORD.finditer(log):
        arguments = []
        for _index, quoted, coded in _ARGUMENT.findall(record.group(2)):
            # auditd writes an argument with a space or a quote in hexadecimal
            arguments.append(_decode(coded) if coded else quoted)
        yield arguments


def _decode(coded: str) -> str:
    try:
        return binascii.unhexlify(coded).decode("utf-8", "replace")
    except binascii.Error:
        return coded


def _exec_options(arguments: Sequence[str]) -> dict[str, str] | None:
    """Return the options of an exec before the container's or service's name; None for any other command.

    The plugin that `docker compose` starts has the same words again, `compose` among them, and is not counted twice.
    """
    program = arguments[0].rpartition("/")[2] if arguments else ""
    if program == "docker-compose":
        rest = _skip_options(arguments[1:], _COMPOSE_VALUES, {})
    elif program == "docker":
        rest = _skip_options(arguments[1:], _GLOBAL_VALUES, {})
        if rest[:1] == ["container"]:
            rest = rest[1:]
        elif rest[:1] == ["compose"]:
            rest = _skip_options(rest[1:], _COMPOSE_VALUES, {})
    else:
        return None
    if rest[:1] != ["exec"]:
        return None
    options: dict[str, str] = {}
    _skip_options(rest[1:], _EXEC_VALUES, options)
    return options


def _skip_options(arguments: Sequence[str], with_value: set[str], found: dict[str, str]) -> list[str]:
    """Fill `found` with the leading options and return what follows; the client stops at the first other argument."""
    rest = list(arguments)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        if word.startswith("--"):
            name, assigned, value = word.partition("=")
            if not assigned and name in with_value:
                value = rest.pop(0) if rest else ""
            found[name] = value if assigned or name in with_value else "true"
            continue
        # short options can be joined: -itu root, -uroot
        for position, letter in enumerate(word[1:], 2):
            if f"-{letter}" in with_value:
                attached = word[position:]
                found[f"-{letter}"] = attached.lstrip("=") if attached else (rest.pop(0) if rest else "")
                break
            found[f"-{letter}"] = "true"
    return rest
