# Who may command the engines, and what becomes of clients and containers while the certificates are exchanged.

from __future__ import annotations

import json
import os
import shlex
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Iterator

import bed
import pytest
import testinfra

from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority, CaSpec
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.certificate import CertificateSpec, issue, to_pem

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PASSPHRASE = "battery-staple-horse-correct"
ENGINES = ("breakwater-tls-12", "breakwater-tls-13")
NOW = datetime.now(timezone.utc)


def host(name: str) -> Any:
    return testinfra.get_host(f"docker://{name}")


CLIENT = host("breakwater-tls-client")
BUNDLE = "/home/alice/.docker"
REFUSED = ("alert", "bad certificate", "unknown ca", "certificate required")


def play(playbook: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    return bed.play(playbook, *arguments, **{"docker_hosts": "pki", **variables})


def converge() -> subprocess.CompletedProcess[str]:
    return play(str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "converge.yml"))


def changed(done: subprocess.CompletedProcess[str], name: str) -> int:
    [line] = [line for line in done.stdout.splitlines() if line.startswith(f"{name} ") and "changed=" in line]
    return int(line.split("changed=")[1].split()[0])


def ping(engine: str, certificate: str | None, key: str = f"{BUNDLE}/key.pem", ca: str = f"{BUNDLE}/ca.pem") -> Any:
    """Ask an engine from the client host by HTTPS, with or without a client's certificate."""
    identity = f"--cert {certificate} --key {key}" if certificate else ""
    return CLIENT.run(f"curl -sS -m 20 --cacert {ca} {identity} https://{engine}:2376/_ping")


def assert_refused(answer: Any) -> None:
    assert answer.rc != 0
    assert "OK" not in answer.stdout
    assert any(word in answer.stderr for word in REFUSED), answer.stderr


def signing_request(key: str) -> str:
    return CLIENT.check_output(f"openssl req -new -subj /CN=x -key {key}")


def put(path: str, content: str) -> str:
    CLIENT.check_output(f"printf %s {shlex.quote(content)} > {path}")
    return path


def kept_process() -> str:
    return host("breakwater-tls-13").check_output("docker inspect -f '{{.State.Pid}}' kept")


@pytest.fixture
def requests() -> Iterator[dict[str, int]]:
    """Let alice command both engines, one request after another, for as long as the test runs; then count."""
    CLIENT.check_output("rm -f /tmp/stop")
    loop = (
        "cd /; ok=0; bad=0; for i in $(seq 100000); do [ -e /tmp/stop ] && break;"
        " if docker --context $0 version >/dev/null 2>>/tmp/$0.errors; then ok=$((ok+1)); else bad=$((bad+1)); fi;"
        " done; echo $ok $bad"
    )
    as_alice = ["docker", "exec", "breakwater-tls-client", "timeout", "900", "runuser", "-u", "alice", "--", "sh", "-c"]
    running = [
        subprocess.Popen([*as_alice, loop, context], stdout=subprocess.PIPE, text=True)
        for context in ("engine-12", "engine-13")
    ]
    counts: dict[str, int] = {}
    yield counts
    CLIENT.check_output("touch /tmp/stop")
    for process in running:
        ok, bad = process.communicate(timeout=60)[0].split()
        assert int(ok) > 50
        assert int(bad) == 0, CLIENT.run("cat /tmp/*.errors").stdout


