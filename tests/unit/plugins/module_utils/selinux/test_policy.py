# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import bz2
from pathlib import Path
from typing import Callable, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.container_types import parse, render
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.policy import (
    BOOLEAN,
    FILES,
    MODULE,
    PORT,
    SAME_AS,
    Label,
    PolicyHost,
    pattern,
)

Write = Callable[[str, str], None]
STORE = "/var/lib/selinux/default/active"
CONTEXTS = "/etc/selinux/default/contexts/files"
SHOP = {"name": "shop_t", "network": True, "capabilities": [], "readable": [], "writable": [], "rules": []}
WANTED = {
    (FILES, "/srv/a(/.*)?"): "container_file_t:s0",
    (SAME_AS, "/data/docker"): "/var/lib/docker",
    (BOOLEAN, "container_use_nfs"): "1",
    (PORT, "tcp 5000"): "http_port_t",
    (MODULE, "breakwater"): "(type shop_t)\n",
}


class Semanage:
    """Remembers the batches that it is given; refuses a text with `bad` in it."""

    def __init__(self) -> None:
        self.batches: list[str] = []
        self.modules: list[str] = []
        self.relabelled: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        if argv[0] == "restorecon":
            self.relabelled.extend(argv[3:])
            return CommandResult(0, "", "")
        batch = Path(argv[-1]).read_text()
        self.modules.extend(Path(line.split()[-1]).read_text() for line in batch.splitlines() if "module -a" in line)
        self.batches.append(batch)
        failed = "bad" in batch
        return CommandResult(int(failed), "", "noise\nValueError: Type bad_t is invalid\n" if failed else "")


def have_all(write: Write, tmp_path: Path) -> None:
    """Make the host have what WANTED says, as libsemanage writes it."""
    write(f"{CONTEXTS}/file_contexts.local", "# auto\n\n/srv/a(/.*)?    system_u:object_r:container_file_t:s0\n")
    write(f"{CONTEXTS}/file_contexts.subs", "/data/docker /var/lib/docker\n")
    write(f"{STORE}/booleans.local", "# auto\ncontainer_use_nfs=1\n")
    write("/sys/fs/selinux/booleans/container_use_nfs", "1 1")
    write(f"{STORE}/ports.local", "portcon tcp 5000 system_u:object_r:http_port_t:s0\n")
    write(f"{STORE}/modules/400/breakwater/cil", "")
    (tmp_path / f"{STORE[1:]}/modules/400/breakwater/cil").write_bytes(bz2.compress(b"(type shop_t)\n"))


