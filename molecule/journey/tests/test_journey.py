# Hosts that went all the way, seen from outside: they serve, the strict audit finds nothing that a role claims to mend,
# no threat is exposed, what is meddled with comes back as check mode says, and there is a way back.

from __future__ import annotations

import datetime
import json
import os
import re
import shlex
from pathlib import Path
from typing import Any

import bed
import pytest
import testinfra
import yaml

from ansible_collections.breakwater.docker.tests.integration import check_mode

ROOT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
JOURNEY = ROOT / "molecule/journey"
CONVERGE = str(JOURNEY / "converge.yml")
MEDDLE = (JOURNEY / "files/meddle.sh").read_text(encoding="utf-8")
NAMES = bed.names()
[SERVER] = bed.names("registry")
HOSTS = pytest.mark.parametrize("name", NAMES)
#: The tests are those of two scenarios: of container hosts, and of a virtual machine (molecule/vm_journey).
ON_MACHINE = bed.address(SERVER).startswith("ssh:")
Statuses = dict[str, dict[str, set[str]]]

#: What the site decides, as its waivers say.
WAIVED = {
    "daemon_authorization_plugin": "who may do what with the engine is told by client certificates alone",
    "daemon_remote_logging": "logs are collected by an agent on the host",
    "engine_without_known_vulnerabilities": "Debian mends its engine without raising the version",
}
#: A container host has the kernel of the machine, which takes no audit rules, sysctls and modules from it.
KERNEL = "the machine's kernel; molecule/vm_journey has one of its own"
SYSCTLS = (
    *("host_kernel_pointers_hidden", "host_kernel_log_restricted", "host_unprivileged_bpf_disabled"),
    *("host_bpf_jit_hardened", "host_perf_events_restricted", "host_userfaultfd_restricted", "host_io_uring_disabled"),
    *("host_kexec_disabled", "host_ptrace_restricted", "host_address_space_randomised"),
    *("host_core_dumps_of_setuid_programs_off", "host_symlinks_protected", "host_hardlinks_protected"),
)
CATALOGUE = [
    control
    for path in sorted((ROOT / "plugins/plugin_utils/catalogue").glob("*.yml"))
    for control in yaml.safe_load(path.read_text(encoding="utf-8"))
]
#: The controls of which a role says that it mends them.
CLAIMED = {control["id"] for control in CATALOGUE if control["remediation"].get("role")}
OF_KERNEL = {
    **dict.fromkeys((*SYSCTLS, "host_kernel_lockdown", "host_af_alg_out_of_reach"), KERNEL),
    **dict.fromkeys(("exec_not_privileged", "exec_not_root"), KERNEL),
    **{control: KERNEL for control in CLAIMED if control.startswith("audit_")},
}
#: What no role can mend on these hosts.
BEYOND = set() if ON_MACHINE else set(OF_KERNEL)


def host(name: str) -> Any:
    return testinfra.get_host(bed.address(name))


def statuses(directory: Path) -> Statuses:
    """Return the statuses by host and control of the report in the directory."""
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    found: Statuses = {}
    for assessed in report["hosts"]:
        for finding in assessed["findings"]:
            found.setdefault(assessed["host"], {}).setdefault(finding["control"], set()).add(finding["status"])
    return found


@pytest.fixture(scope="module")
def waivers(tmp_path_factory: pytest.TempPathFactory) -> str:
    expires = datetime.date.today() + datetime.timedelta(days=30)
    accepted = [
        {"control": control, "reason": reason, "owner": "site", "expires": expires.isoformat()}
        for control, reason in WAIVED.items()
    ]
    path = tmp_path_factory.mktemp("waivers") / "waivers.yml"
    path.write_text(yaml.safe_dump(accepted))
    return str(path)


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory, waivers: str) -> Path:
    """Audit and attack the hardened hosts."""
    directory = tmp_path_factory.mktemp("proven")
    bed.play(
        "breakwater.docker.prove", docker_compliance_report_dir=str(directory), docker_compliance_waivers=[waivers]
    )
    return directory


@HOSTS
def test_the_workload_of_the_own_registry_serves(name: str) -> None:
    assert host(name).check_output("curl -sf --retry 5 --retry-connrefused http://127.0.0.1:8080/") == "served"
    assert f"{SERVER}:5000/shop/web@sha256:" in host(name).check_output("docker ps --no-trunc")


def test_engines_are_commanded_by_certificate_only() -> None:
    client = host(NAMES[0])
    assert client.check_output("docker --context registry info -f '{{.Name}}'") == SERVER
    answer = client.run(f"curl -sk -m 5 https://{SERVER}:2376/_ping")
    assert (answer.rc, answer.stdout) != (0, "OK")