@pytest.mark.parametrize("engine", ENGINES)
class TestAccess:
    def test_client_with_certificate_is_let_in(self, engine: str) -> None:
        assert ping(engine, f"{BUNDLE}/cert.pem").stdout == "OK"

    def test_context_of_the_docker_command_works(self, engine: str) -> None:
        context = engine.replace("breakwater-tls", "engine")
        assert CLIENT.check_output(f"runuser -u alice -- docker --context {context} info -f '{{{{.Name}}}}'") == engine

    def test_without_certificate_is_refused(self, engine: str) -> None:
        assert_refused(ping(engine, None))

    def test_certificate_of_another_ca_is_refused(self, engine: str, tmp_path: Path) -> None:
        foreign = Authority(tmp_path / "ca")
        foreign.create(CaSpec("Docker CA", "ec-p256", 10, "x"), NOW)
        spec = CertificateSpec("alice", "client", (), "ec-p256", 5)
        request = signing_request(f"{BUNDLE}/key.pem")
        made = issue(spec, request, foreign.certificate(), foreign.key("x"), NOW)
        assert_refused(ping(engine, put("/root/foreign.pem", to_pem(made))))

    @pytest.mark.parametrize(
        ("usage", "issued"), [("client", NOW - timedelta(days=9)), ("server", NOW)], ids=["expired", "of a server"]
    )
    def test_unfit_certificate_is_refused(self, engine: str, usage: str, issued: datetime) -> None:
        authority = Authority(EPHEMERAL / "docker-ca")
        spec = CertificateSpec("alice", usage, (), "ec-p256", 5)
        request = signing_request(f"{BUNDLE}/key.pem")
        made = issue(spec, request, authority.certificate(), authority.key(PASSPHRASE), issued)
        assert_refused(ping(engine, put("/root/unfit.pem", to_pem(made))))

    def test_plain_http_is_refused(self, engine: str) -> None:
        answer = CLIENT.run(f"curl -s -o /dev/null -w '%{{http_code}}' http://{engine}:2376/_ping")
        assert answer.stdout == "400"

    def test_other_user_of_the_host_is_refused_at_the_socket(self, engine: str) -> None:
        as_mallory = "runuser -u mallory -- curl -sS --unix-socket /run/docker.sock http://localhost/_ping"
        assert host(engine).run(as_mallory).rc != 0
        assert host(engine).check_output("curl -s --unix-socket /run/docker.sock http://localhost/_ping") == "OK"

    def test_files_have_the_rights_of_cis(self, engine: str) -> None:
        for name, mode in (("ca.pem", 0o444), ("cert.pem", 0o444), ("key.pem", 0o400)):
            file = host(engine).file(f"/etc/docker/tls/{name}")
            assert (file.mode, file.user, file.group) == (mode, "root", "root")

    def test_port_is_closed_without_tlsverify(self, engine: str) -> None:
        machine = host(engine)
        machine.check_output("cp /etc/docker/daemon.json /root/daemon.json")
        try:
            machine.check_output('echo \'{"live-restore": true, "hosts": ["fd://"]}\' >/etc/docker/daemon.json')
            machine.check_output("systemctl restart docker.service")
            assert not machine.socket("tcp://2376").is_listening
        finally:
            machine.check_output("cp /root/daemon.json /etc/docker/daemon.json && systemctl restart docker.service")
        assert machine.socket("tcp://2376").is_listening


def test_clients_files_have_their_users_rights() -> None:
    for user in ("alice", "bob"):
        key = CLIENT.file(f"/home/{user}/.docker/key.pem")
        assert (key.mode, key.user) == (0o400, user)


def test_check_of_a_bare_host_predicts_and_writes_nothing(tmp_path: Path) -> None:
    bare = host("breakwater-tls-bare")
    listing = (
        "find /etc /usr /var/lib /home -xdev -type f -print0 | sort -z | xargs -0 sha256sum;"
        " find /etc /usr /var/lib /home -xdev -printf '%p %m %u %g\\n' | sort"
    )
    before = bare.check_output(listing)
    directory = tmp_path / "ca"
    check = play(
        "breakwater.docker.rotate_certificates", "--check", docker_hosts="bare", docker_tls_ca_dir=str(directory)
    )
    assert changed(check, "breakwater-tls-bare") > 0
    assert bare.check_output(listing) == before
    assert not directory.exists()


def test_second_run_changes_nothing_and_no_secret_gets_about() -> None:
    again = converge()
    for name in (*ENGINES, "breakwater-tls-client"):
        assert changed(again, name) == 0
    places = {name: f"{path}/key.pem" for name, path in zip(ENGINES, ["/etc/docker/tls"] * 2)}
    places["breakwater-tls-client"] = f"{BUNDLE}/key.pem"
    keys = {name: host(name).file(path).content_string.splitlines()[1] for name, path in places.items()}
    assert len(set(keys.values())) == len(keys)
    on_controller = [path.read_text() for path in EPHEMERAL.rglob("*") if path.is_file()]
    for owner, key in keys.items():
        assert key not in again.stdout + again.stderr
        assert not any(key in text for text in on_controller)
        for other in keys.keys() - {owner}:
            assert (
                host(other).run(f"grep -rlF {shlex.quote(key)} /etc /home /root /var/log /var/lib/systemd").stdout == ""
            )
    assert PASSPHRASE not in again.stdout + again.stderr
    assert "ENCRYPTED" in (EPHEMERAL / "docker-ca/current/ca-key.pem").read_text()


def test_interrupted_run_is_made_up_for() -> None:
    """Files are newer than the engine where a run was killed between installing them and restarting it."""
    process = kept_process()
    host("breakwater-tls-13").check_output("touch /etc/docker/tls/cert.pem")
    assert changed(converge(), "breakwater-tls-13") == 1
    assert changed(converge(), "breakwater-tls-13") == 0
    assert kept_process() == process


def test_renewal_refuses_nobody_and_keeps_keys_and_containers(requests: dict[str, int]) -> None:
    process = kept_process()
    key = CLIENT.file(f"{BUNDLE}/key.pem").content
    certificate = CLIENT.file(f"{BUNDLE}/cert.pem").content
    play("breakwater.docker.rotate_certificates", docker_tls_days=60)
    assert CLIENT.file(f"{BUNDLE}/cert.pem").content != certificate
    assert CLIENT.file(f"{BUNDLE}/key.pem").content == key
    assert kept_process() == process


