# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.platforms import System, fits

TRIXIE = System("debian", "13", "trixie")
TESTING = System("debian", "", "forky")
NOBLE = System("ubuntu", "24.04", "noble")
RHEL = System("rhel", "9.4")


@pytest.mark.parametrize(
    ("platform", "system"),
    [
        ("Debian GNU/Linux 13", TRIXIE),
        ("Debian GNU/Linux 13.0", TRIXIE),
        ("Debian GNU/Linux 13 (trixie)", TRIXIE),
        ("debian 13", TRIXIE),
        ("Debian trixie", TRIXIE),
        ("Debian GNU/Linux", TRIXIE),
        ("Debian GNU/Linux", TESTING),
        ("Debian GNU/Linux 14 (forky)", TESTING),
        ("Ubuntu 24.04 LTS", NOBLE),
        ("Ubuntu 24.04.1 LTS", NOBLE),
        ("Ubuntu Noble", NOBLE),
        ("Red Hat Enterprise Linux 9", RHEL),
        ("Red Hat Enterprise Linux Server 9", RHEL),
        ("RHEL 9.4", RHEL),
        ("Oracle Linux 9", System("ol", "9.4")),
        ("Rocky Linux 9", System("rocky", "9.4")),
        ("AlmaLinux 9", System("almalinux", "9.4")),
        ("Alpine Linux 3.22", System("alpine", "3.22.1")),
    ],
)
def test_platforms_fit_however_they_are_written(platform: str, system: System) -> None:
    assert fits(platform, system)


@pytest.mark.parametrize(
    ("platform", "system"),
    [
        ("Debian GNU/Linux 12", TRIXIE),
        ("Debian GNU/Linux 1", TRIXIE),
        ("Debian GNU/Linux 130", TRIXIE),
        ("Debian GNU/Linux 12 (bookworm)", TRIXIE),
        ("Debian bookworm", TRIXIE),
        ("Debian GNU/Linux 12, Debian GNU/Linux 13", TRIXIE),
        ("Debian GNU/Linux 13", TESTING),
        ("Debian GNU/Linux 13", NOBLE),
        ("Debian GNU/Linux 13", System("alpine", "3.22.1")),
        ("Debian GNU/Linux 13", System("raspbian", "13", "trixie")),
        ("Debian GNU/Linux", System("alpine", "13")),
        ("Ubuntu 22.04 LTS", NOBLE),
        ("Ubuntu 24.10", NOBLE),
        ("Red Hat Enterprise Linux 8", RHEL),
        ("Red Hat Enterprise Linux 9.2", RHEL),
        ("Red Hat Enterprise Linux 9", System("rocky", "9.4")),
        ("Red Hat OpenShift 9", RHEL),
        ("Linux", System()),
        ("Debian GNU/Linux", System()),
        ("13", TRIXIE),
        ("", TRIXIE),
    ],
)
def test_no_other_distribution_and_no_other_version_fits(platform: str, system: System) -> None:
    assert not fits(platform, system)