@HOSTS
def test_strict_audit_finds_nothing_that_a_role_claims_to_mend(name: str, proven: Path) -> None:
    found = statuses(proven)[name]
    failed = {control for control in found if found[control] & {"fail", "error"}}
    assert failed & CLAIMED - BEYOND == set()
    assert set(found) == {control["id"] for control in CATALOGUE}


@HOSTS
def test_no_threat_is_exposed(name: str, proven: Path) -> None:
    report = json.loads((proven / "report.json").read_text(encoding="utf-8"))
    [proof] = [found["proof"] for found in report["hosts"] if found["host"] == name]
    assert {threat: sums["hardened"] for threat, sums in proof["threats"].items()} == {
        f"T{number}": "contained" for number in range(1, 9)
    }
    assert [found["name"] for found in proof["containers"] if found["exposed"]] == []


@pytest.mark.skipif(not ON_MACHINE, reason=KERNEL)
@HOSTS
def test_what_roles_claim_to_mend_of_the_kernel_failed_before_and_passes_after(name: str, proven: Path) -> None:
    before, after = statuses(EPHEMERAL / "before")[name], statuses(proven)[name]
    of_kernel = {*OF_KERNEL, "host_data_root_own_filesystem"}
    # of what people ran nothing is told before it is recorded
    closed = {control for control in of_kernel if before[control] & {"fail", "manual"} and after[control] == {"pass"}}
    assert of_kernel - closed == set()


@pytest.mark.skipif(not ON_MACHINE, reason="AppArmor is the machine's")
@HOSTS
def test_workload_is_held_by_its_own_profile(name: str) -> None:
    pid = host(name).check_output("docker inspect -f '{{.State.Pid}}' web")
    assert host(name).check_output(f"tr -d '\\0' </proc/{pid}/attr/current") == "web (enforce)"


#: What follows is about container hosts, where it takes minutes less.
MEDDLED = pytest.mark.skipif(ON_MACHINE, reason="molecule/journey meddles with its hosts")


@pytest.fixture(scope="module")
def meddled(tmp_path_factory: pytest.TempPathFactory, proven: Path) -> Path:
    """Meddle with the hosts, audit them so, and mend them; return the directory of audits and of records."""
    directory = tmp_path_factory.mktemp("meddled")
    for name in NAMES:
        host(name).check_output(f"sh -c {shlex.quote(MEDDLE)}")
    bed.play("breakwater.docker.compliance", docker_compliance_report_dir=str(directory / "before"))
    os.environ.update(check_mode.environment(directory / "changes"))
    bed.play(CONVERGE, "--check", "--diff")
    bed.play(CONVERGE)
    bed.play("breakwater.docker.compliance", docker_compliance_report_dir=str(directory / "after"))
    return directory


@MEDDLED
def test_check_mode_predicts_how_what_was_meddled_with_is_mended(meddled: Path) -> None:
    predicted, real = check_mode.recorded(meddled / "changes", "converge.yml")
    changed = {task.partition(":")[0] for _host, task in real.changed}
    assert changed >= {
        *("docker_host", "docker_engine", "docker_auditd", "docker_firewall", "docker_tls", "docker_seccomp"),
        *("docker_registry", "docker_workload"),
    }
    assert check_mode.differences(predicted, real) == []


#: Controls that no host of this journey can fail and then pass, with the reason and where the role is tested instead.
REGISTRY = "another registry is no role's to mend (molecule/docker_registry audits bare ones beside the role's)"
BY_ENGINE = (
    {"daemon_no_cors": "engines before 28 only (this scenario on Debian 13)"}
    if os.environ.get("BREAKWATER_DEBIAN")
    else {
        "daemon_direct_routing_blocked": "engines from 28.2 only (this scenario by make molecule-testing)",
        "daemon_manages_ip6tables": "engines from 27 only (this scenario by make molecule-testing)",
    }
)
ELSEWHERE = {
    **OF_KERNEL,
    **BY_ENGINE,
    **{control: REGISTRY for control in CLAIMED if control.startswith("registry_")},
    "container_seccomp_filtered": "a container keeps the filter that it was started with (molecule/docker_seccomp)",
    "daemon_authorization_plugin": "needs the site's plugin (tests/integration/test_authorization.py)",
    "daemon_base_device_size": "only the storage driver devicemapper has it, which engines since 25.0 have not",
    "daemon_config_valid": "only a dockerd that runs by another file fails it (molecule/docker_engine)",
    "daemon_nri_disabled": "engines from 29.2 only, which no Debian has",
    "daemon_rootless": "another engine (tests/integration/test_rootless_role.py)",
    "engine_without_known_vulnerabilities": "needs a newer package (tests/integration/test_engine_packages.py)",
    "host_data_root_own_filesystem": "needs a blank disk (molecule/vm_journey)",
    "host_hardened": "a person judges it",
    "network_icc_disabled": "a network keeps what it was made with (molecule/docker_engine makes new ones)",
    "host_selinux_enforcing": "needs a boot (molecule/vm_selinux)",
}


