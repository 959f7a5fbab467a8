# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The systemd units of a registry: the service, its read-only twin, and what is done at set times.
# While blobs are collected as garbage only the twin runs, so no push can be answered for what is being deleted.
# Sources: systemd.unit(5), systemd.exec(5), systemd.timer(5), https://distribution.github.io/distribution/about/garbage-collection/

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import COMMAND
from ansible_collections.breakwater.docker.plugins.module_utils.registry.config import CONFIG, DRAIN_SECONDS, READ_ONLY
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import Settings, size

DIRECTORY = "/etc/docker/registry"
UNITS = "/etc/systemd/system"
NAME = "docker-registry"
#: Debian's program, which has another name than upstream's `registry`.
PROGRAM = f"/usr/bin/{NAME}"
GC, QUOTA, BACKUP = f"{NAME}-gc", f"{NAME}-quota", f"{NAME}-backup"
TWIN = f"{NAME}-readonly"
#: Seconds until systemd or Docker kill a registry that does not end.
STOP_SECONDS = DRAIN_SECONDS + 15
_HEADER = "# Managed by breakwater.docker\n"
_TEMPORARY = ".partial"

_SERVICE = """\
User={name}
Group={name}
WorkingDirectory={directory}
UMask=0027
MemoryMax={memory}
TasksMax={tasks}
ReadWritePaths={writable}
{capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""
_PORT_BELOW_1024 = "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE"
_NO_CAPABILITIES = "CapabilityBoundingSet=\nAmbientCapabilities=\nPrivateUsers=yes"
_DOCKER = f"/usr/bin/{' '.join(COMMAND)}"
#: Both are stopped containers between the collections, which `docker container prune` removes.
_HELPERS = f"""\
{_DOCKER} container inspect -- "$@" >/dev/null || {{ echo "<3>No garbage is collected without the containers $*:\
 the role docker_registry makes them anew."; exit 1; }}\
"""
#: `du` counts what is on the disk. The number before the message is its severity for the journal (sd-daemon(3)).
_QUOTA = """\
used=$(du -sk -- "$1" | cut -f1) || exit 1; \
if [ "$used" -gt "$2" ]; then echo "<2>The registry's images take $used KiB, more than the quota of $2 KiB:\
 delete tags and collect garbage, or raise docker_registry_quota."; exit 1; fi; \
echo "The registry's images take $used KiB of $2 KiB."\
"""
#: Links before blobs: a blob is stored before the links to it, so the copy has the blobs of all its links, even while
#: somebody pushes. tar's status 1 means that a file was changed meanwhile. The directories above them come by
#: themselves: else a restore under a umask of 027 makes them root's, and no registry could enter.
_BACKUP = """\
set -e; umask 077; mkdir -p -- "$2"; name=$2/registry-$(date -u +%Y%m%dT%H%M%SZ).tar; cd -- "$1"; \
[ -d docker/registry/v2/blobs ] || { echo "Nothing has been pushed yet, so there is nothing to copy."; exit 0; }; \
tar --create --file="$name.partial" --numeric-owner --exclude=_uploads --warning=no-file-changed\
 --no-recursion docker docker/registry docker/registry/v2\
 --recursion docker/registry/v2/repositories docker/registry/v2/blobs || [ $? -eq 1 ]; \
