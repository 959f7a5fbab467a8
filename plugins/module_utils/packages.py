# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Debian packages by the tools that every Debian has. Sources: dpkg-query(1), apt-get(8), apt.conf(5).

from __future__ import annotations

from typing import Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner

#: Seconds for a download over a slow line.
_TIMEOUT = 1800
_APT = (
    *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"),
    *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"),
)


def missing(names: Sequence[str], commands: CommandRunner) -> list[str]:
    """Return the packages that are not installed, in the given order; InputError where there is no dpkg."""
    shown = commands.run(("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *names))
    if shown.rc is None:
        raise InputError(
            "This host has no dpkg: only Debian and its derivatives can be installed on. Install the engine."
        )
    installed = {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" installed")}
    return [name for name in names if name not in installed]


def install(names: Sequence[str], commands: CommandRunner) -> None:
    """Install packages without those that they merely recommend, from fresh lists; BreakwaterError says why not."""
    _checked(commands.run((*_APT, "update"), timeout=_TIMEOUT))
    _checked(commands.run((*_APT, "--no-install-recommends", "install", *names), timeout=_TIMEOUT))


def _checked(result: CommandResult) -> None:
    if result.rc != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("E: ")]
        reason = " ".join(errors) or result.stderr.strip()[-500:]
        raise BreakwaterError(f"apt-get failed: {reason} Correct the package sources and run again.")
