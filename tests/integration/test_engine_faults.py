# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What goes wrong while an engine in use is hardened for the first time: killed runs and daemons, disks, files,
# certificates, units. After each fault the engine answers by the old or the new configuration and never by half of one,
# its container is the same process, and the next normal run converges. Needs the test bed (`make bed`).

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import ansible_runs, container_host

NAME = f"breakwater-faults-{os.getpid()}"
ROOT = container_host.ROOT
CALLBACKS = ROOT / "tests/integration/callback_plugins"
ROLE = ROOT / "roles/docker_engine"
FILE = "/etc/docker/daemon.json"
DROP_IN = "/etc/systemd/system/docker.service.d/50-foreign.conf"
CERTIFICATES = r"""
mkdir -p /root/tls && cd /root/tls
new="req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"
openssl $new -x509 -keyout ca.key -out ca.pem -subj /CN=ca 2>/dev/null
for name in good other future past; do
  openssl $new -keyout $name.key -out $name.csr -subj /CN=$name 2>/dev/null
  case $name in
    future) dates="-not_before 20980101000000Z -not_after 20990101000000Z" ;;
    past) dates="-not_before 20010101000000Z -not_after 20020101000000Z" ;;
    *) dates="" ;;
  esac
  openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key $dates -out $name.pem 2>/dev/null
done
echo garbage > garbage.pem
"""
Run = subprocess.Popen[str]
#: Commands of the host that the module runs, at one of which something happens.
WRAPPER = """#!/bin/sh
case "$*" in
  *{step}*)
    count=$(($(cat /run/strikes 2>/dev/null || echo 0) + 1))
    echo $count > /run/strikes
    if [ $count = {nth} ]; then
      {before}
      /usr/bin/{command} "$@"; code=$?
      {after}
      exit $code
    fi
    ;;
esac
exec /usr/bin/{command} "$@"
"""
#: A dockerd that behaves until it is started with the new configuration.
DAEMON = """#!/bin/sh
case "$*" in *--version*|*--validate*) ;; *) ! grep -q run=new /etc/docker/daemon.json || {{ {fault} }} ;; esac
exec /usr/sbin/dockerd "$@"
"""
KILL_MODULE = "kill -9 $PPID"
KILL_DOCKERD = "kill -9 $(pidof dockerd)"


def written(path: str, text: str, mode: str = "755") -> str:
    """Return a script that writes the file."""
    return f"mkdir -p {os.path.dirname(path)}; printf %s {shlex.quote(text)} > {path}; chmod {mode} {path}"


def strike(command: str, step: str, before: str = ":", after: str = ":", nth: int = 1) -> str:
    """Return a script after which something happens where the module runs `command` with `step` the nth time."""
    wrapper = WRAPPER.format(command=command, step=step, before=before, after=after, nth=nth)
    return f"rm -f /run/strikes; {written(f'/usr/local/bin/{command}', wrapper)}"


def drop_in(text: str) -> str:
    """Return a script that gives docker.service a drop-in, which the running engine knows nothing of."""
    return f"{written(DROP_IN, text, '644')}; systemctl daemon-reload"


def daemon(fault: str) -> str:
    """Return a script after which docker.service is started by a dockerd with the fault."""
    unit = "[Service]\nNotifyAccess=all\nTimeoutStopSec=5\nExecStart=\nExecStart=/root/dockerd -H fd://\n"
    return f"{written('/root/dockerd', DAEMON.format(fault=fault))}; {drop_in(unit)}"


def options(text: str) -> str:
    """Return a script that gives dockerd options in the file that Debian's unit takes them from."""
    return f"cp /etc/default/docker /root/default; echo {shlex.quote(text)} > /etc/default/docker"


def tls(name: str, key: str = "good") -> dict[str, Any]:
    """Return the settings of an engine that listens on TCP with this certificate."""
    files = {"tlscacert": "/root/tls/ca.pem", "tlscert": f"/root/tls/{name}.pem", "tlskey": f"/root/tls/{key}.key"}
    return {"hosts": ["fd://", "tcp://127.0.0.1:2376"], "tlsverify": True, **files}


def small_disk(free_pages: int) -> str:
    """Return a script that puts the engine's files on a disk with so many pages of 4 KiB left."""
    return (
        f"cp {FILE} /root/kept.json; mount -t tmpfs -o size=64k none /etc/docker; cp /root/kept.json {FILE};"
        " dd if=/dev/zero of=/etc/docker/other bs=4k 2>/dev/null || true;"
        f" truncate -s -$(({free_pages} * 4096)) /etc/docker/other"
    )


