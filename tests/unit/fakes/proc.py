# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host's /proc below a directory, as LocalFileSystem(root) reads it.

from __future__ import annotations

from pathlib import Path

BOOT_TIME = 1_700_000_000
TICKS = 100
_STATUS = {
    "Groups": "0",
    "NSpid": "{pid}",
    "Uid": "0\t0\t0\t0",
    "CapBnd": "00000000a80425fb",
    "NoNewPrivs": "0",
    "Seccomp": "2",
}


def write(root: Path, path: str, text: str) -> Path:
    """Write a file of the host and return where it is."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def process(
    root: Path,
    pid: int,
    command: str,
    parent: int = 1,
    cgroup: str = "/",
    started: int = BOOT_TIME,
    uid_map: str = "0 0 4294967295",
    **status: str,
) -> Path:
    """Add a process and return its directory; `status` overrides fields of /proc/PID/status."""
    write(root, "/proc/stat", f"cpu 1 2 3\nbtime {BOOT_TIME}\n")
    base = f"/proc/{pid}"
    ticks = (started - BOOT_TIME) * TICKS
    write(root, f"{base}/stat", f"{pid} ({command}) S {parent} " + "0 " * 17 + f"{ticks} 0 0\n")
    write(root, f"{base}/cgroup", f"12:pids:{cgroup}\n0::{cgroup}\n")
    fields = {"Name": command, **_STATUS, **status}
    write(root, f"{base}/status", "".join(f"{name}:\t{text}\n" for name, text in fields.items()).format(pid=pid))
    write(root, f"{base}/uid_map", uid_map + "\n")
    return root / f"proc/{pid}"


def dockerd(root: Path, *arguments: str, pid: int = 700, environment: str = "", **options: str) -> Path:
    """Add a dockerd with arguments and an environment of NUL-separated entries."""
    directory = process(root, pid, "dockerd", **options)
    write(root, f"/proc/{pid}/cmdline", "\0".join(("/usr/bin/dockerd", *arguments)) + "\0")
    write(root, f"/proc/{pid}/environ", environment)
    return directory
