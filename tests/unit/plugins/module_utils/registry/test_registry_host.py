# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.registry.host import RegistryHost
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import Settings
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

STARTED = "2026-11-25T09:09:13.123456789Z"


class Engine:
    """An engine with or without a container docker-registry."""

    def __init__(self, started: str | None = None) -> None:
        self.started = started

    def get(self, path: str) -> Any:
        if self.started is None:
            raise EngineError("absent", "There is no engine.")
        return {"State": {"Running": True, "StartedAt": self.started}}

    def get_each(self, paths: Any) -> Any:
        raise NotImplementedError


class Hasher:
    def make(self, password: str) -> str:
        return "$2b$10$" + "x" * 53

    def fits(self, password: str, hashed: str) -> bool:
        return True


@pytest.fixture
def commands() -> RecordedCommands:
    commands = RecordedCommands()
    commands.answer("systemctl is-active docker-registry-gc.service", "inactive\n", rc=3)
    commands.answer("systemctl is-active docker-registry.service", "inactive\n", rc=3)
    commands.answer("systemctl is-active", "active\n")
    commands.answer("systemctl", "")
    return commands


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("run/systemd/system", "etc/systemd/system", "etc/docker", "tls", "srv"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("cert.pem", "key.pem"):
        (tmp_path / "tls" / name).write_text(f"{name}\n")
    return tmp_path


@pytest.fixture
def contained(settings: Settings) -> Settings:
    """A container's registry, whose files belong to whom the test runs as."""
    return replace(settings, kind="container", image="x", uid=os.getuid())


def host(root: Path, commands: RecordedCommands, engine: Engine | None = None) -> RegistryHost:
    return RegistryHost(commands, lambda: nullcontext(engine or Engine()), str(root))


def test_second_plan_is_empty(root: Path, commands: RecordedCommands, contained: Settings) -> None:
    registry = host(root, commands)
    plan = registry.plan(contained, "", Hasher(), check_mode=False)
    assert plan.make_root == "/srv/registry"
    assert "docker-registry-gc.timer" in plan.changed_units
    registry.apply(contained, plan)
    files = {path.name: path.stat().st_mode & 0o777 for path in (root / "etc/docker/registry").iterdir()}
    assert files == {
        **dict.fromkeys(("config.yml", "readonly.yml", "htpasswd", "http.secret", "tls.crt"), 0o600),
        "tls.key": 0o400,
    }
    again = registry.plan(contained, "", Hasher(), check_mode=False)
    assert not again.changed
    assert again.after["http.secret"] == plan.after["http.secret"]
    assert len(again.after["http.secret"]) == 64


def test_new_directories_get_their_labels(root: Path, commands: RecordedCommands, contained: Settings) -> None:
    (root / "sys/fs/selinux").mkdir(parents=True)
    (root / "sys/fs/selinux/enforce").write_text("1")
    commands.answer("restorecon", "")
    registry = host(root, commands)
    for _time in range(2):
        registry.apply(contained, registry.plan(contained, "", Hasher(), check_mode=False))
    labelled = [line for line in commands.asked if line.startswith("restorecon")]
    assert labelled == [f"restorecon -R -F {root}/{path}" for path in ("etc/docker/registry", "srv/registry")]


def test_what_is_no_longer_wanted_goes(root: Path, commands: RecordedCommands, contained: Settings) -> None:
    registry = host(root, commands)
    with_ca = replace(contained, client_certificates="required", client_ca=["/tls/cert.pem"])
    registry.apply(with_ca, registry.plan(with_ca, "", Hasher(), check_mode=False))
    less = replace(contained, gc_schedule="")
    plan = registry.plan(less, "", Hasher(), check_mode=False)
    assert "client-ca.pem" in plan.changed_files
    registry.apply(less, plan)
    assert not (root / "etc/docker/registry/client-ca.pem").exists()
    assert list((root / "etc/systemd/system").iterdir()) == []
    assert "systemctl disable --now docker-registry-gc.timer docker-registry-gc.service" in commands.asked


def test_loose_rights_are_corrected(root: Path, commands: RecordedCommands, contained: Settings) -> None:
    registry = host(root, commands)
    registry.apply(contained, registry.plan(contained, "", Hasher(), check_mode=False))
    path = root / "etc/docker/registry/config.yml"
    path.chmod(0o644)
    plan = registry.plan(contained, "", Hasher(), check_mode=False)
    assert plan.changed_files == ["config.yml"]
    registry.apply(contained, plan)
    assert path.stat().st_mode & 0o777 == 0o600


def test_running_container_is_restarted_for_what_it_has_not_read(
    root: Path, commands: RecordedCommands, contained: Settings
) -> None:
    registry = host(root, commands, Engine(STARTED))
    registry.apply(contained, registry.plan(contained, "", Hasher(), check_mode=False))
    [reason] = registry.plan(contained, "", Hasher(), check_mode=False).restart
    assert "was written after its start" in reason
    for path in (root / "etc/docker/registry").iterdir():
        os.utime(path, (0, 0))
    assert registry.plan(contained, "", Hasher(), check_mode=False).restart == ()
    users = [{"name": "bob", "password": "x", "hash": None}]
    assert registry.plan(replace(contained, users=users), "", Hasher(), check_mode=False).restart == ()  # read anew
    changed = registry.plan(replace(contained, delete=False), "", Hasher(), check_mode=False)
    assert changed.restart == ("config.yml, readonly.yml changed",)


def test_nothing_happens_while_garbage_is_collected(
    root: Path, commands: RecordedCommands, contained: Settings
) -> None:
    commands.answer("systemctl is-active docker-registry-gc.service", "activating\n", rc=3)
    for plan in (
        lambda: host(root, commands).removal(),
        lambda: host(root, commands).plan(contained, "", Hasher(), True),
    ):
        with pytest.raises(InputError, match="collecting garbage"):
            plan()


def test_kinds_exclude_each_other(root: Path, commands: RecordedCommands, settings: Settings) -> None:
    with pytest.raises(InputError, match="A registry of kind container runs"):
        host(root, commands, Engine(STARTED)).plan(settings, "", Hasher(), check_mode=True)


def test_certificate_may_come_later_in_check_mode_only(
    root: Path, commands: RecordedCommands, contained: Settings
) -> None:
    missing = replace(contained, certificate="/tls/none.pem")
    assert host(root, commands).plan(missing, "", Hasher(), check_mode=True).changed
    with pytest.raises(InputError, match=r"There is no file /tls/none\.pem"):
        host(root, commands).plan(missing, "", Hasher(), check_mode=False)


def test_key_of_another_certificate_is_refused(root: Path, commands: RecordedCommands, contained: Settings) -> None:
    commands.answer("openssl x509", "one")
    commands.answer("openssl pkey", "another")
    with pytest.raises(InputError, match="is not the key of"):
        host(root, commands).plan(contained, "", Hasher(), check_mode=False)


def test_removal_keeps_images(root: Path, commands: RecordedCommands, contained: Settings) -> None:
    registry = host(root, commands)
    registry.apply(contained, registry.plan(contained, "", Hasher(), check_mode=False))
    (root / "srv/registry/image").write_text("x")
    registry.remove(registry.removal())
    assert list((root / "etc/docker/registry").iterdir()) == []
    assert list((root / "etc/systemd/system").iterdir()) == []
    assert (root / "srv/registry/image").exists()
    assert not registry.removal().changed
