# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import image
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_layers import LayerScanner
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema

NOW = 1_800_000_000.0
ENTRY = {"Id": "sha256:aa", "RepoTags": ["web:1"], "RepoDigests": [], "Size": 80 << 20}
INSPECTION = {
    "Created": "2026-12-31T00:00:00.123456789Z",
    "Config": {
        "User": "www-data",
        "Env": ["PATH=/usr/bin", "DB_PASSWORD=hunter2"],
        "Healthcheck": {"Test": ["CMD", "true"]},
        "ExposedPorts": {"80/tcp": {}},
    },
    "RootFS": {"Type": "layers", "Layers": ["sha256:1", "sha256:2"]},
}
HISTORY = [{"CreatedBy": "RUN /bin/sh -c curl https://x | sh # buildkit"}, {"CreatedBy": "ADD rootfs.tar / # buildkit"}]


class Answers:
    """An engine that answers by path; an error among the answers is raised."""

    def __init__(self, *given: Any) -> None:
        """Answer with the given inspection and history, in this order, and with usual ones for the rest."""
        inspection, history = (*given, *(INSPECTION, HISTORY)[len(given) :])
        self.asked: list[str] = []
        self._answers = {"json": inspection, "history": history}

    def get(self, path: str) -> Any:
        """Return the answer for the last part of the path."""
        self.asked.append(path)
        answer = self._answers[path.rpartition("/")[2]]
        if isinstance(answer, EngineError):
            raise answer
        return answer


def collect(
    files: LocalFileSystem, reader: Answers, images: list[Any], containers: Any = (), deep_scan: bool = False
) -> list[dict[str, Any]]:
    documents = EngineDocuments({}, {"DockerRootDir": "/var/lib/docker"}, list(containers), images, [], [])
    return image.collect(reader, documents, files, deep_scan, NOW)


def container(name: str, reasons: dict[str, str] | None = None, image_id: str = "sha256:aa") -> dict[str, Any]:
    labels = {f"breakwater.reason.{control}": reason for control, reason in (reasons or {}).items()}
    return {"Image": image_id, "Name": f"/{name}", "Config": {"Labels": labels}}


def test_the_evidence_of_an_image_fits_its_schema_and_holds_no_value(files: LocalFileSystem) -> None:
    reader = Answers()
    found = collect(files, reader, [ENTRY], [container("web")])[0]
    assert found["unreadable"] == {}
    assert set(found) - {"unreadable"} == set(scope_schema("image").fields)
    assert all(kind.accepts(found[name]) for name, kind in scope_schema("image").fields.items())
    assert (found["name"], found["used"], found["containers"], found["age_days"]) == ("web:1", True, ["web"], 15)
    assert (found["runs_as_root"], found["healthcheck"], found["exposes_ssh"], found["layers"]) == (
        False,
        True,
        False,
        2,
    )
    assert found["environment_secrets"] == ["DB_PASSWORD"]
    assert found["unverified_software"] == ["download run by a shell"]
    assert "hunter2" not in json.dumps(found)
    assert reader.asked == ["/images/sha256:aa/json", "/images/sha256:aa/history"]


@pytest.mark.parametrize(
    ("user", "root"),
    [
        *(
            ("", 1),
            ("0", 1),
            ("root", 1),
            ("root:www-data", 1),
            ("0:0", 1),
            ("1000", 0),
            ("www-data:root", 0),
            (None, 1),
        ),
        *(("00", 1), ("+0:0", 1), ("+1000", 0)),
    ],
)
def test_users_that_are_root(files: LocalFileSystem, user: str, root: int) -> None:
    found = collect(files, Answers({**INSPECTION, "Config": {"User": user}}), [ENTRY])[0]
    assert found["runs_as_root"] is bool(root)


def test_a_health_check_that_is_switched_off_is_none(files: LocalFileSystem) -> None:
    for check in ({"Test": ["NONE"]}, {"Test": []}, {}, None):
        assert (
            collect(files, Answers({**INSPECTION, "Config": {"Healthcheck": check}}), [ENTRY])[0]["healthcheck"]
            is False
        )


@pytest.mark.parametrize("created", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "", None])
def test_a_reproducible_build_has_no_age(files: LocalFileSystem, created: str) -> None:
    found = collect(files, Answers({**INSPECTION, "Created": created}), [ENTRY])[0]
    assert (found["created"], found["age_days"]) == (None, None)
    assert found["unreadable"] == {}


