# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether definitions are about a system. Those for another one are all false of it, whatever flaws it has.
# Sources: os-release(5), the OVAL of Debian, Ubuntu and Red Hat.

from __future__ import annotations

import re
from dataclasses import dataclass

#: Words that one publisher writes and another leaves out.
_FILLERS = frozenset({"gnu/linux", "linux", "os", "server", "lts"})
#: How distributions are called, without those words, where that is not their ID in os-release.
_NAMES = {"rhel": "red hat enterprise", "ol": "oracle", "amzn": "amazon"}


@dataclass(frozen=True)
class System:
    """A host, an image or a container by its os-release: `debian`, `13`, `trixie`; empty is what that leaves out."""

    distribution: str = ""
    version: str = ""
    codename: str = ""

    def __str__(self) -> str:
        """Return it for a message."""
        named = " ".join(filter(None, (self.distribution, self.version or self.codename)))
        return named or "without an os-release"


def fits(platform: str, system: System) -> bool:
    """Return whether an affected platform, such as `Debian GNU/Linux 13` or `Ubuntu 24.04 LTS`, is this system.

    One without a version is every version of its distribution. Of versions, the shorter one's numbers decide.
    """
    words = re.sub(r"[()]", " ", platform.lower()).split()
    versions = [word for word in words if word[0].isdigit()]
    by_codename = system.codename.lower() in words
    ignored = {*_FILLERS, *versions, system.codename.lower()}
    name = " ".join(word for word in words if word not in ignored)
    distribution = system.distribution.lower()
    if not distribution or name not in (distribution, _NAMES.get(distribution)):
        return False
    if not versions:
        return True
    if not system.version:
        return by_codename
    parts = zip(versions[0].split("."), system.version.split("."))
    return len(versions) == 1 and all(stated == its for stated, its in parts)
