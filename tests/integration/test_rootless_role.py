# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The role docker_engine_rootless on a host that has no Docker: predicted, then run, changed and audited.
# Needs the test bed (`make bed`) and Debian's packages.

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import ansible_runs, check_mode, container_host

NAME = f"breakwater-rootless-{os.getpid()}"
USER = "captain"
FILES = "find /etc /usr /home -xdev -printf '%p %m %u %s\\n' | sort; cat /etc/passwd /etc/subuid"


class Host(container_host.ContainerHost):
    """A host without Docker, and the role on it."""

    def converge(self, *arguments: str, **variables: Any) -> tuple[int, str]:
        """Run the role."""
        given = {f"docker_engine_rootless_{name}": value for name, value in {"user": USER, **variables}.items()}
        playbook = ("ansible-playbook", os.environ["ROOTLESS_SITE"], "-i", f"{NAME},", "-e", json.dumps(given))
        run = ansible_runs.start(*playbook, *arguments)
        said = ansible_runs.finished(run)
        return run.returncode, said

    @property
    def socket(self) -> str:
        """Return the engine's address."""
        return f"unix:///run/user/{self.run(f'id -u {USER}').strip()}/docker.sock"

    def docker(self, command: str) -> str:
        """Run a command of the account's."""
        return self.run(f"runuser -u {USER} -- docker -H {self.socket} {command}").strip()


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A pristine host; where the test bed has it so, the account can't open /dev/net/tun by itself."""
    site = tmp_path_factory.mktemp("rootless") / "site.yml"
    play = {"hosts": "all", "gather_facts": False, "roles": ["breakwater.docker.docker_engine_rootless"]}
    site.write_text(yaml.safe_dump([play]))
    image = "breakwater-host:debian13"
    options = ("--privileged", "--cgroupns=private", "--hostname", NAME)
    container_host.run("docker", "run", "-d", "--name", NAME, *options, image)
    try:
        machine = Host(NAME)
        machine.wait_for("systemctl is-system-running --wait")
        machine.run("chmod 666 /dev/net/tun")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ROOTLESS_SITE", str(site))
            yield machine
    finally:
        container_host.run("docker", "rm", "-fv", NAME)