def test_images_without_name_and_container_are_left_out(files: LocalFileSystem) -> None:
    images = [
        {**ENTRY, "Id": "sha256:aa", "RepoTags": ["<none>:<none>"]},
        {**ENTRY, "Id": "sha256:bb", "RepoTags": None, "RepoDigests": ["x/y@sha256:cc"]},
        {**ENTRY, "Id": "sha256:dd"},
    ]
    found = collect(files, Answers(), images, [{"Image": "sha256:bb", "Name": "/one"}])
    assert [item["name"] for item in found] == ["x/y@sha256:cc", "web:1"]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("debian", "docker.io/library/debian"),
        ("debian:13", "docker.io/library/debian"),
        ("ada/web:1", "docker.io/ada/web"),
        ("registry.example.org:5000/web:1", "registry.example.org:5000/web"),
        ("localhost/web", "localhost/web"),
        ("ghcr.io/a/b/c@sha256:0123", "ghcr.io/a/b/c"),
        ("registry.example.org/web:1@sha256:0123", "registry.example.org/web"),
    ],
)
def test_full_names_of_repositories(reference: str, expected: Any) -> None:
    assert image.repository(reference) == expected


def test_an_image_that_is_gone_meanwhile_is_unreadable(files: LocalFileSystem) -> None:
    gone = MissingDocumentError("invalid", "The engine has nothing at /images/sha256:aa/json.")
    reader = Answers(gone)
    found = collect(files, reader, [ENTRY])[0]
    assert found["user"] is None
    assert "nothing at" in found["unreadable"]["user"]
    assert found["unverified_software"] == ["download run by a shell"]
    assert len(reader.asked) == 2


def test_an_engine_that_stops_answering_concerns_all(files: LocalFileSystem) -> None:
    with pytest.raises(EngineError):
        collect(files, Answers(EngineError("unreadable", "It did not answer within 10 seconds.")), [ENTRY])


@pytest.mark.parametrize(
    "garbage",
    [None, [], "x", {}, {"Config": []}, {"Config": {"User": 1, "Env": "x", "Healthcheck": 1, "ExposedPorts": []}}],
)
def test_garbage_is_unreadable_and_no_pass(files: LocalFileSystem, garbage: Any) -> None:
    found = collect(files, Answers(garbage, garbage), [ENTRY, {"Id": 5, "RepoTags": ["x"]}])
    for item in found:
        assert {"user", "runs_as_root"} <= set(item["unreadable"]) or item["user"] == ""
        assert "history_secrets" in item["unreadable"] or not garbage
        json.dumps(item)


@pytest.mark.parametrize("garbage", [{}, {"Image": 1, "Name": "/web"}, {"Image": "sha256:aa", "Name": []}])
def test_without_usable_containers_it_is_unknown_who_uses_an_image(files: LocalFileSystem, garbage: Any) -> None:
    found = collect(files, Answers(), [ENTRY, {"Id": [], "RepoTags": {}}], [garbage])
    assert [item["name"] for item in found] == ["web:1"]
    assert {"used", "containers", "reasons"} == set(found[0]["unreadable"])


def test_the_reasons_of_an_image_are_those_of_its_containers(files: LocalFileSystem) -> None:
    other = {**ENTRY, "Id": "sha256:bb", "RepoTags": ["db:1"]}
    built = {"image_signature_verified": "It is built here."}
    containers = [
        *(
            container("web", built),
            container("shop", built),
            container("old", {"image_signature_verified": "It is old."}),
        ),
        *(container("plain"), container("db", {"image_current": "No."}, "sha256:bb")),
    ]
    found = {item["name"]: item["reasons"] for item in collect(files, Answers(), [ENTRY, other], containers)}
    told = "It is built here. (container shop, web) It is old. (container old)"
    assert found == {"web:1": {"image_signature_verified": told}, "db:1": {"image_current": "No. (container db)"}}


def test_a_reason_with_a_secret_is_hidden(files: LocalFileSystem) -> None:
    secret = "https://ada:hunter2@registry.example.org"
    [found] = collect(files, Answers(), [ENTRY], [container("web", {"image_signature_verified": secret})])
    assert "hunter2" not in json.dumps(found["reasons"])


