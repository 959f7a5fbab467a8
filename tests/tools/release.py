# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Release the collection: version, changelog, commit and tag; then the tarball, its checksum and signatures.

`release.py VERSION OUTPUT [--key KEY]` makes the release commit unless its tag exists, and builds from the tag:
whoever has the repository can build a release again and compare, for the same tag gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


class ReleaseError(Exception):
    """The release can't be made; the message says what to do."""


def output_of(*command: str, directory: Path) -> str:
    """Return what a command prints.

    Raises:
        ReleaseError: It failed; its own messages are on the terminal.
    """
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command)}` failed with exit code {done.returncode}.")
    return done.stdout.strip()


def make_commit(repository: Path, version: str, key: str | None) -> None:
    """Set the version, turn the fragments into the changelog, commit both and tag the commit."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ReleaseError(f"`{version}` is not a version: give three numbers as in VERSION=1.0.0.")
    if output_of("git", "status", "--porcelain", directory=repository):
        raise ReleaseError("The checkout has changes that are not committed: commit or stash them first.")
    described = repository / "galaxy.yml"
    described.write_text(re.sub(r"(?m)^version: .*$", f"version: {version}", described.read_text()))
    output_of("antsibull-changelog", "release", "--version", version, directory=repository)
    output_of("git", "add", "--all", "galaxy.yml", "CHANGELOG.rst", "changelogs", directory=repository)
    output_of("git", "commit", "--message", f"Release {version}", directory=repository)
    signed = ["--local-user", key] if key else ["--annotate"]
    output_of("git", "tag", *signed, "--message", f"Release {version}", f"v{version}", directory=repository)


def build(repository: Path, revision: str, output: Path) -> Path:
    """Build the tarball of a revision and return its path. It holds what is committed, and no trace of time and place.

    The bytes are the same wherever Python's zlib compresses alike; the files in it always are.
    """
    seconds = int(output_of("git", "log", "-1", "--format=%ct", revision, directory=repository))
    with tempfile.TemporaryDirectory() as name:
        checkout = Path(name) / "checkout"
        checkout.mkdir()
        exported = Path(name) / "checkout.tar"
        output_of("git", "archive", "--output", str(exported), revision, directory=repository)
        output_of("tar", "--extract", "--file", str(exported), directory=checkout)
        output_of("ansible-galaxy", "collection", "build", "--output-path", name, directory=checkout)
        [built] = Path(name).glob("*.tar.gz")
        output.mkdir(parents=True, exist_ok=True)
        path = output / built.name
        path.write_bytes(normalised(built.read_bytes(), seconds))
    return path


def normalised(tarball: bytes, seconds: int) -> bytes:
    """Return a collection's tarball with its files in order and of one time, and its manifest true again.

    Args:
        tarball: What `ansible-galaxy collection build` made: files as the directory lists them, and the present time.
        seconds: The time to note, since 1970.
    """
    with tarfile.open(fileobj=io.BytesIO(tarball)) as source:
        members = [(member, source.extractfile(member)) for member in source]
        contents = {member.name: opened.read() for member, opened in members if opened}
    files = json.loads(contents["FILES.json"])
    files["files"].sort(key=lambda entry: entry["name"])
    contents["FILES.json"] = json.dumps(files, indent=1).encode()
    manifest = json.loads(contents["MANIFEST.json"])
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(contents["FILES.json"]).hexdigest()
    contents["MANIFEST.json"] = json.dumps(manifest, indent=1).encode()

    packed = io.BytesIO()
    compressed = gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=seconds)
    with compressed, tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as target:
        # ansible-galaxy reads the manifest first.
        for member, _opened in sorted(members, key=lambda pair: (pair[0].name != "MANIFEST.json", pair[0].name)):
            written = tarfile.TarInfo(member.name)
            written.type, written.mode, written.mtime, written.linkname = (
                member.type,
                member.mode,
                seconds,
                member.linkname,
            )
            content = contents.get(member.name, b"")
            written.size = len(content)
            target.addfile(written, io.BytesIO(content))
    return packed.getvalue()


def sign(tarball: Path, key: str | None) -> list[Path]:
    """Write SHA256SUMS and, with a key, the signatures of it and of the manifest; return what was written.

    Args:
        tarball: The built collection.
        key: Name, address or fingerprint of a secret key that gpg has.
    """
    sums = tarball.parent / "SHA256SUMS"
    sums.write_text(f"{hashlib.sha256(tarball.read_bytes()).hexdigest()}  {tarball.name}\n")
    if not key:
        return [sums]
    command = ["gpg", "--batch", "--yes", "--armor", "--local-user", key, "--output"]
    manifest = tarball.parent / f"{tarball.name.removesuffix('.tar.gz')}.MANIFEST.json.asc"
    with tarfile.open(tarball) as source:
        signed = source.extractfile("MANIFEST.json")
        if signed is None:
            raise ReleaseError(f"{tarball} has no MANIFEST.json.")
        subprocess.run([*command, str(manifest), "--detach-sign"], input=signed.read(), check=True)
    of_sums = sums.with_name(f"{sums.name}.asc")
    subprocess.run([*command, str(of_sums), "--detach-sign", str(sums)], check=True)
    return [sums, manifest, of_sums]


def main() -> None:
    """Release as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="as in galaxy.yml, three numbers")
    parser.add_argument("output", type=Path, help="the directory for the files")
    parser.add_argument("--key", help="the gpg key that signs")
    arguments = parser.parse_args()
    repository = Path.cwd()
    tag = f"v{arguments.version}"
    try:
        if not output_of("git", "tag", "--list", tag, directory=repository):
            make_commit(repository, arguments.version, arguments.key)
        tarball = build(repository, tag, arguments.output)
        written = [tarball, *sign(tarball, arguments.key)]
    except ReleaseError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"`{' '.join(error.cmd)}` failed with exit code {error.returncode}: is its secret key at hand?")
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