SAVE = f"cp {FILE} /root/kept.json"
PUT_BACK = f"rm -rf {FILE}; cp /root/kept.json {FILE}"
#: What is right after each fault: nothing of it is left, and systemd knows.
DISARM = (
    "rm -f /usr/local/bin/systemctl /usr/local/bin/journalctl /run/strikes;"
    f" [ ! -e {DROP_IN} ] || {{ rm {DROP_IN}; systemctl daemon-reload; }};"
    " [ ! -e /root/default ] || mv /root/default /etc/default/docker"
)


@dataclass(frozen=True)
class Fault:
    """What is done to the host before the module runs, what the module is to say (a pattern), and the way back."""

    arm: str
    says: str
    disarm: str = ":"
    config: dict[str, Any] = field(default_factory=dict)
    by: str = "old"
    """What the engine is to run by: the `old` or the `new` configuration, or `either`; `none` is being down."""
    timeout: int = 30
    again: bool = False
    """Whether the configuration is one that the next run can be given."""


KILLED = {
    f"module killed {when} {step}": Fault(
        strike(step.split()[0], step.split(" ", 1)[1], **{when: KILL_MODULE + ("; exit" if when == "before" else "")}),
        "UNREACHABLE|FAILED",
        config=config,
        by="either",
        again=True,
    )
    for step, when, config in [
        ("systemctl show", "before", {}),
        ("systemctl show", "after", {}),
        ("journalctl show-cursor", "before", {}),
        ("systemctl HUP", "before", {}),
        ("systemctl HUP", "after", {}),
        ("journalctl after-cursor", "after", {}),
        ("systemctl daemon-reload", "before", {"hosts": ["fd://"]}),
        ("systemctl daemon-reload", "after", {"hosts": ["fd://"]}),
        ("systemctl reset-failed", "before", {}),
        ("systemctl restart", "before", {}),
        ("systemctl restart", "after", {}),
    ]
}
BAD = {"seccomp-profile": "/nonexistent.json"}
ROLL_BACK = {
    "module killed before it starts the old engine": Fault(
        strike("systemctl", "restart", before=KILL_MODULE + "; exit", nth=2), "FAILED", config=BAD, by="none"
    ),
    "module killed after it started the old engine": Fault(
        strike("systemctl", "restart", after=KILL_MODULE, nth=2), "FAILED", config=BAD
    ),
}
DOCKERD = {
    "dockerd killed before the reload": Fault(strike("systemctl", "HUP", before=KILL_DOCKERD), "", by="either"),
    "dockerd killed after the reload": Fault(strike("systemctl", "HUP", after=KILL_DOCKERD), "", by="either"),
    "dockerd killed before the restart": Fault(
        strike("systemctl", "restart", before=KILL_DOCKERD), "CHANGED", by="new"
    ),
    "dockerd killed after the restart": Fault(strike("systemctl", "restart", after=KILL_DOCKERD), "CHANGED", by="new"),
    "dockerd killed after the restart, not to be restarted": Fault(
        f"{strike('systemctl', 'restart', after=KILL_DOCKERD)}; {drop_in('[Service]' + chr(10) + 'Restart=no')}",
        "taken back: .*docker.service is stopped.*the engine runs by it",  # it is not woken by its socket
        timeout=5,
    ),
    "dockerd that hangs": Fault(
        "kill -STOP $(pidof dockerd)",
        "dockerd runs but can't be asked.*/run/docker.sock did not answer.*Nothing was changed",
        "kill -CONT $(pidof dockerd)",
    ),
    "dockerd that never becomes ready": Fault(
        daemon("exec sleep 600;"), "taken back: .*the engine runs by it", timeout=5
    ),
    "dockerd that says it is ready and does not answer": Fault(
        daemon("systemd-notify --ready; exec sleep 600;"),
        "taken back: after 5 seconds the engine does not answer.*the engine runs by it",
        timeout=5,
    ),
    "dockerd that crashes a moment after it became ready": Fault(
        daemon("systemd-notify --ready; sleep 0.3; exit 3;"), "taken back: .*the engine runs by it", timeout=5
    ),
}
DISK = {
    "no room for the undo copy": Fault(
        small_disk(0), "taken back: .*No space left on device.*the engine runs by it", "umount -l /etc/docker"
    ),
    "no room for live-restore": Fault(
        small_disk(1), "taken back: .*No space left on device.*the engine runs by it", "umount -l /etc/docker"
    ),
    "no room for the new file": Fault(
        small_disk(2),
        "taken back: .*No space left on device.*the engine runs by it",
        "umount -l /etc/docker",
        config={"labels": ["run=new", "long=" + "x" * 9000]},
    ),
    "read-only /etc": Fault(
        "mount --bind /etc /etc; mount -o remount,bind,ro /etc",
        "taken back: .*Read-only file system.*the engine runs by it",
        "umount -l /etc",
    ),
}
FILES = {
    f"file with {name}": Fault(f"{SAVE}; {damage}", says, PUT_BACK, by=by)
    for name, damage, says, by in [
        (
            "a comment",
            f"sed -i '1s|$| // ours|' {FILE}",
            r"is not JSON.*column \d+ .*Correct it.*nothing was changed",
            "old",
        ),
        ("an end too early", f"truncate -s -5 {FILE}", "is not JSON.*nothing was changed", "old"),
        ("bytes that are no text", f"head -c 100 /dev/urandom > {FILE}", "is not JSON.*nothing was changed", "old"),
        ("a list", f"echo '[]' > {FILE}", "holds list where an object is needed.*nothing was changed", "old"),
        ("a directory in its place", f"rm {FILE}; mkdir {FILE}", "Is a directory", "old"),
    ]
} | {
    f"file with {name}": Fault(damage, "CHANGED", by="new")
    for name, damage in [
        ("nothing in it", f": > {FILE}"),
        ("a byte order mark", rf"printf '\357\273\277' | cat - {FILE} > /root/x; cat /root/x > {FILE}"),
        ("keys twice", f"""sed -i 's|^{{|{{"live-restore": false, "labels": ["a=b"],|' {FILE}"""),
    ]
}
FILES["file that is a link"] = Fault(
    f"mv {FILE} /root/elsewhere.json; ln -s /root/elsewhere.json {FILE}",
    "CHANGED",
    f"cp --remove-destination /root/elsewhere.json {FILE}",
    by="new",
)
FILES["file that is mounted there"] = Fault(
    f"{SAVE}; mount --bind /root/kept.json {FILE}",
    "taken back: .*Device or resource busy.*is as before and the engine runs by it",
    f"umount {FILE}",
)
NETWORK = {
    "port 2376 taken": Fault(
        "systemd-run --quiet --unit=squatter python3 -m http.server --bind 127.0.0.1 2376;"
        " for i in $(seq 100); do curl -so /dev/null http://127.0.0.1:2376 && break; sleep 0.1; done",
        "taken back: .*2376.*address already in use.*the engine runs by it",
        "systemctl stop squatter",
        config=tls("good"),
    ),
    "certificate of another key": Fault(":", "private key does not match", config=tls("good", "other")),
    "certificate that is none": Fault(":", "FAILED", config=tls("garbage")),
    "certificate that is missing": Fault(":", "FAILED", config=tls("missing")),
    # dockerd does not look at the dates of its own certificate, so this can't cost the local socket.
    "certificate not valid yet": Fault(":", "CHANGED", config=tls("future", "future"), by="new"),
    "certificate expired": Fault(":", "CHANGED", config=tls("past", "past"), by="new"),
}
UNIT = {
    "option of a drop-in twice": Fault(
        drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --no-new-privileges=false\n"),
        "specified both as a flag.*Remove the option from the unit or its environment file",
    ),
    "drop-in with another file": Fault(
        drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// --config-file=/etc/other.json\n"),
        "dockerd reads /etc/other.json, not /etc/docker/daemon.json: set path to it. Nothing was changed",
    ),
    "drop-in that can't reload": Fault(drop_in("[Service]\nExecReload=\n"), "CHANGED", by="new"),
    "drop-in whose reload fails": Fault(
        drop_in("[Service]\nExecReload=\nExecReload=/bin/false\n"), "CHANGED", by="new"
    ),
    "drop-in that refuses the new file": Fault(
        drop_in('[Service]\nExecStartPre=/bin/sh -c "! grep -q run=new /etc/docker/daemon.json"\n'),
        "taken back: .*the engine runs by it",
    ),
    "drop-in that does not wait": Fault(drop_in("[Service]\nType=simple\n"), "CHANGED", by="new"),
    "hosts in a drop-in and in the file": Fault(
        drop_in("[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// -H unix:///run/second.sock\n"),
        "specified both as a flag.*hosts",
        config={"hosts": ["fd://"]},
    ),
    "option of /etc/default/docker twice": Fault(
        options("DOCKER_OPTS=--no-new-privileges"), "specified both as a flag.*no-new-privileges"
    ),
    "quoted options of /etc/default/docker twice": Fault(
        options("DOCKER_OPTS='--debug --label \"a=b\"'"), "specified both as a flag.*label"
    ),
    "options of another environment file twice": Fault(
        written("/root/env", '# ours\nEXTRA="--no-new-privileges=true"\n', "644")
        + "; "
        + drop_in("[Service]\nEnvironmentFile=/root/env\nExecStart=\nExecStart=/usr/sbin/dockerd -H fd:// ${EXTRA}\n"),
        "specified both as a flag.*no-new-privileges",
    ),
    "harmless option of /etc/default/docker": Fault(options("DOCKER_OPTS=--log-format=text"), "CHANGED", by="new"),
}
RIVALS = {
    "another run that takes long": Fault(
        "systemd-run --quiet --unit=rival flock /etc/docker sleep 60;"
        " for i in $(seq 100); do flock -n /etc/docker true || break; sleep 0.1; done",
        "Another run has been changing /etc/docker/daemon.json for more than 1 seconds.*nothing was changed",
        "systemctl stop rival",
        timeout=1,
    ),
}
FAULTS = {**KILLED, **ROLL_BACK, **DOCKERD, **DISK, **FILES, **NETWORK, **UNIT, **RIVALS}


