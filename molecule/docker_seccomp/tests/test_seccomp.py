# What containers can call under the profiles, told by the kernel, and what becomes of the engine when profiles change.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import bed
import pytest
import testinfra
import yaml

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
HOSTS = ("breakwater-seccomp-12", "breakwater-seccomp-13")
BUSY = HOSTS[1]
DIRECTORY = "/etc/docker/seccomp"
PLAYBOOK = "- {hosts: all, gather_facts: false, roles: [breakwater.docker.docker_seccomp]}"
#: busybox has no Python: it borrows the host's.
PYTHON = (
    "-v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro -v /root/probe.py:/probe.py:ro"
    " --network none --entrypoint /usr/bin/python3 busybox:local /probe.py"
)
#: What the default profile, and with more reason each preset, refuses; an attack on the kernel begins with one of them.
REFUSED = {
    "clone_newuser": "EPERM",
    "clone3": "ENOSYS",
    "unshare_newuser": "EPERM",
    "io_uring_setup": "EPERM",
    "keyctl": "EPERM",
    "ptrace": "EPERM",
    "userfaultfd": "EPERM",
    "af_alg": "EPERM",
    "af_alg_with_high_bits": "EPERM",
    "af_vsock": "EPERM",
}
#: What each profile allows of the rest.
ALLOWED = {
    "default": {"getppid", "clone", "af_unix", "af_inet", "af_packet"},
    "web": {"getppid", "clone", "af_unix", "af_inet"},
    "worker": {"getppid", "clone", "af_unix", "af_inet"},
    "minimal": {"getppid", "clone"},
}


def host(name: str) -> Any:
    return testinfra.get_host(f"docker://{name}")


@pytest.fixture(scope="module", autouse=True)
def _probe() -> None:
    for name in HOSTS:
        subprocess.run(["docker", "cp", "-q", SCENARIO / "files/probe.py", f"{name}:/root/probe.py"], check=True)
        host(name).check_output("docker load -qi /usr/share/breakwater/busybox.tar")


def answers(name: str, options: str = "") -> dict[str, str]:
    return json.loads(host(name).check_output(f"docker run --rm {options} {PYTHON}"))


