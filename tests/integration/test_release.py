# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A release as `make release` makes it: the same bytes from another clone, and a signature that ansible-galaxy checks.

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
VERSION = "9.9.9"
OWNER = "Release test <release@example.org>"


class Release(NamedTuple):
    """Two releases of one tag from two clones, and the public key."""

    first: Path
    second: Path
    clone: Path
    keyring: Path
    environment: dict[str, str]

    @property
    def tarball(self) -> Path:
        return self.first / f"breakwater-docker-{VERSION}.tar.gz"

    def verify(self, collections: Path) -> subprocess.CompletedProcess[str]:
        signature = f"file://{self.first}/breakwater-docker-{VERSION}.MANIFEST.json.asc"
        command = ["ansible-galaxy", "collection", "verify", "breakwater.docker", "--offline", "--signature", signature]
        command += ["--keyring", str(self.keyring), "--collections-path", str(collections)]
        return run(*command, environment=self.environment)


def run(*command: str, environment: dict[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """Release a version that does not exist in a clone, and build it again in a clone of that clone."""
    directory = tmp_path_factory.mktemp("release")
    gnupg = directory / "gnupg"
    gnupg.mkdir(mode=0o700)
    environment = {**os.environ, "GNUPGHOME": str(gnupg)}
    for role in ("AUTHOR", "COMMITTER"):
        environment |= {f"GIT_{role}_NAME": "Release test", f"GIT_{role}_EMAIL": "release@example.org"}

    def must(*command: str, cwd: Path | None = None) -> None:
        done = run(*command, environment=environment, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr

    must("gpg", "--batch", "--passphrase", "", "--quick-generate-key", OWNER, "ed25519", "sign", "never")
    try:
        must("gpg", "--batch", "--output", str(directory / "keyring.gpg"), "--export", OWNER)
        first, second = directory / "first", directory / "elsewhere/second"
        must("git", "clone", "--quiet", str(ROOT), str(first))
        script = str(ROOT / "tests/tools/release.py")
        must(sys.executable, script, VERSION, str(directory / "one"), "--key", OWNER, cwd=first)
        must("git", "clone", "--quiet", str(first), str(second))
        must(sys.executable, script, VERSION, str(directory / "two"), cwd=second)
        yield Release(directory / "one", directory / "two", first, directory / "keyring.gpg", environment)
    finally:
        run("gpgconf", "--kill", "gpg-agent", environment=environment)


def test_another_clone_gives_the_same_bytes(release: Release) -> None:
    assert (release.second / release.tarball.name).read_bytes() == release.tarball.read_bytes()
    assert run("sha256sum", "--check", "SHA256SUMS", environment=release.environment, cwd=release.first).returncode == 0


def test_fragments_have_become_the_changelog(release: Release) -> None:
    assert list((release.clone / "changelogs/fragments").glob("*.yml")) == []
    entry = yaml.safe_load((release.clone / "changelogs/changelog.yaml").read_text())["releases"][VERSION]
    fragments = {path.name for path in (ROOT / "changelogs/fragments").glob("*.yml")}
    assert fragments == set(entry["fragments"])
    assert f"v{VERSION}" in (release.clone / "CHANGELOG.rst").read_text()
    assert run("git", "status", "--porcelain", environment=release.environment, cwd=release.clone).stdout == ""


def test_tarball_holds_what_users_need_and_no_more(release: Release) -> None:
    with tarfile.open(release.tarball) as tarball:
        names = tarball.getnames()
        opened = tarball.extractfile("MANIFEST.json")
        assert opened
        assert json.load(opened)["collection_info"]["version"] == VERSION
    assert {name.partition("/")[0] for name in names} == {
        ".ansible-lint",
        "CHANGELOG.rst",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "SECURITY.md",
        "changelogs",
        "docs",
        "examples",
        "meta",
        "playbooks",
        "plugins",
        "requirements.txt",
        "roles",
    }
    assert [name for name in names if name.endswith((".pyc", "__pycache__", ".gz", ".img", ".qcow2"))] == []


def test_signed_checksums_tell_a_changed_tarball(release: Release, tmp_path: Path) -> None:
    names = (release.tarball.name, "SHA256SUMS", "SHA256SUMS.asc")
    for name in names:
        (tmp_path / name).write_bytes((release.first / name).read_bytes())
    verify = ("gpg", "--verify", "SHA256SUMS.asc", "SHA256SUMS")
    check = ("sha256sum", "--check", "SHA256SUMS")
    for command in (verify, check):
        assert run(*command, environment=release.environment, cwd=tmp_path).returncode == 0
    with (tmp_path / release.tarball.name).open("ab") as tarball:
        tarball.write(b"\0")
    assert run(*check, environment=release.environment, cwd=tmp_path).returncode == 1
    done = run("sha256sum", release.tarball.name, environment=release.environment, cwd=tmp_path)
    (tmp_path / "SHA256SUMS").write_text(done.stdout)
    assert run(*check, environment=release.environment, cwd=tmp_path).returncode == 0
    assert run(*verify, environment=release.environment, cwd=tmp_path).returncode == 1


def test_ansible_galaxy_verifies_what_is_installed(release: Release, tmp_path: Path) -> None:
    command = ["ansible-galaxy", "collection", "install", str(release.tarball), "--no-deps", "--collections-path"]
    done = run(*command, str(tmp_path), environment=release.environment)
    assert done.returncode == 0, done.stderr
    installed = tmp_path / "ansible_collections/breakwater/docker"
    done = release.verify(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    tasks = installed / "roles/docker_engine/tasks/main.yml"
    content = tasks.read_text()
    tasks.write_text("---\n")
    done = release.verify(tmp_path)
    assert done.returncode == 1
    assert "roles/docker_engine/tasks/main.yml" in done.stdout
    tasks.write_text(content)
    assert release.verify(tmp_path).returncode == 0

    manifest = json.loads((installed / "MANIFEST.json").read_text())
    manifest["collection_info"]["authors"] = ["Somebody else"]
    (installed / "MANIFEST.json").write_text(json.dumps(manifest))
    done = release.verify(tmp_path)
    assert done.returncode == 1
    assert "Signature verification failed" in done.stdout