def tasks(listed: list[dict[str, Any]]) -> list[str]:
    """Return the names of a role's tasks in their order, those of blocks and imported files included."""
    names = []
    for task in listed:
        imported = task.get("ansible.builtin.import_tasks")
        inner = yaml.safe_load((ROLE / "tasks" / imported).read_text()) if imported else task.get("block")
        names += tasks(inner) if inner else [task["name"]]
    return names


class Engine:
    """An engine in use that is hardened again and again: each time from a configuration without live-restore."""

    def __init__(self, host: container_host.ContainerHost) -> None:
        self.host = host
        self.old: dict[str, Any] = {}
        self.new: dict[str, Any] = {}
        host.run("docker load -qi /usr/share/breakwater/busybox.tar")
        host.run("docker run -d --name kept -p 8080:80 busybox:local httpd -f -p 80")
        host.run(CERTIFICATES)
        self.process = self.container()

    def container(self) -> str:
        """Return which process the container is, by number and start."""
        return self.started(self.host.run("docker inspect -f '{{.State.Pid}}' kept").strip())

    def started(self, pid: str) -> str:
        """Return the number of a process with its start time, by which it is known again."""
        return self.host.run(f"echo {pid} $(cut -d ' ' -f 22 /proc/{pid}/stat)").strip()

    def unharden(self) -> None:
        """Have the engine run without live-restore and by another value of a key that takes a restart."""
        present = "name=no-new-privileges" in self.info()["SecurityOptions"]
        self.old = {"labels": ["run=old"], "live-restore": False, "no-new-privileges": present}
        self.new = {"labels": ["run=new"], "live-restore": True, "no-new-privileges": not present}
        self.host.run(f"{written(FILE, json.dumps(self.old), '644')}; systemctl reload docker")
        self.host.wait_for("docker info -f '{{.LiveRestoreEnabled}} {{.Labels}}' | grep -q 'false .run=old'")
        assert self.effective() == "old"

    def info(self) -> dict[str, Any]:
        """Return what the engine says of itself."""
        return json.loads(self.host.run("docker info -f '{{json .}}'"))

    def effective(self) -> str:
        """Return which configuration the engine runs by, waiting for one that is just being started."""
        self.host.wait_for("docker info -f '{{.ID}}' 2>/dev/null | grep -q .")
        info = self.info()
        seen = (info["Labels"][0], "name=no-new-privileges" in info["SecurityOptions"])
        known = {
            (each["labels"][0], each["no-new-privileges"]): name
            for name, each in (("old", self.old), ("new", self.new))
        }
        return known.get(seen, f"half: {seen}")

    def change(self, config: dict[str, Any], timeout: int = 30) -> str:
        """Run the module and return what it says."""
        return ansible_runs.finished(self.start(config, timeout))

    def start(self, config: dict[str, Any], timeout: int = 30) -> Run:
        """Start the module."""
        wanted = {**self.new, **config}
        return ansible_runs.start_module("docker_daemon_config", NAME, config=wanted, timeout=timeout)

    def harden(self, *options: str, kill_at: str = "", **variables: str) -> tuple[int, str]:
        """Run the playbook, killed at the task if one is named; return its code and what it says."""
        given = json.dumps({"docker_engine_config": self.new, "docker_hardening_areas": ["engine"], **variables})
        killer = {
            "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
            "ANSIBLE_CALLBACKS_ENABLED": "kill_at",
            "KILL_AT": kill_at,
        }
        command = ("ansible-playbook", "breakwater.docker.harden", "-i", f"{NAME},", "-e", given)
        run = ansible_runs.start(*command, *options, **(killer if kill_at else {}))
        said = ansible_runs.finished(run)
        return run.returncode, said

    def assert_unharmed(self, by: str) -> None:
        """Assert that the engine answers by a whole configuration and that its container has noticed nothing."""
        running = self.effective()
        assert running in (("old", "new") if by == "either" else (by,))
        assert isinstance(json.loads(self.host.run(f"cat {FILE}")), dict)
        assert self.container() == self.process
        assert "404" in self.host.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/")

    def assert_converges(self, config: dict[str, Any] | None = None) -> None:
        """Assert that the next normal run succeeds and leaves nothing behind."""
        said = self.change(config or {})
        assert "CHANGED" in said or "SUCCESS" in said, said
        self.assert_unharmed("new")
        present = json.loads(self.host.run(f"cat {FILE}"))
        assert {key: present.get(key) for key in self.new} == self.new
        assert set(self.host.run("ls -A /etc/docker").split()) <= {"daemon.json", "daemon.json.breakwater-previous"}
        assert "breakwater" not in self.host.run("iptables -S INPUT")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with container_host.started(NAME) as host:
        yield Engine(host)


