# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Scans a host, its images and its containers, and returns what the scanners wrote, unread: it may be hostile.

from __future__ import annotations

import base64
import contextlib
import gzip
import json
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists
from ansible_collections.breakwater.docker.plugins.module_utils.host_state import os_release
from ansible_collections.breakwater.docker.plugins.module_utils.ports import (
    CommandRunner,
    FileSystem,
    LocalFileSystem,
)
from ansible_collections.breakwater.docker.plugins.module_utils.scan import archive, scanners
from ansible_collections.breakwater.docker.plugins.module_utils.scan.state import ScanState, key_of
from ansible_collections.breakwater.docker.plugins.module_utils.scan.subjects import Options, Subject
from ansible_collections.breakwater.docker.plugins.module_utils.scan.tree import Tree

#: Where Debian's and Red Hat's packages of the SCAP Security Guide put their data streams.
GUIDES = "/usr/share/xml/scap/ssg/content"
NO_GUIDE = "none"
#: Bytes that a scan leaves free on the disk.
_RESERVE = 512 << 20
_NOTHING = "there is nothing to compare it with; give definitions, or another scanner."
#: An archive and what is unpacked of it, with what directories take.
_SIZES, _EXTRA = 2, 64 << 20


def guide_of(files: FileSystem, distribution: str, release: str) -> str | None:
    """Return the SCAP Security Guide of a platform where one is installed."""
    versions = dict.fromkeys((release.replace(".", ""), release.partition(".")[0], ""))
    paths = (f"{GUIDES}/ssg-{distribution}{version}-ds.xml" for version in versions)
    return next((path for path in paths if exists(files, path)), None)


