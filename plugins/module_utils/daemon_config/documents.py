# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What daemon.json says, and what the engine runs by, which is another thing while a change has still to take effect.

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, parse
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import Document
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.unit import Unit
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError


def started_since(file: ConfigFile, unit: Unit) -> bool:
    """Tell whether dockerd has been started since the file was left to its next start, and so runs by it."""
    return file.deferred() not in (None, unit.start) and unit.active_state == "active"


def read_documents(file: ConfigFile, unit: Unit, replace_invalid: bool) -> tuple[Document | None, Document | None]:
    """Return what the file says and what the engine runs by; None for what can't be parsed and may be replaced."""
    current: Document | None = None
    try:
        current = parse(file.read() or "", file.path)
    except InputError as error:
        if not replace_invalid:
            hint = "Correct it, or set replace_invalid: true to keep it aside and write a new one; nothing was changed."
            raise InputError(f"{error} {hint}") from None
    unfinished = file.unfinished()
    if unfinished is None or started_since(file, unit):
        return current, current
    try:
        return current, parse(unfinished, file.path)
    except InputError:
        return current, None