@pytest.mark.parametrize("name", FAULTS)
def test_fault_costs_neither_engine_nor_containers(engine: Engine, name: str) -> None:
    fault = FAULTS[name]
    engine.unharden()
    engine.host.run(fault.arm)
    try:
        said = engine.change(fault.config, fault.timeout)
        assert re.search(fault.says, said), said
    finally:
        engine.host.run(f"{fault.disarm}; {DISARM}")
    if fault.by != "none":
        engine.assert_unharmed(fault.by)
    if fault.again:
        engine.assert_converges(fault.config)
    engine.assert_converges({key: None for key in fault.config if key not in engine.new})


@pytest.mark.parametrize("task", tasks([{"ansible.builtin.import_tasks": "main.yml"}]))
def test_ansible_killed_before_a_task(engine: Engine, task: str) -> None:
    engine.unharden()
    engine.host.run("rm -rf /etc/systemd/system/docker.socket.d; systemctl daemon-reload")
    code, said = engine.harden(kill_at=task)
    assert code == -signal.SIGKILL, said
    engine.assert_unharmed("either")
    code, said = engine.harden()
    assert code == 0, said
    engine.assert_unharmed("new")
    assert "NeedDaemonReload=no" in engine.host.run("systemctl show docker.socket -p NeedDaemonReload")
    assert "SocketMode=0660" in engine.host.run("systemctl show docker.socket -p SocketMode")