class HostScan:
    """Runs the scanners over subjects; each result is a mapping for the controller."""

    def __init__(
        self, options: Options, commands: CommandRunner, socket_path: str, state: ScanState, guide: str | None
    ) -> None:
        """`guide` is the path of the guide for the host, None where its platform has none here."""
        self._options = options
        self._commands = commands
        self._socket = socket_path
        self._state = state
        self._guide = guide

    def run(self, chosen: Sequence[Subject]) -> list[dict[str, Any]]:
        """Scan each subject; what a scanner can't do is told as the reason in its result."""
        results = [result for subject in chosen for result in self._scan(subject)]
        self._state.forget_others()
        return results

    def _scan(self, subject: Subject) -> Iterator[dict[str, Any]]:
        jobs = {"host": self._of_host, "image": self._of_image, "container": self._of_container}
        results = list(jobs[subject.type](subject))
        yield from results
        # A bill of materials lists what is there, and a guide that is not installed compares nothing.
        if all(result.get("sbom") or result.get("no_guide") for result in results):
            yield {**self._attempt(subject, "openscap", "oval", dict), "reason": _NOTHING}

    def _attempt(self, subject: Subject, name: str, form: str, work: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        told = {"type": subject.type, "id": subject.id, "name": subject.name, "scanner": name, "format": form}
        try:
            return {**told, "reason": "", **work()}
        except (BreakwaterError, OSError) as error:
            return {**told, "reason": str(error)}

    def _of_host(self, subject: Subject) -> Iterator[dict[str, Any]]:
        if self._guide is None:
            yield {**self._attempt(subject, "openscap", "xccdf", dict), "no_guide": True}
        elif self._guide != NO_GUIDE:
            yield self._attempt(subject, "openscap", "xccdf", partial(self._judged, self._guide))
        for path in self._options.definitions:
            yield self._attempt(subject, "openscap", "oval", partial(self._evaluated, path, None))

    def _judged(self, guide: str) -> dict[str, Any]:
        scanners.openscap(self._commands)
        with self._state.room() as room:
            output = room / "results.xml"
            scanners.judge(self._commands, guide, self._options.profile, output, self._options.timeout)
            return _packed(scanners.written(output))

    def _evaluated(self, definitions: str, root: Path | None) -> dict[str, Any]:
        scanners.openscap(self._commands)
        with self._state.room() as room:
            output = room / "results.xml"
            scanners.evaluate(self._commands, definitions, root, output, self._options.timeout)
            return {**_packed(scanners.written(output)), "system": _system(root)}

    def _of_container(self, subject: Subject) -> Iterator[dict[str, Any]]:
        # Nothing is kept of a container's own files, since they change.
        if not self._options.definitions:
            return
        with self._state.room() as room:
            root = room / "root"
            root.mkdir(mode=0o700)
            unpacked = self._attempt(subject, "openscap", "oval", partial(self._exported, subject, root))
            if unpacked["reason"]:
                yield unpacked
                return
            for path in self._options.definitions:
                yield self._attempt(subject, "openscap", "oval", partial(self._evaluated, path, root))

    def _exported(self, subject: Subject, root: Path) -> dict[str, Any]:
        tree = Tree(root, self._state.free_bytes() - _RESERVE)
        with archive.export_container(self._socket, subject.id, self._options.timeout) as stream:
            tree.unpack_stream(stream)
        return {}

    def _of_image(self, subject: Subject) -> Iterator[dict[str, Any]]:
        with self._state.room() as room:
            files = _ImageFiles(self._socket, subject, room, self._state, self._options.timeout)
            if "openscap" in self._options.scanners:
                for path in self._options.definitions:
                    yield self._attempt(subject, "openscap", "oval", partial(self._oval_of_image, subject, path, files))
            for name in (name for name in scanners.TOOLS if name in self._options.scanners):
                yield self._attempt(subject, name, name, partial(self._by_tool, subject, name, files))
            if self._options.sbom != "none":
                yield {
                    **self._attempt(subject, "trivy", self._options.sbom, partial(self._sbom, subject, files)),
                    "sbom": True,
                }

    def _oval_of_image(self, subject: Subject, path: str, files: _ImageFiles) -> dict[str, Any]:
        identity = {"version": scanners.openscap(self._commands), "content": scanners.content(path)}

        def work() -> bytes:
            with self._state.room() as room:
                output = room / "results.xml"
                scanners.evaluate(self._commands, path, files.root(), output, self._options.timeout)
                return scanners.written(output)

        told = self._cached(subject, {"scanner": "openscap", **identity}, work)
        system, _cached = self._kept(subject, {"system": "1"}, lambda: json.dumps(_system(files.root())).encode())
        return {**told, "system": json.loads(gzip.decompress(system))}

    def _by_tool(self, subject: Subject, name: str, files: _ImageFiles) -> dict[str, Any]:
        tool = scanners.TOOLS[name](self._commands)
        told = {"version": tool.version, "content": tool.content, "content_date": tool.content_date}

        def work() -> bytes:
            commands, limit = self._commands, self._options.timeout
            if name == "clair":
                return scanners.report_of_clair(commands, self._options.clair_server, _by_digest(subject), limit)
            with self._state.room() as room:
                scanners.examine(commands, name, files.archive(), room / "output", limit)
                return scanners.written(room / "output")

        if not tool.data:
            return {**told, **_packed(work())}
        return {**told, **self._cached(subject, {"scanner": name, "version": tool.version, "data": tool.data}, work)}

    def _sbom(self, subject: Subject, files: _ImageFiles) -> dict[str, Any]:
        form = self._options.sbom
        version = scanners.trivy_version(self._commands)

        def work() -> bytes:
            with self._state.room() as room:
                scanners.examine(self._commands, form, files.archive(), room / "output", self._options.timeout)
                return scanners.written(room / "output")

        return self._cached(subject, {"sbom": form, "version": version}, work)

    def _cached(self, subject: Subject, identity: Mapping[str, str], work: Callable[[], bytes]) -> dict[str, Any]:
        data, cached = self._kept(subject, identity, work)
        return {"output": base64.b64encode(data).decode(), "cached": cached}

    def _kept(self, subject: Subject, identity: Mapping[str, str], work: Callable[[], bytes]) -> tuple[bytes, bool]:
        key = key_of({"image": subject.id, **identity})
        known = self._state.known(key)
        if known is not None:
            return known, True
        data = gzip.compress(work(), 6)
        self._state.keep(key, data)
        return data, False


class _ImageFiles:
    """An image's archive and files, made when a scanner needs them."""

    def __init__(self, socket_path: str, subject: Subject, room: Path, state: ScanState, timeout: float) -> None:
        self._socket = socket_path
        self._subject = subject
        self._room = room
        self._state = state
        self._timeout = timeout
        self._broken = ""

    def archive(self) -> Path:
        """Return the image as `docker save` writes it."""
        path = self._room / "image.tar"
        with self._remembered():
            if not path.exists():
                needed = 2 * _SIZES * self._subject.size + _EXTRA + _RESERVE
                if self._state.free_bytes() < needed:
                    raise BreakwaterError(f"the disk lacks {needed >> 20} MiB to unpack the image: free some")
                archive.save_image(self._socket, self._subject.id, path, self._timeout)
        return path

    def root(self) -> Path:
        """Return the image's root file system."""
        path = self._room / "root"
        with self._remembered():
            source = self.archive()
            if not path.exists():
                path.mkdir(mode=0o700)
                Tree(path, _SIZES * self._subject.size + _EXTRA).unpack_image(source)
        return path

    @contextlib.contextmanager
    def _remembered(self) -> Iterator[None]:
        """Let what failed once fail again: half an image has few flaws."""
        if self._broken:
            raise BreakwaterError(self._broken)
        try:
            yield
        except (BreakwaterError, OSError) as error:
            self._broken = str(error)
            raise


def _packed(data: bytes) -> dict[str, Any]:
    return {"output": base64.b64encode(gzip.compress(data, 6)).decode(), "cached": False}


def _system(root: Path | None) -> dict[str, str]:
    release = os_release(LocalFileSystem(str(root or "/")))
    return {name: release.get(name, "") for name in ("ID", "VERSION_ID", "VERSION_CODENAME")}


def _by_digest(subject: Subject) -> str:
    if not subject.reference:
        raise scanners.ScannerError("it was not pulled from a registry, where Clair would look for it")
    return subject.reference
