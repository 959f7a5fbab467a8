# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import Settings
from ansible_collections.breakwater.docker.plugins.module_utils.registry.units import _BACKUP, render
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER

CONTAINER: dict[str, Any] = {"kind": "container", "image": "x"}


def test_registry_and_collection_exclude_each_other(settings: Settings) -> None:
    units = render(settings)
    assert set(units) == {
        "docker-registry.service",
        "docker-registry-readonly.service",
        "docker-registry-gc.service",
        "docker-registry-gc.timer",
    }
    assert "Conflicts=docker-registry-readonly.service docker-registry-gc.service\n" in units["docker-registry.service"]
    # an order of both after each other would be a cycle, by which systemd refuses to stop them
    assert "After=network-online.target\n" in units["docker-registry.service"]
    assert "After=network-online.target docker-registry.service\n" in units["docker-registry-readonly.service"]
    collection = units["docker-registry-gc.service"]
    assert "Conflicts=docker-registry.service\n" in collection
    assert "OnSuccess=docker-registry.service\nOnFailure=docker-registry.service\n" in collection
    assert "ExecStart=/usr/bin/docker-registry serve readonly.yml\n" in units["docker-registry-readonly.service"]
    assert "WantedBy" not in units["docker-registry-readonly.service"]


def test_container_is_started_again_after_the_collection(settings: Settings) -> None:
    collection = render(replace(settings, **CONTAINER))["docker-registry-gc.service"]
    assert collection.endswith(
        f"ExecStopPost=-/usr/bin/{DOCKER} stop --time 45 docker-registry-readonly\n"
        f"ExecStopPost=/usr/bin/{DOCKER} start docker-registry\n"
    )


def test_no_container_is_stopped_for_a_collection_that_lacks_one(settings: Settings) -> None:
    collection = render(replace(settings, **CONTAINER))["docker-registry-gc.service"]
    [condition] = re.findall("^ExecCondition=.*", collection, re.MULTILINE)
    assert "container inspect" in condition
    assert condition.endswith(" docker-registry-readonly docker-registry-gc")
    assert '"$$@"' in condition


@pytest.mark.parametrize("changes", [{"gc_schedule": ""}, {"proxy": {"url": "https://hub"}}])
def test_nothing_is_collected_when_not_wanted_or_of_a_cache(settings: Settings, changes: dict[str, Any]) -> None:
    assert set(render(replace(settings, **changes))) == {"docker-registry.service"}
    assert render(replace(settings, **CONTAINER, **changes)) == {}


@pytest.mark.parametrize(("port", "capabilities"), [(5000, ""), (443, "CAP_NET_BIND_SERVICE")])
def test_capability_for_a_low_port_only(settings: Settings, port: int, capabilities: str) -> None:
    unit = render(replace(settings, port=port))["docker-registry.service"]
    assert f"\nCapabilityBoundingSet={capabilities}\nAmbientCapabilities={capabilities}\n" in unit


def test_storage_elsewhere_leaves_the_service_no_place_to_write(settings: Settings) -> None:
    unit = render(replace(settings, storage="s3", storage_options={"bucket": "b", "region": "r"}))
    assert "\nReadWritePaths=\n" in unit["docker-registry.service"]
    assert "flock" not in unit["docker-registry-gc.service"]


def test_scripts_reach_the_shell_as_they_are(settings: Settings) -> None:
    units = render(replace(settings, quota="1M", backup_directory="/srv/backup"))
    assert units["docker-registry-quota.service"].count(" sh /srv/registry 1024\n") == 1
    assert "$$used" in units["docker-registry-quota.service"]
    assert "%%Y%%m%%d" in units["docker-registry-backup.service"]
    assert "/usr/bin/flock /srv/registry /bin/sh -c '" in units["docker-registry-backup.service"]
    assert "OnCalendar=daily\n" in units["docker-registry-backup.timer"]


def backup(tmp_path: Path) -> list[Path]:
    command = ["sh", "-c", _BACKUP, "sh", str(tmp_path / "images"), str(tmp_path / "copies"), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return list((tmp_path / "copies").iterdir())


def test_backup_of_a_registry_without_images_does_not_fail(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    assert backup(tmp_path) == []


def test_restored_directories_have_their_modes_under_any_umask(tmp_path: Path) -> None:
    for kind in ("repositories", "blobs"):
        (tmp_path / "images/docker/registry/v2" / kind).mkdir(parents=True)
    directories = sorted(path.relative_to(tmp_path / "images") for path in (tmp_path / "images").rglob("*"))
    for path in directories:
        (tmp_path / "images" / path).chmod(0o755)
    [copy] = backup(tmp_path)
    restored = tmp_path / "restored"
    restored.mkdir()
    subprocess.run(["sh", "-ec", 'umask 077; tar -xpf "$1" -C "$2"', "sh", copy, restored], check=True)
    assert {str(path): stat.S_IMODE((restored / path).stat().st_mode) for path in directories} == {
        str(path): 0o755 for path in directories
    }