def test_module_killed_before_systemd_reads_the_sockets_drop_in(engine: Engine) -> None:
    engine.unharden()
    engine.host.run("rm -rf /etc/systemd/system/docker.socket.d; systemctl daemon-reload")
    engine.change({})
    engine.host.run(strike("systemctl", "daemon-reload", before=f"{KILL_MODULE}; exit"))
    run = ansible_runs.start_module("docker_engine_sockets", NAME)
    assert "FAILED" in ansible_runs.finished(run)
    engine.host.run(DISARM)
    engine.harden()
    assert "NeedDaemonReload=no" in engine.host.run("systemctl show docker.socket -p NeedDaemonReload")


def test_ansible_killed_while_the_module_works_which_goes_on_alone(engine: Engine) -> None:
    engine.unharden()
    engine.host.run(strike("systemctl", "restart", before="touch /run/reached; sleep 2"))
    run = engine.start({})
    engine.host.wait_for("test -e /run/reached")
    run.kill()
    ansible_runs.finished(run)
    engine.host.run(f"{DISARM}; rm /run/reached")
    # It holds the lock until it is done.
    engine.assert_converges()


@pytest.mark.parametrize("options", [["--check"], []])
def test_socket_for_a_group_that_does_not_exist_is_refused_first(engine: Engine, options: list[str]) -> None:
    engine.unharden()
    code, said = engine.harden(*options, docker_engine_socket_group="dokcer")
    assert code != 0
    assert "can't belong to root:dokcer" in said, said
    engine.assert_unharmed("old")


