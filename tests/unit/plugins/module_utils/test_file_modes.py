# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.file_modes import apply, make_plan, shown


def put(root: Path, path: str, mode: int) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    place.chmod(mode)
    return place


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize(
    ("before", "limit", "after"),
    [
        (0o666, "0644", 0o644),
        (0o600, "0644", 0o600),
        (0o4755, "0755", 0o755),
        (0o606, "0660", 0o600),
        (0o444, "400", 0o400),
    ],
)
def test_permissions_are_only_taken_away(tmp_path: Path, before: int, limit: str, after: int) -> None:
    place = put(tmp_path, "etc/file", before)
    changes, _skipped = make_plan([{"path": "/etc/file", "mode": limit}], str(tmp_path))
    assert [change.path for change in changes] == ([str(place)] if before != after else [])
    apply(changes)
    assert mode_of(place) == after
    assert make_plan([{"path": "/etc/file", "mode": limit}], str(tmp_path)) == ([], [])


def test_first_entry_decides_and_missing_files_are_passed_over(tmp_path: Path) -> None:
    key, certificate = put(tmp_path, "certs/a.key", 0o644), put(tmp_path, "certs/a.crt", 0o644)
    entries = [
        {"path": "/nowhere/*", "mode": "0400"},
        {"path": "/certs/*.key", "mode": "0400"},
        {"path": "/certs/*", "mode": "0444"},
    ]
    changes, _skipped = make_plan(entries, str(tmp_path))
    apply(changes)
    assert (mode_of(key), mode_of(certificate)) == (0o400, 0o444)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_owners_and_what_is_shown(tmp_path: Path) -> None:
    place = put(tmp_path, "file", 0o640)
    os.chown(place, 5, 54321)
    changes, _skipped = make_plan([{"path": "/file", "owner": "root", "group": "root"}], str(tmp_path))
    assert shown(changes) == (f"{place} games:54321 0640\n", f"{place} root:root 0640\n")
    apply(changes)
    assert (place.stat().st_uid, place.stat().st_gid) == (0, 0)


def test_sockets_and_directories_count_and_masks_do_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        (tmp_path / "socket").chmod(0o666)
        (tmp_path / "directory").mkdir(0o777)
        (tmp_path / "directory").chmod(0o777)
        (tmp_path / "mask").symlink_to("/dev/null")
        changes, skipped = make_plan([{"path": "/*", "mode": "0750"}], str(tmp_path))
        apply(changes)
    assert skipped == []
    assert sorted(change.path for change in changes) == [str(tmp_path / name) for name in ("directory", "socket")]
    assert mode_of(tmp_path / "socket") == 0o640


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_links_of_others_lead_nowhere(tmp_path: Path) -> None:
    secret = put(tmp_path, "secret", 0o666)
    (tmp_path / "mine").symlink_to(secret)
    (tmp_path / "theirs").symlink_to(secret)
    os.lchown(tmp_path / "theirs", 5, 5)
    changes, skipped = make_plan([{"path": "/theirs", "mode": "0600"}], str(tmp_path))
    assert (changes, len(skipped)) == ([], 1)
    both = [{"path": "/mine", "mode": "0600"}, {"path": "/secret"}]
    changes, _skipped = make_plan(both, str(tmp_path))
    assert [change.path for change in changes] == [str(secret)]


def test_links_to_files_that_others_use_are_told_of(tmp_path: Path) -> None:
    shared, own = put(tmp_path, "etc/ssl/private/host.key", 0o640), put(tmp_path, "srv/docker/tls/ca.pem", 0o666)
    config = put(tmp_path, "srv/docker/daemon.json", 0o646)
    (tmp_path / "etc/docker").symlink_to(tmp_path / "srv/docker")
    (tmp_path / "etc/docker/server-key.pem").symlink_to(shared)
    (tmp_path / "etc/docker/ca.pem").symlink_to(own)
    (tmp_path / "etc/docker/closed-key.pem").symlink_to(put(tmp_path, "etc/ssl/closed.key", 0o400))
    entries = [
        {"path": "/etc/docker/*key*.pem", "mode": "0400"},
        {"path": "/etc/docker/*.pem", "mode": "0444"},
        {"path": "/etc/docker/*", "mode": "0744"},
        {"path": "/etc/docker", "mode": "0700"},
    ]
    (tmp_path / "srv/docker").chmod(0o755)
    changes, skipped = make_plan(entries, str(tmp_path))
    link = str(tmp_path / "etc/docker")
    assert [(item.path, f"it leads to {target}" in item.reason) for item, target in zip(skipped, (shared, "/"))] == [
        (f"{link}/server-key.pem", True),
        (link, True),
    ]
    assert sorted(change.path for change in changes) == [str(config), str(own.parent), str(own)]
    apply(changes)
    assert [mode_of(path) for path in (shared, own, config)] == [0o640, 0o444, 0o644]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"mode": "0888"}, "is no mode for /x: write octal digits"),
        ({"mode": "u=rw"}, "is no mode for /x"),
        ({"mode": "17777"}, "is no mode for /x"),
        ({"owner": "nobody-at-all"}, "There is no owner nobody-at-all for /x"),
        ({"group": "nobody-at-all"}, "There is no group nobody-at-all for /x"),
    ],
)
def test_wrong_input_is_refused(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        make_plan([{"path": "/x", **entry}])