@pytest.fixture(scope="module")
def pristine(host: Host, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """Return what check mode says of the pristine host, and how that differs from what then changes."""
    said: list[str] = []

    def converge(*options: str) -> None:
        before = host.run(FILES)
        code, told = host.converge(*options)
        assert code == 0, told
        said.append(told)
        assert "--check" not in options or host.run(FILES) == before

    differences = check_mode.tried(converge, tmp_path_factory.mktemp("pristine"))
    return said[0], differences


@pytest.fixture(scope="module")
def refused(host: Host, pristine: tuple[str, list[str]]) -> str:
    """Both engines run, and root's has a container."""
    host.run(
        "docker load -qi /usr/share/breakwater/busybox.tar; docker run -d --name roots busybox:local sleep 100000000"
    )
    code, said = host.converge(only=True)
    assert code != 0
    assert host.run("docker ps -q --filter name=roots")
    host.run("docker rm -f roots")
    return said


@pytest.fixture(scope="module")
def only(host: Host, refused: str, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Stop root's engine; return how what check mode says differs from what then changes."""

    def converge(*options: str) -> None:
        code, told = host.converge(*options, only=True)
        assert code == 0, told

    return check_mode.tried(converge, tmp_path_factory.mktemp("only"))


@pytest.fixture(scope="module")
def engine(host: Host, only: list[str]) -> Host:
    return host


def test_check_mode_on_a_pristine_host_predicts_and_writes_nothing(pristine: tuple[str, list[str]]) -> None:
    predicted, differences = pristine
    assert f"ConditionUser={USER}" in predicted
    assert '"icc": false' in predicted
    assert "failed=0" in predicted
    assert differences == []


def test_check_mode_says_that_the_engine_of_root_is_stopped(only: list[str]) -> None:
    assert only == []


def test_engine_of_root_is_not_stopped_under_its_containers(refused: str) -> None:
    assert "Root's engine has 1 running containers" in refused


def test_container_runs_without_root(engine: Host) -> None:
    engine.run(f"docker -H {engine.socket} load -qi /usr/share/breakwater/busybox.tar")
    engine.docker("run -d --name web -p 8080:80 busybox:local httpd -f -p 80")
    assert "name=rootless" in engine.docker("info -f '{{.SecurityOptions}}'")
    assert engine.run("ps -o user= -p $(pidof httpd)").strip() == USER
    assert engine.run("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/") == "404"


def test_engine_of_root_is_stopped_and_its_configuration_is_roots(engine: Host) -> None:
    for unit in ("docker.service", "docker.socket"):
        state = engine.run(f"systemctl is-active {unit} || true; systemctl is-enabled {unit} || true")
        assert state.split() == ["inactive", "disabled"]
    for file in ("/etc/docker/rootless.json", "/etc/systemd/user/docker.service"):
        assert engine.run(f"stat -c '%U %a' {file}").split() == ["root", "644"]


def test_second_run_changes_nothing(engine: Host) -> None:
    code, said = engine.converge(only=True)
    assert code == 0, said
    assert "changed=0" in said, said


def test_restart_that_would_stop_containers_is_refused(engine: Host) -> None:
    assert engine.docker("ps -q")
    code, said = engine.converge(only=True, config={"log-level": "warn"})
    assert code != 0
    assert "log-level stops the 1 running containers" in said
    assert engine.docker("ps -q")


def test_live_restore_does_not_let_a_restart_through(engine: Host) -> None:
    for config in ({"live-restore": True}, {"live-restore": True, "log-level": "warn"}):
        code, said = engine.converge(only=True, config=config)
        assert code != 0
        assert "live-restore can't keep the containers of an engine without root" in said
        assert engine.docker("ps -q")


def test_reloadable_setting_is_reloaded_and_keeps_containers(engine: Host) -> None:
    process = engine.run("pidof httpd")
    code, said = engine.converge(only=True, config={"labels": ["team=blue"]})
    assert code == 0, said
    assert engine.docker("info -f '{{.Labels}}'") == "[team=blue]"
    assert engine.run("pidof httpd") == process


def test_configuration_that_does_not_start_is_taken_back(engine: Host) -> None:
    code, said = engine.converge(
        only=True, config={"labels": ["team=blue"], "seccomp-profile": "/nonexistent"}, allow_interruption=True
    )
    assert code != 0
    assert "taken back: " in said
    assert "opening seccomp profile" in said
    assert engine.docker("info -f '{{.Labels}}'") == "[team=blue]"
    assert "seccomp" not in engine.run("cat /etc/docker/rootless.json")


def test_engine_that_was_stopped_runs_again(engine: Host) -> None:
    engine.run(f"systemctl --user --machine={USER}@.host stop docker || loginctl terminate-user {USER}")
    code, said = engine.converge(only=True, config={"labels": ["team=blue"]})
    assert code == 0, said
    assert engine.docker("info -f '{{.Labels}}'") == "[team=blue]"


def test_engine_of_the_accounts_own_is_refused_until_it_is_uninstalled(engine: Host) -> None:
    """Its unit comes before root's, and knows nothing of root's configuration."""
    directory = engine.socket.removeprefix("unix://").rpartition("/")[0]
    tool = f"runuser -u {USER} -- env XDG_RUNTIME_DIR={directory} PATH=$PATH:/usr/share/docker.io/contrib"
    engine.docker("rm -f web")
    engine.run(
        "ln -s /usr/bin/docker /usr/share/docker.io/contrib/"
    )  # the tool of Debian's package looks beside itself
    engine.run(f"{tool} systemctl --user stop docker; {tool} dockerd-rootless-setuptool.sh install --skip-iptables")
    assert "team=blue" not in engine.docker("info -f '{{.Labels}}'")
    for options in (["--check"], []):
        code, said = engine.converge(*options, only=True, config={"labels": ["team=blue"]})
        assert code != 0
        assert f"/home/{USER}/.config/systemd/user/docker.service: a unit of {USER}'s own comes before root's" in said
    engine.run(f"rm /home/{USER}/.config/systemd/user/docker.service")
    code, said = engine.converge(only=True, config={"labels": ["team=blue"]})
    assert code != 0
    assert re.search(rf"{USER}'s dockerd \(process \d+\) runs without /etc/docker/rootless.json", said), said
    engine.run(f"{tool} dockerd-rootless-setuptool.sh uninstall --skip-iptables")
    code, said = engine.converge(only=True, config={"labels": ["team=blue"]})
    assert code == 0, said
    assert engine.docker("info -f '{{.Labels}}'") == "[team=blue]"


def test_audit_says_rootless(engine: Host, tmp_path: Path) -> None:
    given = {"report_dir": str(tmp_path), "docker_host": engine.socket}
    variables = json.dumps({f"docker_compliance_{key}": value for key, value in given.items()})
    container_host.playbook("breakwater.docker.compliance", NAME, "-e", variables)
    [host] = json.loads((tmp_path / "report.json").read_text())["hosts"]
    assert host["engine"]["rootless"] is True
    status = {finding["control"]: finding["status"] for finding in host["findings"]}
    for control in ("daemon_icc_disabled", "daemon_config_valid", "daemon_no_new_privileges", "daemon_single"):
        assert status[control] == "pass", control


def test_audit_does_not_start_the_engine_of_root(engine: Host, tmp_path: Path) -> None:
    engine.run("systemctl start docker.socket")
    try:
        container_host.playbook("breakwater.docker.compliance", NAME, "-e", f"docker_compliance_report_dir={tmp_path}")
        assert engine.run("systemctl is-active docker.service || true").strip() == "inactive"
    finally:
        engine.run("systemctl stop docker.socket docker.service")
    [host] = json.loads((tmp_path / "report.json").read_text())["hosts"]
    assert host["engine"]["status"] == "stopped"
    assert "docker.socket would start it" in host["engine"]["reason"]