def test_password_in_the_unit_is_in_no_difference_and_no_log(engine: Engine) -> None:
    engine.unharden()
    set_and_removed = ({"Environment": ["HTTPS_PROXY=http://svc:hunter2@127.0.0.1:9"]}, {})
    said = []
    for unit in set_and_removed:
        run = ansible_runs.start_module("docker_daemon_config", NAME, "--diff", "-vvv", config=engine.new, unit=unit)
        said.append(ansible_runs.finished(run))
        assert "CHANGED" in said[-1], said[-1]
        assert ("hunter2" in engine.host.run("cat /etc/systemd/system/docker.service.d/*")) == bool(unit)
    assert all("Environment=****" in each for each in said), said
    logged = engine.host.run("journalctl --no-pager -o cat --grep 'Invoked with'")
    assert " unit=" in logged
    assert "hunter2" not in "".join(said) + logged


def test_two_runs_at_once_take_turns(engine: Engine) -> None:
    engine.unharden()
    said = [ansible_runs.finished(run) for run in [engine.start({"debug": True}), engine.start({"debug": False})]]
    assert all("CHANGED" in each for each in said), said
    engine.assert_unharmed("new")
    assert engine.info()["Debug"] == json.loads(engine.host.run(f"cat {FILE}"))["debug"]
    engine.assert_converges({"debug": None})


def test_file_that_dockerd_was_not_told_of_costs_no_container(engine: Engine) -> None:
    """Whoever wrote live-restore into the file thinks that it keeps containers; an upgrade would trust it, too."""
    engine.unharden()
    engine.host.run(written(FILE, json.dumps({**engine.old, "live-restore": True}), "644"))
    dockerd = engine.host.run("pidof dockerd")
    run = ansible_runs.start_module("docker_daemon_config", NAME, config={"live-restore": True})
    said = ansible_runs.finished(run)
    assert re.search('CHANGED(?s:.*)"action": "reload"(?s:.*)"restart_allowed": true', said), said
    assert engine.host.run("pidof dockerd") == dockerd
    engine.host.run("systemctl restart docker")
    engine.assert_unharmed("old")
    engine.unharden()
    engine.host.run(written(FILE, json.dumps(engine.new), "644"))
    engine.assert_converges()


def test_engine_in_a_swarm_is_not_restarted_with_live_restore(engine: Engine) -> None:
    """A reload lets it in, but dockerd does not start with it."""
    engine.unharden()
    engine.host.run("docker swarm init --advertise-addr 127.0.0.1")
    try:
        engine.host.run(f"{written(FILE, json.dumps({**engine.old, 'live-restore': True}), '644')}")
        engine.host.run("systemctl reload docker")
        engine.host.wait_for("docker info -f '{{.LiveRestoreEnabled}}' | grep -q true")
        run = ansible_runs.start_module("docker_daemon_config", NAME, config={"log-level": "warn"})
        said = ansible_runs.finished(run)
        assert "does not start again with it: set it to false. Nothing was changed" in said, said
        engine.assert_unharmed("old")
        run = ansible_runs.start_module("docker_daemon_config", NAME, config={"live-restore": False})
        said = ansible_runs.finished(run)
        assert re.search('CHANGED(?s:.*)"action": "reload"(?s:.*)"restart_allowed": false', said), said
        run = ansible_runs.start_module("docker_daemon_config", NAME, config={"log-level": "warn"})
        said = ansible_runs.finished(run)
        assert "Changing log-level stops the 1 running containers" in said, said
        engine.assert_unharmed("old")
    finally:
        engine.host.run("docker swarm leave --force")


def test_downgrade_to_an_engine_that_does_not_know_a_key(engine: Engine) -> None:
    """The engine can't start by the file; live-restore has kept the container."""
    engine.unharden()
    engine.change({})
    newer = {**engine.new, "min-api-version": "1.44"}
    engine.host.run(
        f"{written(FILE, json.dumps(newer), '644')}; systemctl stop docker.service; ! systemctl start docker"
    )
    said = engine.change({})
    assert re.search(
        "dockerd refuses the configuration: .*min-api-version. Nothing was changed. Set min-api-version to null", said
    ), said
    assert engine.started(engine.process.split()[0]) == engine.process
    engine.assert_converges({"min-api-version": None})