sync -- "$name.partial"; mv -- "$name.partial" "$name"; \
ls -1 -- "$2"/registry-*.tar | head -n -"$3" | xargs -r -d "\\n" rm -f --\
"""


def render(settings: Settings) -> dict[str, str]:
    """Return the texts of the unit files by their names."""
    units: dict[str, str] = {}
    if settings.native:
        units[f"{NAME}.service"] = _registry(settings, "Docker registry", CONFIG, f"{TWIN}.service {GC}.service", True)
    if collects(settings):
        if settings.native:
            title = "Docker registry, which takes no pushes"
            units[f"{TWIN}.service"] = _registry(settings, title, READ_ONLY, f"{NAME}.service", False)
        units[f"{GC}.service"] = _native_gc(settings) if settings.native else _container_gc(settings)
        units[f"{GC}.timer"] = _timer("Collects the registry's garbage", settings.gc_schedule)
    if settings.quota:
        command = _shell(_QUOTA, settings.root, str(size(settings.quota) // 1024))
        units[f"{QUOTA}.service"] = _task("Measures the registry's images", command)
        units[f"{QUOTA}.timer"] = _timer("Measures the registry's images", settings.quota_schedule)
    if settings.backup_directory:
        backup = _shell(_BACKUP, settings.root, settings.backup_directory, str(settings.backup_keep))
        command = f"/usr/bin/flock {settings.root} {backup}"
        units[f"{BACKUP}.service"] = _task("Copies the registry's images", command)
        units[f"{BACKUP}.timer"] = _timer("Copies the registry's images", settings.backup_schedule)
    return {name: _HEADER + text for name, text in units.items()}


def collects(settings: Settings) -> bool:
    """Tell whether garbage is collected: a pull-through cache removes by itself what has expired."""
    return bool(settings.gc_schedule) and not settings.proxy


def _registry(settings: Settings, title: str, config: str, conflicts: str, enabled: bool) -> str:
    mounts = f"RequiresMountsFor={settings.root}\n" if settings.root else ""
    # An order in one direction is enough: whichever of the two is started, the other one is stopped before.
    after = "network-online.target" if enabled else f"network-online.target {conflicts}"
    return (
        f"[Unit]\nDescription={title}\nWants=network-online.target\n"
        f"After={after}\nConflicts={conflicts}\n{mounts}"
        f"\n[Service]\nExecStart={PROGRAM} serve {config}\nRestart=on-failure\nRestartSec=2\n"
        f"TimeoutStopSec={STOP_SECONDS}\n{_sandbox(settings)}"
        + ("\n[Install]\nWantedBy=multi-user.target\n" if enabled else "")
    )


def _sandbox(settings: Settings) -> str:
    return _SERVICE.format(
        name=NAME,
        directory=DIRECTORY,
        memory=settings.memory,
        tasks=settings.tasks,
        writable=settings.root,
        capabilities=_PORT_BELOW_1024 if settings.port < 1024 else _NO_CAPABILITIES,
    )


def _native_gc(settings: Settings) -> str:
    services = f"{NAME}.service {TWIN}.service"
    lock = f"/usr/bin/flock {settings.root} " if settings.root else ""
    return (
        f"[Unit]\nDescription=Collection of the registry's garbage\n"
        f"Conflicts={NAME}.service\nWants={TWIN}.service\nAfter={services}\n"
        f"OnSuccess={NAME}.service\nOnFailure={NAME}.service\n"
        f"\n[Service]\nType=oneshot\nExecStart={lock}{PROGRAM} garbage-collect {CONFIG}\n{_sandbox(settings)}"
    )


def _container_gc(settings: Settings) -> str:
    stop = f"{_DOCKER} stop --time {STOP_SECONDS}"
    lock = f"/usr/bin/flock {settings.root} " if settings.root else ""
    # What is done at the end ends with the registry's start, whatever becomes of the twin: systemd leaves the rest of
    # these commands out after the first one that fails, unless it has a hyphen.
    return (
        "[Unit]\nDescription=Collection of the registry's garbage\nAfter=docker.service\nRequisite=docker.service\n"
        f"\n[Service]\nType=oneshot\nExecCondition={_shell(_HELPERS, TWIN, GC)}\n"
        f"ExecStart={stop} {NAME}\nExecStart={_DOCKER} start {TWIN}\nExecStart={lock}{_DOCKER} start --attach {GC}\n"
        f"ExecStopPost=-{stop} {TWIN}\nExecStopPost={_DOCKER} start {NAME}\n"
    )


def _task(title: str, command: str) -> str:
    return (
        f"[Unit]\nDescription={title}\n\n[Service]\nType=oneshot\nExecStart={command}\n"
        "Nice=10\nIOSchedulingClass=idle\nNoNewPrivileges=yes\nProtectHome=read-only\nPrivateTmp=no\n"
        "PrivateNetwork=yes\nProtectKernelTunables=yes\nProtectKernelModules=yes\nProtectControlGroups=yes\n"
        "RestrictSUIDSGID=yes\nLockPersonality=yes\nSystemCallArchitectures=native\n"
    )


def _shell(script: str, *arguments: str) -> str:
    """Return a command line of systemd's that runs a shell's script, in which its own variables are left alone."""
    quoted = script.replace("\\", "\\\\").replace("$", "$$").replace("%", "%%").replace("'", "\\'")
    return f"/bin/sh -c '{quoted}' sh " + " ".join(arguments)


def _timer(title: str, schedule: str) -> str:
    return (
        f"[Unit]\nDescription={title}\n\n[Timer]\nOnCalendar={schedule}\nRandomizedDelaySec=5m\nPersistent=yes\n"
        "\n[Install]\nWantedBy=timers.target\n"
    )
