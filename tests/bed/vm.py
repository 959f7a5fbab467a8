"""Start and stop virtual machines of the test bed, whose disks vm_image.sh makes.

vm.py start NAME DISK: boots a machine on a copy of a disk (debian13), beside a blank one, and prints, as JSON, the port
of 127.0.0.1 and the key by which ssh reaches its root; so does `ssh -F .cache/bed/vm/NAME/ssh_config NAME`.
vm.py stop NAME: ends it and removes its disk.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

VM = Path(__file__).parents[2] / ".cache/bed/vm"
#: More at a time would only slow each other down, and fill the memory (2 GiB each).
MACHINES = 2
SLOT_SECONDS = 900
BOOT_SECONDS = 420
STOP_SECONDS = 20
#: The second disk's size; it takes no space before it is written to.
BLANK_DISK = "4G"

SSH_CONFIG = """\
Host {name}
    HostName 127.0.0.1
    Port {port}
    User root
    IdentityFile {key}
    IdentitiesOnly yes
    BatchMode yes
    ConnectTimeout 10
    UserKnownHostsFile /dev/null
    StrictHostKeyChecking no
    LogLevel ERROR
"""


def wait_for_slot() -> IO[str]:
    """Return a locked file that QEMU inherits: its lock is gone when QEMU is, however it ends."""
    deadline = time.monotonic() + SLOT_SECONDS
    while time.monotonic() < deadline:
        for number in range(MACHINES):
            slot = (VM / f"slot-{number}").open("w", encoding="utf-8")
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                slot.close()
            else:
                return slot
        time.sleep(1)
    raise SystemExit(f"{MACHINES} virtual machines have been running for {SLOT_SECONDS} s: stop one (vm.py stop NAME).")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def boot(name: str, disk: str, place: Path, port: int) -> subprocess.Popen[bytes]:
    """Start QEMU, detached from this process; systemd reads the machine's name and key from the BIOS's tables."""
    key = base64.b64encode((VM / "key.pub").read_bytes()).decode()
    own, blank, source = place / "disk.qcow2", place / "blank.qcow2", VM / disk
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, "-b", f"{source}.raw", "-F", "raw", str(own)], check=True)
    subprocess.run([*create, str(blank), BLANK_DISK], check=True)
    # no KVM: what the tests see must not depend on the machine that they run on
    command = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-machine", "q35", "-accel", "tcg,thread=multi"]
    command += ["-cpu", "max", "-smp", "2", "-m", "2048", "-serial", f"file:{place}/console.log"]
    command += ["-kernel", f"{source}.grub", "-smbios", f"type=11,value=io.systemd.credential:system.hostname={name}"]
    command += ["-smbios", f"type=11,value=io.systemd.credential.binary:ssh.authorized_keys.root={key}"]
    for drive in (own, blank):
        command += ["-drive", f"file={drive},if=virtio,cache=unsafe"]
    command += ["-device", "virtio-net-pci,netdev=net"]
    command += ["-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"]
    with wait_for_slot() as slot, (place / "qemu.log").open("wb") as log:
        machine = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, pass_fds=[slot.fileno()]
        )
    (place / "pid").write_text(str(machine.pid), encoding="utf-8")
    return machine


def wait_until_up(machine: subprocess.Popen[bytes], place: Path) -> None:
    """Wait until systemd has started everything; SystemExit with the end of the console's log where it does not."""
    asked = ["ssh", "-F", str(place / "ssh_config"), place.name, "systemctl is-system-running --wait"]
    deadline = time.monotonic() + BOOT_SECONDS
    state = "no answer to ssh"
    while machine.poll() is None and time.monotonic() < deadline:
        try:
            done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=False)
        except subprocess.TimeoutExpired:
            continue
        state = done.stdout.strip() or state
        if state == "running":
            return
        if state == "degraded":
            break
        time.sleep(1)
    logs = "".join((place / log).read_text("utf-8", "replace")[-3000:] for log in ("qemu.log", "console.log"))
    raise SystemExit(f"The virtual machine is not running ({state}), for which it has {BOOT_SECONDS} s:\n{logs}")


def start(name: str, disk: str) -> None:
    """Boot a machine and print how to reach it; one of that name that runs already is ended."""
    if not (VM / f"{disk}.inputs").exists():
        raise SystemExit(f"There is no disk {disk}: make it by tests/bed/vm_image.sh .cache/bed, or by make vm-bed.")
    stop(name)
    place = VM / name
    place.mkdir()
    port = free_port()
    (place / "ssh_config").write_text(SSH_CONFIG.format(name=name, port=port, key=VM / "key"), encoding="utf-8")
    machine = boot(name, disk, place, port)
    try:
        wait_until_up(machine, place)
    except BaseException:
        machine.kill()
        raise
    print(json.dumps({"port": port, "key": str(VM / "key")}))


def stop(name: str) -> None:
    """End a machine, if there is one; nothing of its disk is needed again, so it is not shut down."""
    place = VM / name
    try:
        pid = int((place / "pid").read_text(encoding="utf-8"))
    except FileNotFoundError:
        pid = 0
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_SECONDS
        if runs(pid, place):
            os.kill(pid, number)
        while runs(pid, place) and time.monotonic() < deadline:
            time.sleep(0.1)
    shutil.rmtree(place, ignore_errors=True)


def runs(pid: int, place: Path) -> bool:
    """Tell whether the process is still this machine, and no other one that got its number."""
    try:
        return str(place).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["start"] and len(words) == 3:
        start(words[1], words[2])
    elif words[:1] == ["stop"] and len(words) == 2:
        stop(words[1])
    else:
        raise SystemExit(__doc__)