def test_what_lies_beyond_the_limit_is_told(files: LocalFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "IMAGE_LIMIT", 1)
    reader = Answers()
    found = collect(files, reader, [ENTRY, {**ENTRY, "Id": "sha256:bb", "RepoTags": ["other:1"]}])
    assert len(reader.asked) == 2
    assert found[1]["name"] == "other:1"
    assert "only 1 images" in found[1]["unreadable"]["user"]


def test_an_image_that_only_a_container_names_is_examined_too(files: LocalFileSystem) -> None:
    reader = Answers({**INSPECTION, "RepoTags": ["web:1"], "RepoDigests": [], "Size": 80 << 20})
    found = collect(files, reader, [], [container("web")])
    assert [(item["name"], item["containers"], item["runs_as_root"]) for item in found] == [("web:1", ["web"], False)]
    assert found[0]["unreadable"] == {}


def test_an_image_that_is_gone_is_no_object_and_a_broken_answer_is_told(files: LocalFileSystem) -> None:
    containers = [{"Image": "sha256:aa", "Name": "/web"}]
    assert collect(files, Answers(MissingDocumentError("invalid", "It is gone.")), [], containers) == []
    for broken in (["no object"], EngineError("invalid", "It is not an object.")):
        (found,) = collect(files, Answers(broken), [], containers)
        assert "is not an object" in found["unreadable"]["user"]
    with pytest.raises(EngineError, match="too slow"):
        collect(files, Answers(EngineError("unreadable", "It is too slow.")), [], containers)


def layers(*paths: str) -> dict[str, Any]:
    upper, *lower = (f"/var/lib/docker/overlay2/{path}/diff" for path in paths)
    return {"GraphDriver": {"Name": "overlay2", "Data": {"UpperDir": upper, "LowerDir": ":".join(lower)}}}


def scan(files: LocalFileSystem, inspection: dict[str, Any]) -> list[str]:
    return LayerScanner(files, "/var/lib/docker").setuid_files(inspection)


def test_setuid_files_are_found_in_all_layers(files: LocalFileSystem, put: Callable[..., Path], tmp_path: Path) -> None:
    put("/var/lib/docker/overlay2/top/diff/usr/bin/own", mode=0o2755)
    put("/var/lib/docker/overlay2/base/diff/usr/bin/su", mode=0o4755)
    put("/var/lib/docker/overlay2/base/diff/usr/bin/ls", mode=0o755)
    (tmp_path / "var/lib/docker/overlay2/base/diff/usr/bin/link").symlink_to("su")
    (tmp_path / "var/lib/docker/overlay2/base/diff/loop").symlink_to("/")
    assert scan(files, layers("top", "base")) == ["/usr/bin/own", "/usr/bin/su"]