def test_everything_is_added_in_one_transaction(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    write("/sys/fs/selinux/booleans/container_use_nfs", "0 0")
    changes = host.changes(WANTED)
    assert set(changes) == set(WANTED)
    host.apply(WANTED, changes)
    [batch] = commands.batches
    assert batch.startswith("module -a /")
    assert batch.split("\n", 1)[1] == (
        "fcontext -a -t container_file_t -r s0 '/srv/a(/.*)?'\nfcontext -a -e /var/lib/docker '/data/docker'\n"
        "boolean -m -1 container_use_nfs\nport -a -t http_port_t -p tcp 5000\n"
    )
    assert commands.modules == ["(type shop_t)\n"]
    have_all(write, tmp_path)
    assert host.changes(WANTED) == {}


def test_what_is_ours_is_taken_back_and_the_rest_is_kept(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    write("/sys/fs/selinux/booleans/container_use_nfs", "0 0")
    host.apply(WANTED, host.changes(WANTED))
    have_all(write, tmp_path)
    write(f"{CONTEXTS}/file_contexts.subs", "/data/docker /var/lib/docker\n/theirs /var/lib/docker\n")
    changes = host.changes({})
    assert changes[BOOLEAN, "container_use_nfs"] == ("1", "0")
    host.apply({}, changes)
    assert sorted(commands.batches[1].splitlines()) == [
        "boolean -m -0 container_use_nfs",
        "fcontext -d '/data/docker'",
        "fcontext -d '/srv/a(/.*)?'",
        "module -r breakwater",
        "port -d -p tcp 5000",
    ]
    assert host.recorded() == {}
    assert not (tmp_path / "var/lib/breakwater/selinux-policy.json").exists()


def test_entries_that_were_there_already_stay(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    have_all(write, tmp_path)
    theirs = {key: value for key, value in WANTED.items() if key[0] != MODULE}
    for wanted in (theirs, theirs, {}):
        assert {key for key in host.changes(wanted) if key[0] != MODULE} == set()
        host.apply(wanted, {})
    assert commands.batches == []
    assert host.recorded() == {}


def test_entries_that_were_changed_get_their_former_values(
    files: LocalFileSystem, write: Write, tmp_path: Path
) -> None:
    def entries(label: str, target: str, port: str, unlabelled: str) -> None:
        write(f"{CONTEXTS}/file_contexts.local", f"/srv/a(/.*)?    {label}\n/srv/b(/.*)?    {unlabelled}\n")
        write(f"{CONTEXTS}/file_contexts.subs", f"/data/docker {target}\n")
        write(f"{STORE}/ports.local", f"portcon tcp 5000 system_u:object_r:{port}:s0\n")

    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    entries("system_u:object_r:httpd_sys_content_t:s0:c7", "/var/lib/other", "http_cache_port_t", "<<none>>")
    wanted = {key: WANTED[key] for key in WANTED if key[0] not in (MODULE, BOOLEAN)}
    wanted[FILES, "/srv/b(/.*)?"] = "container_file_t:s0"
    host.apply(wanted, host.changes(wanted))
    ours = "system_u:object_r:container_file_t:s0"
    entries(ours, "/var/lib/docker", "http_port_t", ours)
    assert host.changes(wanted) == {}
    host.apply(wanted, {})
    host.apply({}, host.changes({}))
    assert [sorted(batch.splitlines()) for batch in commands.batches] == [
        [
            "fcontext -m -e /var/lib/docker '/data/docker'",
            "fcontext -m -t container_file_t -r s0 '/srv/a(/.*)?'",
            "fcontext -m -t container_file_t -r s0 '/srv/b(/.*)?'",
            "port -m -t http_port_t -p tcp 5000",
        ],
        [
            "fcontext -m -e /var/lib/other '/data/docker'",
            "fcontext -m -t <<none>> '/srv/b(/.*)?'",
            "fcontext -m -t httpd_sys_content_t -r s0:c7 '/srv/a(/.*)?'",
            "port -m -t http_cache_port_t -p tcp 5000",
        ],
    ]


def test_entry_for_one_kind_of_file_is_another_one(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    write(f"{CONTEXTS}/file_contexts.local", "/srv/a(/.*)?    -d    system_u:object_r:container_file_t:s0\n")
    commands = Semanage()
    wanted = {(FILES, "/srv/a(/.*)?"): "container_file_t:s0"}
    host = PolicyHost(commands, str(tmp_path))
    host.apply(wanted, host.changes(wanted))
    assert commands.batches == ["fcontext -a -t container_file_t -r s0 '/srv/a(/.*)?'\n"]
    assert host.changes({}) == {}, "what is there now is somebody else's"


def test_changed_values_are_modified(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    have_all(write, tmp_path)
    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    wanted = {(FILES, "/srv/a(/.*)?"): "container_ro_file_t:s0:c1", (PORT, "tcp 5000"): "http_cache_port_t"}
    host.apply(wanted, host.changes(wanted))
    assert commands.batches == [
        "fcontext -m -t container_ro_file_t -r s0:c1 '/srv/a(/.*)?'\nport -m -t http_cache_port_t -p tcp 5000\n"
    ]


def test_module_of_a_user_comes_before_what_may_name_its_types(files: LocalFileSystem, tmp_path: Path) -> None:
    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    wanted = {(FILES, "/srv/a(/.*)?"): "notes_t:s0", (MODULE, "breakwater_notes"): "(type notes_t)"}
    host.apply(wanted, host.changes(wanted))
    assert [batch.split()[0] for batch in commands.batches] == ["module", "fcontext"]


def test_refusal_is_told_and_remembered(files: LocalFileSystem, tmp_path: Path) -> None:
    host = PolicyHost(Semanage(), str(tmp_path))
    wanted = {(FILES, "/srv/a(/.*)?"): "bad_t:s0"}
    with pytest.raises(BreakwaterError, match=r"ValueError: Type bad_t is invalid The former policy is in effect"):
        host.apply(wanted, host.changes(wanted))
    assert list(host.recorded()) == [(FILES, "/srv/a(/.*)?")]


def test_directories_are_labelled_by_their_own_label(
    files: LocalFileSystem, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {
        "private": "system_u:object_r:container_file_t:s0:c3,c4",
        "wrong": "system_u:object_r:var_t:s0",
        "tenant": "system_u:object_r:container_file_t:s0:c1,c2",
    }

    def label(path: str, _name: str) -> bytes:
        name = Path(path).name
        if name == "missing":
            raise FileNotFoundError
        if name == "unlabelled":
            raise OSError(61, "No data available")
        return known[name].encode() + b"\0"

    monkeypatch.setattr("os.getxattr", label)
    commands = Semanage()
    host = PolicyHost(commands, str(tmp_path))
    labels = [Label(f"/srv/{name}", "container_file_t", "s0") for name in ("private", "wrong", "missing", "unlabelled")]
    labels.append(Label("/srv/tenant", "container_file_t", "s0:c1,c2"))
    labels.append(Label("/srv/private", "container_file_t", "s0:c1,c2"))
    assert host.mislabelled(labels) == [], "the kernel labels nothing before it runs SELinux"
    write("/sys/fs/selinux/enforce", "0")
    found = host.mislabelled(labels)
    assert found == ["/srv/wrong", "/srv/unlabelled", "/srv/private"]
    host.relabel(found)
    assert commands.relabelled == found


def test_paths() -> None:
    assert pattern("/srv/a.b") == r"/srv/a\.b(/.*)?"
    for path in ("srv", "/", "/srv/", "/srv/a b", "/srv/'a'", "/srv/../etc", "/srv\n-d"):
        with pytest.raises(InputError, match="can't be labelled"):
            pattern(path)


def test_container_type() -> None:
    text = render([parse({**SHOP, "capabilities": ["CHOWN", "cap_bpf"], "readable": ["notes_t"]})], True, False)
    assert "(deny container_domain domain (alg_socket (create)))\n" in text
    assert "(typeattributeset mcs_constrained_type (shop_t))" in text
    assert "(typeattributeset container_net_domain (shop_t))" in text
    assert "(allow shop_t self (capability (chown)))" in text
    assert "(allow shop_t self (cap2_userns (bpf)))" in text
    assert "write" not in text
    assert "container_net_domain" not in render([parse({**SHOP, "network": False})], False, False)
    assert "(allow shop_t notes_t (dir (" in render([parse({**SHOP, "writable": ["notes_t"]})], False, False)
    assert render([], False, False) == ""
    assert render([], False, True).startswith("(optional breakwater_network_credentials (allow systemd_networkd_t ")


@pytest.mark.parametrize(
    "change",
    [{"name": "Shop"}, {"name": "container_t"}, {"name": "a) (b_t"}, {"capabilities": ["ALL"]}, {"readable": ["x)"]}],
)
def test_what_can_be_no_container_type(change: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"Nothing was changed\."):
        parse({**SHOP, **change})
