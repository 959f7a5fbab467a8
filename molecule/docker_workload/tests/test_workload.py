# Containers of the role seen from outside: how the kernel confines them, that they work, who reaches whom, and what
# becomes of a service while its container is replaced.

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any, Iterator

import pytest
from workload_hosts import BUSY, HOSTS, NAMES, ansible, changed, containers, everything, host, state

#: What a proxy does that knows both ports of the range.
REQUEST = "curl -sfm 5 http://127.0.0.1:8080/ || curl -sfm 5 http://127.0.0.1:8081/"


@pytest.fixture(scope="module", autouse=True)
def _others_are_left_alone() -> Iterator[None]:
    before = state("kept")
    yield
    assert state("kept") == before


@pytest.mark.parametrize("name", HOSTS)
class TestContainers:
    def test_kernel_confines_them(self, name: str) -> None:
        for container in NAMES:
            told = host(name).check_output(f"cat /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {container})/status")
            status = dict(line.split(":\t", 1) for line in told.splitlines() if ":\t" in line)
            assert status["Uid"].split() == ["65532"] * 4
            assert {status[field] for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")

    def test_they_work(self, name: str) -> None:
        assert host(name).check_output(REQUEST) == "first"
        assert host(name).check_output("docker exec db cat /data/file") == "kept"
        assert host(name).check_output("docker exec web cat /run/secrets/token /tmp/copy") == "hunter2-of-the-shop" * 2

    def test_what_they_need_not_they_can_not(self, name: str) -> None:
        refusals = {
            "docker exec web touch /bin/x": "Read-only file system",
            "docker exec web sh -c 'cp /bin/busybox /tmp/x; /tmp/x true'": "Permission denied",
            "docker exec web sh -c 'echo x >/run/secrets/token'": "Read-only file system",
            "docker exec web chown 0 /tmp/index.html": "Operation not permitted",
            "docker exec -u 1000 web cat /run/secrets/token": "Permission denied",
        }
        for command, reason in refusals.items():
            done = host(name).run(command)
            assert done.rc != 0
            assert reason in done.stderr

    def test_limits_hold(self, name: str) -> None:
        bomb = "i=0; while [ $i -lt 120 ]; do sleep 1 & i=$((i+1)); done"
        assert "can't fork" in host(name).run(f"docker exec ledger sh -c '{bomb}'").stderr
        hog = "head -c 100m /dev/zero | tail"
        assert host(name).run(f"docker exec web sh -c '{hog}'").rc == 137

    def test_secret_is_in_its_file_only(self, name: str) -> None:
        shown = host(name).check_output("docker inspect web; cat /proc/*/environ 2>/dev/null || true")
        assert "hunter2" not in shown
        found = host(name).check_output("grep -rl hunter2 /var/lib/breakwater /etc /run /root 2>/dev/null || true")
        [path] = found.split()
        assert (host(name).file(path).mode, host(name).file(path).uid) == (0o400, 65532)
        assert host(name).run(f"setpriv --reuid 65532 --clear-groups cat {path}").rc != 0

    def test_tenants_do_not_meet(self, name: str) -> None:
        address = host(name).check_output(
            "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' web"
        )
        assert host(name).check_output(f"curl -sfm 5 http://{address}:8080/") == "first"
        for neighbour in ("db", "ledger"):  # on the same network without ICC, and on another one
            assert host(name).run(f"docker exec {neighbour} wget -T 3 -qO- http://{address}:8080/").rc != 0
            assert host(name).run(f"docker exec {neighbour} wget -T 3 -qO- http://web:8080/").rc != 0
        mounted = host(name).check_output("docker inspect -f '{{range .Mounts}}{{.Name}} {{end}}' db ledger web")
        assert mounted.split() == ["shop-data", "bank-data"]

    def test_docker0_is_empty(self, name: str) -> None:
        members = host(name).check_output("docker network inspect -f '{{range .Containers}}{{.Name}} {{end}}' bridge")
        assert set(members.split()) <= {"kept", "moved"}


def test_audit_finds_nothing_without_any_waiver(tmp_path: Path) -> None:
    done = ansible(
        "ansible-playbook",
        "breakwater.docker.compliance",
        docker_compliance_report_dir=str(tmp_path),
        docker_compliance_profile="strict",
        docker_compliance_controls=["5", "container", "network"],
    )
    assert done.returncode == 0, done.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    findings = [finding for each in report["hosts"] for finding in each["findings"]]
    ours = [finding for finding in findings if finding["object"]["name"] in (*NAMES, "shop", "bank")]
    assert len({finding["control"] for finding in ours if finding["object"]["name"] == "web"}) > 35
    assert [finding for finding in ours if finding["status"] not in ("pass", "not_applicable", "manual")] == []
    assert {finding["control"] for finding in ours if finding["status"] == "manual"} == {
        "container_image_current",
        "container_ports_needed",
    }
    assert {finding["status"] for finding in findings if finding["object"]["name"] == "kept"} >= {"fail"}


class Requests(threading.Thread):
    """Asks the service again and again, as a proxy would; notes each answer."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[str] = []
        self._ends = threading.Event()

    def run(self) -> None:
        while not self._ends.is_set():
            done = host().run(REQUEST)
            self.answers.append(done.stdout.strip() if done.rc == 0 else f"failed: {done.stderr}")

    def __enter__(self) -> Requests:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ends.set()
        self.join()


class TestChanges:
    def test_service_answers_while_it_is_replaced(self, play: Any) -> None:
        others = state("db", "ledger")
        second = changed("web", environment={"GREETING": "second"})
        before = everything()
        predicted = play("--check", "--diff", containers=second)
        assert "changed=1" in predicted
        assert "first" not in predicted
        assert everything() == before
        with Requests() as requests:
            assert "changed=1" in play(containers=second)
        assert set(requests.answers) == {"first", "second"}
        assert "changed=0" in play(containers=second)
        assert "changed=1" in play()
        assert state("db", "ledger") == others
        assert host().check_output("docker ps -a --format '{{.Names}}' | sort").split() == [
            *("db", "kept", "ledger", "moved", "web")
        ]

    def test_version_that_is_not_well_is_taken_back(self, play: Any) -> None:
        process = state("web")
        sick = {"test": ["CMD", "false"], "interval": 1, "retries": 1, "start_period": 0}
        with Requests() as requests:
            said = play(containers=changed("web", health=sick))
        assert "The new container of web is not well and was stopped: its health check fails." in said
        assert "The former container runs as before." in said
        assert set(requests.answers) == {"first"}
        ends = changed("web", command=["false"])
        assert re.search("is not well and was stopped: it ended (with 1|and was started again)", play(containers=ends))
        assert state("web") == process
        assert "changed=1" in play()  # what was left to look at goes
        assert "changed=0" in play()
        assert state("web") == process

    def test_service_is_interrupted_with_leave_only(self, play: Any) -> None:
        process = state("db")
        larger = changed("db", memory="80m")
        before = everything()
        assert "two can't share what it writes to, shop-data" in play(containers=larger)
        assert (state("db"), everything()) == (process, before)
        broken = changed("db", health={"test": ["CMD", "false"], "interval": 1, "retries": 1, "start_period": 0})
        assert "The former container runs as before." in play(containers=broken, allow_interruption=True)
        assert host().check_output("docker exec db cat /data/file") == "kept"
        assert "changed=1" in play(containers=larger, allow_interruption=True)
        assert host().check_output("docker inspect -f '{{.HostConfig.Memory}}' db") == str(80 << 20)
        assert "changed=1" in play(allow_interruption=True)

    def test_new_secret_makes_a_new_container(self, play: Any) -> None:
        process = state("web")
        said = play("-vvv", containers=changed("web", secrets=[{"name": "token", "content": "other-than-before"}]))
        assert "changed=1" in said
        assert "other-than-before" not in said
        assert "hunter2" not in said
        assert host().check_output("docker exec web cat /run/secrets/token") == "other-than-before"
        assert len(host().check_output("ls /var/lib/breakwater/secrets/web").split()) == 1
        assert state("web") != process
        assert "changed=1" in play()

    def test_secret_belongs_to_whom_it_is_described_for(self, play: Any) -> None:
        secret = {"name": "token", "content": "hunter2-of-the-shop"}
        for user, readable, rights in (("1000:1000", True, "440 1000 1000"), ("2000:1000", False, "400 2000 1000")):
            told = changed("web", user=user, secrets=[{**secret, "group_readable": readable}])
            assert "changed=1" in play(containers=told)
            assert host().check_output("stat -c '%a %u %g' /var/lib/breakwater/secrets/web/*") == rights
            assert host().check_output("docker exec web cat /run/secrets/token") == "hunter2-of-the-shop"
        assert "changed=1" in play()

    def test_drift_is_mended_and_what_ended_is_started(self, play: Any) -> None:
        host().check_output("docker update --memory 128m --memory-swap 128m web")
        host().check_output("docker stop ledger")
        data = host().check_output("docker inspect -f '{{.Id}}' ledger")
        assert "changed=1" in play()
        assert host().check_output("docker inspect -f '{{.HostConfig.Memory}}' web") == str(64 << 20)
        assert host().check_output("docker inspect -f '{{.Id}} {{.State.Status}}' ledger") == f"{data} running"
        assert "changed=0" in play()

    def test_container_of_somebody_else_is_moved_when_that_is_said(self, play: Any) -> None:
        moved = {"name": "moved", "owner": "bank", "image": containers()[0]["image"], "command": ["sleep", "1000000"]}
        moved.update(health={"test": ["CMD", "true"]}, stop_timeout=1, reasons=containers()[0]["reasons"])
        process = state("moved")
        tenants = [{"name": "shop"}, {"name": "bank"}]
        said = play(containers=[*containers(), moved], tenants=tenants)
        assert "The container moved was not made by docker_workload" in said
        assert state("moved") == process
        assert "changed=1" in play(containers=[*containers(), {**moved, "adopt": True}], tenants=tenants)
        assert host().check_output("docker exec moved id -u") == "65532"
        assert "changed=1" in play(absent=["moved"])
        assert host().run("docker inspect moved").rc != 0

    def test_data_in_a_volume_without_a_name_go_with_the_container(self, play: Any) -> None:
        written = "echo kept >/data/file && exec sleep 1000000"
        host().check_output(f"docker run -d --name old --stop-timeout 1 -v /data busybox:local sh -c '{written}'")
        host().check_output("docker stop old")
        volume = host().check_output("docker inspect -f '{{range .Mounts}}{{.Name}}{{end}}' old")
        old = {"name": "old", "owner": "bank", "adopt": True, "command": ["sleep", "1000000"], "stop_timeout": 1}
        old.update(image=containers()[0]["image"], reasons=containers()[0]["reasons"])
        old.update(health={"test": ["CMD", "grep", "-q", "kept", "/data/file"], "interval": 2})
        tenants = [{"name": "shop"}, {"name": "bank"}]
        before = everything()
        for mode in ("--check", "--diff"):
            said = play(mode, containers=[*containers(), old], tenants=tenants)
            assert f"What it keeps in /data is in the volume {volume}, and it is not listed" in said
        assert everything() == before
        old["volumes"] = [{"volume": volume, "target": "/data"}]
        assert "changed=1" in play(containers=[*containers(), old], tenants=tenants)
        assert "changed=1" in play(absent=["old"])
        host().check_output(f"docker volume rm {volume}")

    def test_reason_is_in_the_report(self, play: Any, tmp_path: Path) -> None:
        stated = {"container_capabilities_not_added": "Answers on port 80 of its own."}
        reasons = {**containers()[0]["reasons"], **stated}
        said = play(containers=changed("web", cap_add=["NET_BIND_SERVICE"], reasons=reasons))
        assert "changed=1" in said
        assert "web: container_capabilities_not_added, since: Answers on port 80 of its own." in said
        options = {
            "report_dir": str(tmp_path),
            "profile": "strict",
            "controls": ["container", "image_signature_verified"],
        }
        module = "breakwater.docker.docker_compliance_info"
        done = ansible("ansible", BUSY, "-m", module, "-a", json.dumps(options))
        assert done.returncode == 0, done.stdout
        report = json.loads((tmp_path / "hosts" / f"{BUSY}.json").read_text())
        failures = [item for item in report["findings"] if item["status"] == "fail" and item["object"]["name"] == "web"]
        [message] = [item["message"] for item in failures]
        assert message.endswith("The owner's reason: Answers on port 80 of its own.")
        # the image is named by its id: the reason for that is the containers', the finding its own
        [image] = [
            item for item in report["findings"] if "web" in item["message"] and item["object"]["type"] == "image"
        ]
        assert (image["control"], image["object"]["id"]) == ("image_signature_verified", containers()[0]["image"])
        assert "The owner's reason: It is built on this machine and pushed nowhere. (container" in image["message"]
        assert "changed=1" in play()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"volumes": [{"host_path": "/run/docker.sock", "target": "/s"}]}, "container_no_engine_socket"),
        ({"volumes": [{"host_path": "/srv/etc", "target": "/s"}]}, "/srv/etc leads to what belongs to the system"),
        (
            {"volumes": [{"volume": "bank-data", "target": "/d"}]},
            "the volume bank-data can't be of two owners, shop and bank",
        ),
        ({"privileged": True}, "container_not_privileged"),
        (
            {"image": f"registry.invalid/web@{'sha256:'.ljust(71, '0')}"},
            "/etc/docker/image-trust/policy.json: give policy",
        ),
        ({"pid": "host"}, "pid"),
    ],
)
def test_refusal_changes_nothing(play: Any, options: dict[str, Any], reason: str) -> None:
    host().check_output("ln -sfn /etc /srv/etc")
    before = everything()
    said = play(containers=changed("web", **options))
    assert "failed=1" in said
    assert reason in said
    assert everything() == before