def ansible(*argv: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    given = ["-i", os.environ["MOLECULE_INVENTORY_FILE"], "-e", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    return subprocess.run([*argv, *given], capture_output=True, text=True, timeout=600, check=False, env=environment)


def play(tmp_path: Path, *arguments: str, **variables: Any) -> str:
    """Run the role on the busy host; return what it says."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK)
    done = ansible("ansible-playbook", str(playbook), "--limit", BUSY, *arguments, **variables)
    return done.stdout + done.stderr


def refusal(called: str, **arguments: Any) -> str:
    """Run a module on the busy host, which has to fail; return what it says."""
    done = ansible("ansible", BUSY, "-m", f"breakwater.docker.{called}", "-a", json.dumps(arguments))
    assert done.returncode != 0, done.stdout
    return done.stdout


def module(called: str, **arguments: Any) -> dict[str, Any]:
    """Run a module on the busy host; return its result."""
    done = ansible("ansible", BUSY, "-m", f"breakwater.docker.{called}", "-a", json.dumps(arguments))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.partition("=> ")[2])


def default_path(name: str) -> str:
    return json.loads(host(name).check_output("cat /etc/docker/daemon.json"))["seccomp-profile"]


def kept() -> str:
    return host(BUSY).check_output("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' kept")


def profiles() -> list[dict[str, Any]]:
    role = SCENARIO.parents[1] / "roles/docker_seccomp/defaults/main.yml"
    return yaml.safe_load(role.read_text())["docker_seccomp_profiles"]


@pytest.mark.parametrize("name", HOSTS)
class TestProfiles:
    def test_files_are_roots_and_nobody_writes_them(self, name: str) -> None:
        for profile in (*ALLOWED, Path(default_path(name)).stem):
            file = host(name).file(f"{DIRECTORY}/{profile}.json")
            assert (file.user, file.group, file.mode) == ("root", "root", 0o444)

    def test_engine_runs_by_the_default(self, name: str) -> None:
        assert f"profile={default_path(name)}" in host(name).check_output("docker info -f '{{.SecurityOptions}}'")

    @pytest.mark.parametrize("profile", ALLOWED)
    def test_kernel_refuses_what_the_profile_does_not_allow(self, name: str, profile: str) -> None:
        # the default needs no option: a container gets it when nobody says anything
        options = "" if profile == "default" else f"--security-opt seccomp={DIRECTORY}/{profile}.json"
        told = answers(name, options)
        assert {call: told[call] for call in REFUSED} == REFUSED
        assert {call for call, answer in told.items() if answer == "ok"} == ALLOWED[profile]

    def test_probe_tells_when_nothing_is_refused(self, name: str) -> None:
        told = answers(name, "--security-opt seccomp=unconfined")
        assert [call for call, answer in REFUSED.items() if told[call] == answer] == []

    def test_engine_is_left_without_the_probe(self, name: str) -> None:
        left = "docker ps -aq -f name=breakwater-seccomp; docker images -q 'breakwater-seccomp*'"
        assert host(name).check_output(left) == ""


class TestRecording:
    WORKLOAD = ("busybox:local", "httpd", "-f", "-p", "80", "-h", "/bin")
    RUN_OPTIONS = ("--publish=127.0.0.1:8080:80", "--read-only")
    TEST = ("curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:8080/busybox")

    @pytest.fixture(scope="class")
    def recorded(self) -> dict[str, Any]:
        return module(
            "docker_seccomp_record",
            name="shop",
            image=self.WORKLOAD[0],
            command=self.WORKLOAD[1:],
            run_options=self.RUN_OPTIONS,
            test=self.TEST,
        )

    @pytest.fixture(scope="class")
    def options(self, recorded: dict[str, Any]) -> Iterator[str]:
        made = module("docker_seccomp", profiles=[recorded["profile"]])
        yield " ".join(made["profiles"][0]["options"])
        module("docker_seccomp", absent=["shop"])
        assert not host(BUSY).file(f"{DIRECTORY}/shop.json").exists

    def test_profile_is_small_and_says_why(self, recorded: dict[str, Any]) -> None:
        assert {"accept", "accept4"} & set(recorded["recorded"])
        assert "rt_sigreturn" in {*recorded["recorded"], *recorded["margin"]}
        assert {"mkdir", "ptrace", "unlink"} <= set(recorded["spared"])
        families = [rule["when"][0]["value"] for rule in recorded["profile"]["arguments"]]
        assert set(families) <= {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}
        assert families

    @pytest.fixture
    def interruptions(self) -> Iterator[None]:
        """Signals to runtimes while they start a container, as their own Go code sends itself on a busy machine."""
        shop = host(BUSY)
        shop.check_output("systemd-run -q --unit=interruptions sh -c 'while :; do pkill -URG -f \"^runc init\"; done'")
        yield
        shop.check_output("systemctl stop interruptions")

    @pytest.mark.usefixtures("interruptions")
    def test_only_needed_capabilities_are_left(self) -> None:
        told = module(
            "docker_seccomp_record",
            name="chown",
            image="busybox:local",
            command=["chown", "3", "/tmp"],
            capabilities=["CHOWN", "NET_RAW", "SETUID"],
        )
        assert told["capabilities"] == ["CHOWN"]

    def test_workload_works_under_it_and_nothing_else_does(self, options: str) -> None:
        shop = host(BUSY)
        shop.check_output(f"docker run -d --name shop {options} {' '.join((*self.RUN_OPTIONS, *self.WORKLOAD))}")
        try:
            shop.check_output("for i in 1 2 3 4 5 6; do " + " ".join(self.TEST) + " && exit; sleep 0.5; done; exit 1")
            assert "Seccomp:\t2" in shop.check_output("cat /proc/$(docker inspect -f '{{.State.Pid}}' shop)/status")
            attempt = shop.run(f"docker run --rm {options} --tmpfs /t busybox:local mkdir /t/x")
            assert "Operation not permitted" in attempt.stderr
            assert shop.run("docker run --rm --tmpfs /t busybox:local mkdir /t/x").rc == 0
            reason = "shop.json can't be removed, since the running container shop uses it"
            assert reason in refusal("docker_seccomp", absent=["shop"])
            assert shop.file(f"{DIRECTORY}/shop.json").exists
        finally:
            shop.check_output("docker rm -f shop")

    def test_workload_that_fails_is_told_of(self) -> None:
        said = refusal("docker_seccomp_record", name="x", image="busybox:local", command=["false"])
        assert "The workload fails with all of AUDIT_WRITE" in said


def test_preset_allows_nothing_that_the_engine_refuses() -> None:
    told = module("docker_seccomp_diff_info", second=f"{DIRECTORY}/web.json", capabilities=["web"])
    assert told["only_second"] == []
    assert {"ptrace", "io_setup"} <= set(told["only_first"])
    assert "socket" in [item["syscall"] for item in told["conditions"]]


class TestChanges:
    def test_changed_default_takes_effect_without_a_container_ending(self, tmp_path: Path) -> None:
        process, former = kept(), default_path(BUSY)
        changed = profiles()
        changed[0]["deny"].append("chroot")
        busybox = "docker run --rm busybox:local chroot / true"
        assert host(BUSY).run(busybox).rc == 0
        assert "failed=0" in play(tmp_path, docker_seccomp_profiles=changed)
        assert "Operation not permitted" in host(BUSY).run(busybox).stderr
        assert not host(BUSY).file(former).exists
        assert "changed=0" in play(tmp_path, docker_seccomp_profiles=changed)
        assert "failed=0" in play(tmp_path)
        assert (default_path(BUSY), kept()) == (former, process)
        assert host(BUSY).run(busybox).rc == 0

    def test_engine_goes_back_to_its_own_and_takes_the_files_along(self, tmp_path: Path) -> None:
        process = kept()
        gone = {"docker_seccomp_daemon_profile": "builtin", "docker_seccomp_profiles": []}
        predicted = play(tmp_path, "--check", docker_seccomp_absent=["default"], **gone)
        assert "failed=0" in predicted, predicted
        assert "seccomp-profile" in host(BUSY).check_output("cat /etc/docker/daemon.json")
        assert "failed=0" in play(tmp_path, docker_seccomp_absent=["default"], **gone)
        assert "profile=builtin" in host(BUSY).check_output("docker info -f '{{.SecurityOptions}}'")
        assert host(BUSY).check_output(f"ls {DIRECTORY}").split() == ["minimal.json", "web.json", "worker.json"]
        assert "failed=0" in play(tmp_path)
        assert kept() == process

    @pytest.mark.parametrize("arguments", [("--check",), ()])
    def test_profiles_of_the_operator_stay(self, tmp_path: Path, arguments: tuple[str, ...]) -> None:
        own = f"{DIRECTORY}/own.json {DIRECTORY}/own.0123456789ab.json"
        host(BUSY).check_output(f'echo \'{{"defaultAction": "SCMP_ACT_ALLOW"}}\' | tee {own}')
        try:
            before = host(BUSY).check_output(f"ls -l --time-style=full-iso {DIRECTORY}; cat {own}")
            told = play(tmp_path, *arguments, docker_seccomp_profiles=[*profiles(), {"name": "own"}])
            assert "own.json was not written by docker_seccomp: give the profile another name" in " ".join(told.split())
            told = play(tmp_path, *arguments, docker_seccomp_absent=["own"])
            assert "own.json was not written by docker_seccomp, so it stays" in " ".join(told.split())
            assert host(BUSY).check_output(f"ls -l --time-style=full-iso {DIRECTORY}; cat {own}") == before
        finally:
            host(BUSY).check_output(f"rm {own}")

    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            ({"profiles": [{"name": "x", "deny": ["keyctrl"]}]}, "did you mean keyctl?"),
            ({"profiles": [{"name": "x", "base": "/no.json"}]}, "can't be read: No such file"),
            ({"profiles": [{"name": "x", "deny": ["execve"]}]}, "No container starts under profile x"),
            ({"daemon_profile": "y"}, "daemon_profile is y, which is not in profiles"),
            ({"absent": ["default"]}, "default.json can't be removed, since /etc/docker/daemon.json uses it"),
        ],
    )
    def test_refusal_changes_nothing(self, given: dict[str, Any], reason: str) -> None:
        state = f"cd {DIRECTORY}; ls -l --time-style=full-iso; cat /etc/docker/daemon.json; docker ps -aq"
        before = host(BUSY).check_output(state)
        assert reason in refusal("docker_seccomp", **given)
        assert host(BUSY).check_output(state) == before


def test_audit_accepts_the_profiles(tmp_path: Path) -> None:
    done = ansible(
        "ansible-playbook",
        "breakwater.docker.compliance",
        docker_compliance_report_dir=str(tmp_path),
        docker_compliance_controls=["daemon_seccomp_profile", "container_seccomp_filtered"],
    )
    assert done.returncode == 0, done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    found = {(each["host"], finding["status"]) for each in report["hosts"] for finding in each["findings"]}
    assert found >= {(name, "pass") for name in HOSTS}
    assert {status for _name, status in found} <= {"pass", "not_applicable"}
    assert len(report["hosts"]) == len(bed.hosts())
