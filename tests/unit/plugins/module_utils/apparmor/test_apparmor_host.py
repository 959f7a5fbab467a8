# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.host import (
    Container,
    Plan,
    ProfileHost,
    containers,
)
from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.profile import Profile, render
from ansible_collections.breakwater.docker.plugins.module_utils.errors import (
    BreakwaterError,
    EngineError,
    InputError,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult

WEB = Profile("web", "enforce", (), (), (), (), (), (), ())
LOGGING = WEB._replace(mode="complain")


class Kernel:
    """apparmor_parser and the kernel's list of profiles below `root`; `broken` can't be loaded."""

    def __init__(self, root: Path, broken: str = "") -> None:
        self.root = root
        self.broken = broken
        self.calls: list[Sequence[str]] = []
        (root / "sys/module/apparmor/parameters").mkdir(parents=True)
        (root / "sys/module/apparmor/parameters/enabled").write_text("Y\n")
        (root / "sys/kernel/security/apparmor").mkdir(parents=True)
        (root / "etc/apparmor.d").mkdir(parents=True)
        self.load("docker-default")

    def load(self, name: str, mode: str = "enforce") -> None:
        with (self.root / "sys/kernel/security/apparmor/profiles").open("a") as stream:
            stream.write(f"{name} ({mode})\n")

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        self.calls.append(argv)
        paths = [path for path in (Path(argv[-1]), Path(f"{self.root}{argv[-1]}")) if path.is_file()]
        text = paths[0].read_text() if paths else ""
        failed = bool(self.broken) and self.broken in text
        return CommandResult(1 if failed else 0, "", f"error in {argv[-1]}: bad rule" if failed else "")


def install(root: Path, profile: Profile) -> None:
    (root / f"etc/apparmor.d/breakwater.{profile.name}").write_text(render(profile))


def test_new_changed_and_unlisted_profiles(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    host = ProfileHost(kernel, str(tmp_path))
    assert host.obstacle() == ""
    assert host.plan([WEB], []) == Plan({"web": render(WEB)}, (), ())
    install(tmp_path, WEB)
    assert host.plan([WEB], []).texts  # not loaded
    kernel.load("web")
    assert host.plan([WEB], []) == Plan({}, (), ())
    assert host.plan([LOGGING], []).texts
    assert host.plan([], []) == Plan({}, ("web",), ())
    assert host.plan([], ["web"]) == Plan({}, (), ("web",))


@pytest.mark.parametrize(
    "label", ["web", "web//null-/usr/sbin/nginx", "docker-default//&web", "web//&docker-default", "web//worker//nested"]
)
def test_profile_in_use_is_kept(tmp_path: Path, label: str) -> None:
    host = ProfileHost(Kernel(tmp_path), str(tmp_path))
    install(tmp_path, WEB)
    assert host.plan([], ["unconfined", label]) == Plan({}, (), ("web",))


@pytest.mark.parametrize("label", ["unconfined", "", "webs", "docker-default", "webs//null-/web"])
def test_profile_that_only_looks_used_goes(tmp_path: Path, label: str) -> None:
    host = ProfileHost(Kernel(tmp_path), str(tmp_path))
    install(tmp_path, WEB)
    assert host.plan([], [label]) == Plan({}, ("web",), ())


class Engine:
    """An EngineReader: containers by id, of which `gone` is removed meanwhile; EngineError with `status` if given."""

    def __init__(self, status: str = "") -> None:
        self.status = status

    def get(self, path: str) -> Any:
        if self.status:
            raise EngineError(self.status, "no")
        listed = [{"Id": "gone"}, {"Id": "a", "State": "running"}]
        return [*listed, {"Id": "b", "State": "exited"}] if path == "/containers/json?all=1" else listed

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        documents = {
            "/containers/a/json": {"Id": "a", "Name": "/shop", "AppArmorProfile": ""},
            "/containers/b/json": {"Id": "b", "Name": "/job", "AppArmorProfile": "web"},
        }
        return (documents[path] for path in paths if path in documents)


def test_stopped_containers_have_their_profiles() -> None:
    assert containers(Engine()) == {"a": Container("shop", ""), "b": Container("job", "web")}


def test_engine_that_does_not_answer_is_no_proof_that_nobody_has_a_profile() -> None:
    assert containers(Engine("absent")) is None
    assert containers(Engine("stopped")) is None
    with pytest.raises(EngineError):
        containers(Engine("unreadable"))


def test_profiles_of_others_stay(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    kernel.load("web")
    (tmp_path / "etc/apparmor.d/breakwater.theirs").write_text("profile theirs {}\n")
    host = ProfileHost(kernel, str(tmp_path))
    assert host.plan([], []) == Plan({}, (), ())
    with pytest.raises(InputError, match="not of this role"):
        host.plan([WEB], [])
    with pytest.raises(InputError, match="listed twice"):
        host.plan([WEB._replace(name="x"), WEB._replace(name="x")], [])


def test_mistakes_are_told_before_anything_changes(tmp_path: Path) -> None:
    host = ProfileHost(Kernel(tmp_path, broken="nonsense"), str(tmp_path))
    with pytest.raises(InputError, match=r"profile web: error in web: bad rule\. Nothing was changed"):
        host.check({"web": render(WEB._replace(rules=("nonsense,",)))})
    host.check({"web": render(WEB)})


def test_what_can_not_be_loaded_leaves_the_former_profile(tmp_path: Path) -> None:
    host = ProfileHost(Kernel(tmp_path, broken="nonsense"), str(tmp_path))
    install(tmp_path, WEB)
    bad = render(WEB._replace(rules=("nonsense,",)))
    with pytest.raises(BreakwaterError, match="the former ones are in effect"):
        host.apply(Plan({"web": bad}, (), ()))
    assert host.ours() == {"web": render(WEB)}
    with pytest.raises(BreakwaterError):
        host.apply(Plan({"new": bad}, (), ()))
    assert host.ours() == {"web": render(WEB)}


def test_kernels_without_apparmor(tmp_path: Path) -> None:
    host = ProfileHost(Kernel(tmp_path), str(tmp_path))
    (tmp_path / "sys/module/apparmor/parameters/enabled").write_text("N\n")
    (tmp_path / "sys/kernel/security/lsm").write_text("lockdown,capability,yama")
    assert "its security modules are lockdown,capability,yama" in host.obstacle()
    (tmp_path / "sys/fs/selinux").mkdir(parents=True)
    (tmp_path / "sys/fs/selinux/enforce").write_text("1")
    assert "SELinux" in host.obstacle()


def test_labels(tmp_path: Path) -> None:
    for pid, label in ((1, "unconfined\n"), (2, "docker-default (enforce)\n"), (3, "")):
        (tmp_path / f"proc/{pid}/attr").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/attr/current").write_text(label)
    assert ProfileHost(Kernel(tmp_path), str(tmp_path)).labels([1, 2, 3, 4]) == {1: "unconfined", 2: "docker-default"}