def test_an_upper_layer_hides_what_it_replaced(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/var/lib/docker/overlay2/base/diff/usr/bin/su", mode=0o4755)
    put("/var/lib/docker/overlay2/base/diff/opt/tool/run", mode=0o4755)
    put("/var/lib/docker/overlay2/base/diff/usr/bin/kept", mode=0o4755)
    put("/var/lib/docker/overlay2/top/diff/usr/bin/su", mode=0o755)
    put("/var/lib/docker/overlay2/top/diff/opt/tool", "a file in place of the directory")
    assert scan(files, layers("top", "base")) == ["/usr/bin/kept"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes the device that stands for a removed file")
def test_removed_files_are_hidden(files: LocalFileSystem, put: Callable[..., Path], tmp_path: Path) -> None:
    put("/var/lib/docker/overlay2/base/diff/usr/bin/su", mode=0o4755)
    whiteout = put("/var/lib/docker/overlay2/top/diff/usr/bin/su")
    whiteout.unlink()
    os.mknod(whiteout, 0o20000, os.makedev(0, 0))
    assert scan(files, layers("top", "base")) == []


KEY = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n" * 3


def test_secrets_are_found_in_every_layer_and_only_named(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    base, top = "/var/lib/docker/overlay2/base/diff", "/var/lib/docker/overlay2/top/diff"
    put(f"{base}/srv/tls/server.pem", KEY)
    put(f"{base}/home/app/.ssh/id_ed25519", "encrypted or not")
    put(f"{base}/app/config.py", "token = 'ghp_0123456789abcdefghij0123'\n")
    put(f"{base}/app/.env", "# settings\nDEBUG=1\nDB_PASSWORD=hunter2\n")
    put(f"{top}/srv/tls/server.pem", "replaced")
    put(f"{base}/app/.npmrc", "color=false\n")
    put(f"{base}/app/readme", "-----BEGIN PRIVATE KEY----- is how a key begins, and DB_PASSWORD=x is in .env")
    put(f"{base}/usr/share/doc/x/example.pem", KEY)
    put(f"{base}/app/long", "x" * (64 << 10) + KEY)
    (files_found,) = (LayerScanner(files, "/var/lib/docker").secret_files(layers("top", "base")),)
    assert files_found == ["/app/.env", "/app/config.py", "/home/app/.ssh/id_ed25519", "/srv/tls/server.pem"]


@pytest.mark.parametrize("path", ["/etc", "/var/lib/docker/../../etc", "/var/lib/docker-evil/x", "relative"])
def test_layers_elsewhere_are_not_walked(files: LocalFileSystem, path: str) -> None:
    with pytest.raises(UnreadableError, match="outside"):
        scan(files, {"GraphDriver": {"Data": {"UpperDir": path}}})


@pytest.mark.parametrize(
    "raw", [{}, {"GraphDriver": None}, {"GraphDriver": {"Data": None}}, {"GraphDriver": {"Data": {"Dir": "x"}}}]
)
def test_other_storage_drivers_are_told(files: LocalFileSystem, put: Callable[..., Path], raw: Any) -> None:
    put("/proc/self/mountinfo", "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")
    with pytest.raises(UnreadableError, match="storage driver"):
        scan(files, {"Id": "sha256:aa", **raw})


@pytest.mark.parametrize(
    "lower",
    [
        "lowerdir=/c/snapshots/6/fs:/c/snapshots/1/fs",
        "lowerdir=6/fs:1/fs",
        "lowerdir+=/c/snapshots/6/fs,lowerdir+=/c/snapshots/1/fs",
    ],
)
def test_layers_of_the_containerd_image_store_are_those_of_a_running_container(
    files: LocalFileSystem, put: Callable[..., Path], lower: str
) -> None:
    point = "/var/lib/docker/rootfs/overlayfs/c1"
    overlay = f"{lower},upperdir=/c/snapshots/7/fs,workdir=/c/snapshots/7/work"
    put(
        "/proc/self/mountinfo",
        f"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n90 22 0:9 / {point} rw - overlay overlay rw,{overlay}\n",
    )
    put("/c/snapshots/1/fs/bin/su", mode=0o4755)
    put("/c/snapshots/1/fs/bin/replaced", mode=0o4755)
    put("/c/snapshots/6/fs/bin/replaced", mode=0o755)
    put("/c/snapshots/7/fs/bin/of_the_container", mode=0o4755)
    containers = [{"Id": "c0", "Image": "sha256:aa"}, {"Id": "c1", "Image": "sha256:aa"}]
    scanner = LayerScanner(files, "/var/lib/docker", containers)
    inspection = {"Id": "sha256:aa", "GraphDriver": {"Name": "overlayfs", "Data": None}}
    assert scanner.setuid_files(inspection) == ["/bin/su"]
    with pytest.raises(UnreadableError, match="while a container of the image runs"):
        scanner.setuid_files({**inspection, "Id": "sha256:bb"})


def test_a_scan_has_an_end(files: LocalFileSystem, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_layers.ENTRY_LIMIT", 3
    )
    for number in range(5):
        put(f"/var/lib/docker/overlay2/top/diff/{number}")
    with pytest.raises(UnreadableError, match="more than 3 files"):
        scan(files, layers("top"))


def test_looks_for_what_upper_layers_hide_have_an_end(
    files: LocalFileSystem, put: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_layers.ENTRY_LIMIT", 20
    )
    uppers = [f"upper{number}" for number in range(3)]
    for name in uppers:
        put(f"/var/lib/docker/overlay2/{name}/diff/file")
    put("/var/lib/docker/overlay2/base/diff/1/2/3/4/5/6/su", mode=0o4755)
    with pytest.raises(UnreadableError, match="more than 20 files"):
        scan(files, layers(*uppers, "base"))


def test_a_scan_without_the_right_to_read_is_told(files: LocalFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Answers({**INSPECTION, **layers("top")})
    found = collect(files, reader, [ENTRY], deep_scan=True)[0]
    assert found["deep_scanned"] is True
    assert "overlay2/top/diff" in found["unreadable"]["setuid_files"]
