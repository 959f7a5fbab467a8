# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.scan import tree
from ansible_collections.breakwater.docker.plugins.module_utils.scan.tree import Tree, TreeError

DIR, LINK, HARD, PIPE = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE


def entry(name: str, content: str = "", kind: bytes = tarfile.REGTYPE, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    data = content.encode()
    member.type, member.size, member.mode = kind, len(data), 0o755 if kind == DIR else 0o644
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def packed(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        for member, data in entries:
            made.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def archive(path: Path, *layers: bytes, manifest: Any = None) -> Path:
    names = [f"blobs/sha256/{number}" for number in range(len(layers))]
    files = dict(zip(names, layers))
    files["manifest.json"] = json.dumps(manifest or [{"Config": "x", "Layers": names}]).encode()
    with tarfile.open(path, "w") as made:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def unpacked(root: Path, *layers: bytes, max_bytes: int = 1 << 20) -> dict[str, str]:
    Tree(root, max_bytes).unpack_image(archive(root.parent / "image.tar", *layers))
    assert (root.parent / "outside").read_text() == "secret"
    assert sorted(path.name for path in root.parent.iterdir()) == ["image.tar", "outside", "root"]
    return {
        str(path.relative_to(root)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_upper_layers_replace_and_hide(root: Path) -> None:
    lower = packed(
        entry("etc", kind=DIR),
        entry("etc/kept", "1"),
        entry("etc/replaced", "1"),
        entry("etc/removed", "1"),
        entry("opaque", kind=DIR),
        entry("opaque/old", "1"),
        entry("gone/below", "1"),
    )
    upper = packed(
        entry("opaque/new", "2"),
        entry("opaque/.wh..wh..opq"),
        entry("etc/.wh.removed"),
        entry("etc/replaced", "2"),
        entry(".wh.gone"),
    )
    found = unpacked(root, lower, gzip.compress(upper))
    assert found == {"etc/kept": "1", "etc/replaced": "2", "opaque/new": "2"}


def test_modes_and_times_are_those_of_the_image(root: Path) -> None:
    unpacked(root, packed(entry("su", "x", mode=0o4755, mtime=1_000_000_000)))
    status = (root / "su").stat()
    assert (oct(status.st_mode & 0o7777), int(status.st_mtime)) == ("0o4755", 1_000_000_000)


@pytest.mark.parametrize("name", ["../outside", "/../outside", "a/../../outside", "..", "/", ".", ""])
def test_no_name_leads_out(root: Path, name: str) -> None:
    assert unpacked(root, packed(entry(name or "./", "owned"))) == {}


@pytest.mark.parametrize("name", [".wh...", ".wh..", "a/.wh...", ".wh...wh.", "../.wh.outside", "a/../../.wh.outside"])
def test_no_whiteout_leads_out(root: Path, name: str) -> None:
    assert unpacked(root, packed(entry("kept", "1")), packed(entry(name))) == {"kept": "1"}


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("/etc/shadow", "../etc/shadow"),
        ("../../../../etc/shadow", "../etc/shadow"),
        ("/", ".."),
        ("..", ".."),
        ("file", "file"),
        ("/a/b/../../../..", ".."),
    ],
)
def test_no_link_leads_out(root: Path, target: str, inside: str) -> None:
    assert unpacked(root, packed(entry("dir/link", kind=LINK, linkname=target))) == {"dir/link": f"-> {inside}"}


def test_nothing_is_written_through_a_link(root: Path) -> None:
    layer = packed(
        entry("up", kind=LINK, linkname="/"),
        entry("up/written", "1"),
        entry("file", kind=LINK, linkname="/outside"),
        entry("file", "replaces the link"),
    )
    assert unpacked(root, layer) == {"up": "-> .", "file": "replaces the link"}


def test_hard_links_stay_inside(root: Path) -> None:
    layer = packed(
        entry("a", "1"),
        entry("same", kind=HARD, linkname="a"),
        entry("out", kind=HARD, linkname="../outside"),
        entry("link", kind=LINK, linkname="/a"),
        entry("through", kind=HARD, linkname="link"),
        entry("none", kind=HARD, linkname="none"),
    )
    assert unpacked(root, layer) == {"a": "1", "same": "1", "link": "-> a"}


def test_pipes_and_devices_are_left_out(root: Path) -> None:
    assert unpacked(root, packed(entry("p", kind=PIPE), entry("d", kind=tarfile.BLKTYPE))) == {}


def test_a_directory_and_a_file_may_change_places(root: Path) -> None:
    lower = packed(entry("x/y", "1"), entry("z", "1"))
    assert unpacked(root, lower, packed(entry("x", "2"), entry("z/y", "2"))) == {"x": "2", "z": "1"}


def test_more_than_the_engine_says_is_refused(root: Path) -> None:
    with pytest.raises(TreeError, match="more than the engine says"):
        unpacked(root, packed(entry("a", "x" * 600), entry("b", "x" * 600)), max_bytes=1000)


def test_too_many_files_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "ENTRY_LIMIT", 3)
    with pytest.raises(TreeError, match="more than 3 files"):
        unpacked(root, packed(*(entry(str(number)) for number in range(4))))


@pytest.mark.parametrize(
    "layer", [b"\x28\xb5\x2f\xfd" + b"zstd" * 200, b"not a tar" * 200, packed(entry("a", "x"))[:700]]
)
def test_a_layer_that_cannot_be_read_is_told(root: Path, layer: bytes) -> None:
    with pytest.raises(TreeError):
        unpacked(root, layer)


@pytest.mark.parametrize("manifest", [{"x": 1}, [{}], ["x"], [{"Layers": ["missing"]}], [{"Layers": 1}]])
def test_a_damaged_archive_is_told(root: Path, manifest: Any) -> None:
    path = archive(root.parent / "image.tar", manifest=manifest)
    with pytest.raises(TreeError):
        Tree(root, 1000).unpack_image(path)


def test_a_container_comes_as_a_stream(root: Path) -> None:
    stream = io.BytesIO(packed(entry("etc/a", "1"), entry("etc/b", kind=HARD, linkname="etc/a")))
    Tree(root, 1000).unpack_stream(stream)
    assert (root / "etc/b").read_text() == "1"
