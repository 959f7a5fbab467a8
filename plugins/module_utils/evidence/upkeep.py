# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether anything collects a registry's garbage at set times: systemd's timers and cron's tables.
# Sources: systemd.timer(5), crontab(5), cron(8).

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator

from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: What distribution's command is called, in a unit, a table or a container's arguments.
_COMMAND = "garbage-collect"
_UNITS = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_WANTED = "/etc/systemd/system/timers.target.wants"
_UNIT = re.compile(r"^Unit=(\S+)", re.MULTILINE)
_TABLES = ("/etc/crontab",)
_TABLE_DIRECTORIES = (
    *("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"),
    *("/var/spool/cron/crontabs", "/var/spool/cron"),
)


def collects_garbage(files: FileSystem, containers: Iterable[dict[str, Any]]) -> bool:
    """Tell whether a timer or a table runs the collection, itself or by one of the containers made for it."""
    words = [_COMMAND, *_collectors(containers)]
    pattern = re.compile("|".join(rf"(?<![\w-]){re.escape(word)}(?![\w-])" for word in words))
    return any(pattern.search(text) for text in _scheduled(files))


def _collectors(containers: Iterable[dict[str, Any]]) -> Iterator[str]:
    for document in containers:
        arguments = document.get("Args")
        if isinstance(arguments, list) and _COMMAND in arguments:
            yield str(document.get("Name", "")).lstrip("/")


def _scheduled(files: FileSystem) -> Iterator[str]:
    """Yield the texts of the services that timers start, and of cron's tables and scripts."""
    for name in names_in(files, _WANTED):
        timer = text_of(files, f"{_WANTED}/{name}")
        named = _UNIT.search(timer)
        service = named.group(1) if named else f"{name.rpartition('.')[0]}.service"
        places = (f"{directory}/{service}" for directory in _UNITS)
        yield next((text_of(files, path) for path in places if exists(files, path)), "")
    for path in _TABLES:
        yield text_of(files, path)
    for directory in _TABLE_DIRECTORIES:
        for name in names_in(files, directory):
            yield text_of(files, f"{directory}/{name}")