def test_new_ca_refuses_nobody_but_the_removed_client(requests: dict[str, int]) -> None:
    process = kept_process()
    CLIENT.check_output("mkdir -p /root/bob && cp /home/bob/.docker/*.pem /root/bob/")
    stolen = {"certificate": "/root/bob/cert.pem", "key": "/root/bob/key.pem"}
    assert ping(ENGINES[1], **stolen).stdout == "OK"
    play("breakwater.docker.rotate_certificates", docker_tls_ca_rotate=True, bob="absent")
    for engine in ENGINES:
        assert_refused(ping(engine, **stolen))
        assert ping(engine, f"{BUNDLE}/cert.pem").stdout == "OK"
    assert not CLIENT.file("/home/bob/.docker/key.pem").exists
    assert CLIENT.check_output("find /home/bob/.docker -name meta.json") == ""
    assert Authority(EPHEMERAL / "docker-ca").phase == "stable"
    assert kept_process() == process


def module(name: str, *arguments: str, **options: Any) -> str:
    """Run a module of the collection on an engine's host and return what it says."""
    command = ["ansible", ENGINES[1], "-i", os.environ["MOLECULE_INVENTORY_FILE"], "-m", f"breakwater.docker.{name}"]
    done = subprocess.run(
        [*command, "-a", json.dumps(options), *arguments],
        capture_output=True,
        text=True,
        timeout=bed.PLAY_SECONDS,
        check=False,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"},
    )
    return done.stdout + done.stderr


@pytest.fixture
def application() -> Iterator[Any]:
    """Return the engine's host with a unit that requires docker.service, as units of applications do."""
    machine = host(ENGINES[1])
    unit = "[Unit]\nRequires=docker.service\nAfter=docker.service\n[Service]\nExecStart=/bin/sleep infinity\n"
    machine.check_output(f"printf '{unit}' > /run/systemd/system/application.service && systemctl start application")
    yield machine
    machine.check_output("systemctl stop application; rm /run/systemd/system/application.service")


def test_units_that_require_the_engine_are_not_stopped_unasked(application: Any) -> None:
    state = "systemctl show -P MainPID application"
    process = application.check_output(state)
    changes: dict[str, dict[str, Any]] = {
        "docker_tls_listener": {"port": 2377},
        "docker_daemon_config": {"config": {"default-shm-size": "32M"}},
    }
    for name, options in changes.items():
        assert "systemd then restarts application.service too" in module(name, **options)
    assert application.check_output(state) == process
    assert application.socket("tcp://2376").is_listening
    for closed, opened in ((2376, 2377), (2377, 2376)):
        told = module("docker_tls_listener", port=opened, allow_interruption=True)
        assert "CHANGED" in told, told
        assert application.service("application").is_running
        assert application.socket(f"tcp://{opened}").is_listening
        assert not application.socket(f"tcp://{closed}").is_listening


def test_port_on_an_address_that_the_host_gets_later() -> None:
    machine, later = host(ENGINES[1]), "198.51.100.7"
    machine.check_output(f"ip address add {later}/32 dev lo")
    told = module("docker_tls_listener", address=later)
    assert "CHANGED" in told, told
    machine.check_output(f"ip address del {later}/32 dev lo")
    # the port is opened anew, as at boot
    machine.check_output("systemctl stop docker-tls.socket && systemctl restart docker.service")
    assert machine.socket(f"tcp://{later}:2376").is_listening
    told = module("docker_tls_listener", port=2376)
    assert "CHANGED" in told, told
    assert ping(ENGINES[1], f"{BUNDLE}/cert.pem").stdout == "OK"


def test_closed_port_is_noticed_and_opened() -> None:
    machine = host(ENGINES[1])
    process = kept_process()
    machine.check_output(
        "systemctl stop docker.service docker-tls.socket; systemd-run -q --unit=squatter python3 -m http.server 2376;"
        " until ss -Hltn sport = 2376 | grep -q .; do sleep 0.1; done; systemctl start docker; systemctl stop squatter"
    )
    assert not machine.socket("tcp://2376").is_listening
    assert "its port is closed" in module("docker_tls_listener", "--check", port=2376)
    assert not machine.socket("tcp://2376").is_listening
    assert "its port is closed" in module("docker_tls_listener", port=2376)
    assert ping(ENGINES[1], f"{BUNDLE}/cert.pem").stdout == "OK"
    assert "SUCCESS" in module("docker_tls_listener", port=2376)
    assert kept_process() == process


def test_audit_finds_the_engines_protected(tmp_path: Path) -> None:
    play(
        "breakwater.docker.compliance",
        docker_hosts="engines",
        docker_compliance_report_dir=str(tmp_path),
        docker_compliance_controls=["cis_1_8:2.8", *(f"cis_1_8:3.{number}" for number in range(9, 15))],
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert {finding["status"] for each in report["hosts"] for finding in each["findings"]} == {"pass"}
    assert len(report["hosts"]) == len(bed.hosts("engines"))