#: Controls that are mended by taking away what they are about: the metrics' port, and the logs that lie on the host.
TAKEN_AWAY = {"daemon_metrics_local", "daemon_logs_bounded"}


@MEDDLED
def test_what_roles_claim_to_mend_failed_before_and_passes_after(meddled: Path, proven: Path) -> None:
    audits = [(EPHEMERAL / "before", proven), (meddled / "before", meddled / "after")]
    closed = set()
    for before, after in ((statuses(first), statuses(second)) for first, second in audits):
        for name, found in before.items():
            for control in CLAIMED:
                mended = {"not_applicable"} if control in TAKEN_AWAY else {"pass"}
                if "fail" in found[control] and after[name][control] == mended:
                    closed.add(control)
    assert set(ELSEWHERE) <= CLAIMED
    assert CLAIMED - closed - set(ELSEWHERE) == set()


@pytest.fixture(scope="module")
def taken_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Go back as the operations guide says, after all else; a machine boots as well."""
    guide = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## Going back")[2]
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", guide, re.DOTALL))
    back = yaml.safe_load(blocks["yaml"])
    back["docker_tls_clients"] = [{"name": "operator@{{ inventory_hostname }}", "user": "root", "state": "absent"}]
    back["docker_registry_client_registries"] = [{"address": f"{SERVER}:5000", "state": "absent"}]
    workload = tmp_path_factory.mktemp("back") / "workload.yml"
    workload.write_text("- {hosts: all, gather_facts: false, roles: [breakwater.docker.docker_workload]}")
    for playbook in re.findall(r"ansible-playbook (?:-i inventory )?(\S+)", blocks["console"]):
        bed.play(str(workload) if playbook == "workload.yml" else playbook, **back)
    for name in NAMES:
        host(name).check_output(f"sh -ec {shlex.quote(blocks['sh'])} 2>&1")
    if ON_MACHINE:
        host(SERVER).check_output("update-grub 2>&1")
        bed.play(str(SCENARIO / "side_effect.yml"))


@HOSTS
@pytest.mark.usefixtures("taken_back")
def test_docker_works_after_the_way_back(name: str) -> None:
    plain = host(name)
    plain.check_output("docker load -qi /usr/share/breakwater/busybox.tar")
    plain.check_output(
        "docker run -d --name plain -p 8081:80 busybox:local sh -c 'echo plain >/index.html; httpd -f -p 80'"
    )
    other = host(next((other for other in NAMES if other != name), name))
    assert other.check_output(f"curl -sf --retry 5 --retry-connrefused http://{name}:8081/index.html") == "plain"
    security = plain.check_output("docker info -f '{{.SecurityOptions}} {{.LiveRestoreEnabled}}'")
    assert "userns" not in security
    assert security.endswith("false")


@HOSTS
@pytest.mark.usefixtures("taken_back")
def test_nothing_that_acts_is_left_after_the_way_back(name: str) -> None:
    plain = host(name)
    assert plain.check_output("find /etc /run/systemd/system -name '*breakwater*'") == ""
    assert "BREAKWATER" not in plain.check_output("iptables-save")
    assert ":2376 " not in plain.check_output("ss -ltn")
    assert ":5000 " not in plain.check_output("ss -ltn")


@pytest.mark.skipif(not ON_MACHINE, reason=KERNEL)
@HOSTS
@pytest.mark.usefixtures("taken_back")
def test_kernel_is_as_its_distribution_has_it_after_the_way_back(name: str) -> None:
    plain = host(name)
    assert "lockdown" not in plain.check_output("cat /proc/cmdline")
    assert plain.check_output("auditctl -l") == "No rules"
    assert plain.check_output("sysctl -n kernel.io_uring_disabled kernel.kexec_load_disabled").split() == ["0", "0"]
    assert "web (" not in plain.check_output("cat /sys/kernel/security/apparmor/profiles")
