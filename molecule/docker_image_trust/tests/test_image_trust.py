# What a host lets pass of a real registry: by cosign's keys, by short-lived certificates, by a Notary server; what the
# audit says of containers that run; and who can meddle with it.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
import testinfra
import yaml

REGISTRY, PRISTINE, BUSY = (f"breakwater-trust-{name}" for name in ("registry", "pristine", "busy"))
PLACE = f"{REGISTRY}:5000"
DIRECTORY = "/etc/docker/image-trust"
RECORD = "/var/lib/breakwater/verified-images.json"
PASSWORD = "correct-horse"
RUNNING = ("signed", "unsigned", "moving", "local")
#: Debian 13 has no notation.
BY_NOTATION = (
    {
        "notation/signed:1": ("verified", "signed by x509.subject: C=DE, ST=BE, O=acme"),
        "notation/eves:1": ("refused", "failed for all the signatures"),
        "notation/unsigned:1": ("refused", "no signature is associated"),
    }
    if os.environ.get("BREAKWATER_DEBIAN")
    else {"notation/signed:1": ("undecided", "notation is not installed")}
)
#: What becomes of each image, and why.
EXPECTED = {
    "app/signed:1": ("verified", "signed by release"),
    "app/unsigned:1": ("refused", "has no signature"),
    "app/others:1": ("refused", "none by release that holds"),
    "app/bundle:1": ("verified", "signed by release"),
    "app/others-bundle:1": ("refused", "none by release that holds"),
    "production/web:1": ("verified", "signed by release"),
    "production/test:1": ("refused", "lack the annotations env=production"),
    "ci/web:1": ("verified", "signed by ci@example.org"),
    "ci/eves:1": ("refused", "none of eve@example.org"),
    "accepted/tools:1": ("accepted", "without a signature"),
    "rejected/web:1": ("refused", "The policy rejects"),
    **BY_NOTATION,
    "notary/signed:1": ("verified", f"signed in https://{REGISTRY}:4443"),
    "notary/unsigned:1": ("undecided", "has no signatures"),
    "app/nothing:1": ("undecided", f"{PLACE} has no"),
}


def host(name: str) -> Any:
    return testinfra.get_host(f"docker://{name}")


def ansible(*argv: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    given = ["-i", os.environ["MOLECULE_INVENTORY_FILE"], "-e", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    return subprocess.run([*argv, *given], capture_output=True, text=True, timeout=600, check=False, env=environment)


def module(called: str, *options: str, fails: bool = False, **arguments: Any) -> dict[str, Any]:
    """Run a module on the busy host; return its result."""
    done = ansible("ansible", BUSY, "-m", f"breakwater.docker.{called}", "-a", json.dumps(arguments), *options)
    assert PASSWORD not in done.stdout + done.stderr
    assert fails is bool(done.returncode), done.stdout + done.stderr
    return json.loads(done.stdout.partition("=> ")[2])


def verify(*names: str, check: bool = False, **arguments: Any) -> dict[str, Any]:
    images = [f"{PLACE}/{name}" for name in names]
    return module("docker_image_verify", *(["--check"] if check else []), images=images, **arguments)


def play(tmp_path: Path, limit: str, *arguments: str, **variables: Any) -> str:
    """Run the role on a host; return what it says."""
    playbook = tmp_path / "play.yml"
    playbook.write_text("- {hosts: all, gather_facts: false, roles: [breakwater.docker.docker_image_trust]}")
    done = ansible("ansible-playbook", str(playbook), "--limit", limit, *arguments, **variables)
    return done.stdout + done.stderr


def audit(tmp_path: Path, **variables: Any) -> dict[str, str]:
    """Audit the busy host; return the verdicts by image, and that of CIS 4.5 by its number."""
    done = ansible(
        *("ansible-playbook", "breakwater.docker.compliance", "--limit", BUSY),
        docker_compliance_report_dir=str(tmp_path),
        docker_compliance_controls=["image_signature_verified", "4.5"],
        **variables,
    )
    assert done.returncode == 0, done.stdout
    [assessed] = json.loads((tmp_path / "report.json").read_text())["hosts"]
    found = {}
    for finding in assessed["findings"]:
        name = "4.5" if finding["control"] == "content_trust_enabled" else finding["object"]["name"]
        found[name.replace(f"{PLACE}/", "").partition("@")[0]] = finding["status"]
    return found


def processes() -> str:
    return host(BUSY).check_output(
        f"docker inspect -f '{{{{.State.Pid}}}} {{{{.State.StartedAt}}}}' {' '.join(RUNNING)}"
    )


@pytest.fixture(scope="module", autouse=True)
def _containers_stay() -> Iterator[None]:
    before = processes()
    yield
    assert processes() == before


@pytest.fixture(scope="module")
def pulled() -> dict[str, Any]:
    """The result of pulling everything that may be pulled, in which check mode agrees."""
    listed = "docker images --digests --format '{{.Repository}}@{{.Digest}}' | sort"
    before = host(BUSY).check_output(listed)
    predicted = verify(*EXPECTED, check=True, pull=True)
    assert host(BUSY).check_output(listed) == before
    result = verify(*EXPECTED, pull=True)
    assert predicted["pulled"] == result["pulled"]
    assert predicted["images"] == result["images"]
    assert (predicted["changed"], result["changed"]) == (True, True)
    return result


@pytest.mark.parametrize("name", [PRISTINE, BUSY])
def test_policy_and_keys_are_roots_and_nobody_writes_them(name: str) -> None:
    for path in ("policy.json", "keys/release", "keys/ca", "keys/rekor"):
        file = host(name).file(f"{DIRECTORY}/{path}")
        assert (file.user, file.group, file.mode) == ("root", "root", 0o444)
    assert host(name).run("cosign version").rc == 0


class TestVerifying:
    @pytest.mark.parametrize("name", EXPECTED)
    def test_policy_decides(self, pulled: dict[str, Any], name: str) -> None:
        [image] = [image for image in pulled["images"] if image["reference"] == f"{PLACE}/{name}"]
        status, reason = EXPECTED[name]
        assert image["status"] == status, image["reason"]
        assert reason in image["reason"]
        assert image["verified"] is (status in {"verified", "accepted"})

    def test_another_spelling_is_no_way_around_the_policy(self) -> None:
        policy = [{"repository": "docker.io/evil/*", "action": "reject"}, {"repository": "*", "action": "accept"}]
        names = ["evil/x:1", "index.docker.io/evil/x:1", "Docker.io/evil/x"]
        images = module("docker_image_verify", images=names, policy=policy)["images"]
        assert [image["reason"] for image in images] == ["The policy rejects docker.io/evil/x."] * 3

    def test_only_what_is_verified_is_pulled_and_by_its_digest(self, pulled: dict[str, Any]) -> None:
        may = {image["pinned"] for image in pulled["images"] if image["verified"]}
        assert len(may) == sum(status in {"verified", "accepted"} for status, _reason in EXPECTED.values())
        there = host(BUSY).check_output("docker images --digests --format '{{.Repository}}@{{.Digest}}' | sort").split()
        assert may <= set(there)
        refused = {image["pinned"] for image in pulled["images"] if not image["verified"]}
        assert refused & set(there) <= {name for name in there if "/app/unsigned@" in name}, "it ran before"
        assert set(pulled["pulled"]) < may, "the image of the running container was there"

    def test_a_second_time_nothing_changes(self, pulled: dict[str, Any]) -> None:
        again = verify(*EXPECTED, pull=True)
        assert (again["changed"], again["pulled"]) == (False, [])
        assert again["images"] == pulled["images"]

    def test_required_fails_and_pulls_nothing(self, pulled: dict[str, Any]) -> None:
        publish = host(REGISTRY).check_output("publish app/late:1 late 2>/dev/null")
        host(REGISTRY).check_output(f"sign release {publish}")
        result = verify("app/late:1", "app/unsigned:1", pull=True, required=True, fails=True)
        assert "app/unsigned:1: It has no signature." in result["msg"]
        assert "app/late:1:" not in result["msg"]
        assert host(BUSY).run(f"docker image inspect {publish}").rc != 0

    def test_another_policy_can_be_given(self) -> None:
        other = [{"repository": f"{PLACE}/app/others", "keys": ["release"], "annotations": {"env": "production"}}]
        result = verify("app/others:1", "app/signed:1", policy=other)
        assert [image["verified"] for image in result["images"]] == [False, False]
        assert "no entry for" in result["images"][1]["reason"]

    def test_without_credentials_the_registry_tells_nothing(self) -> None:
        [image] = verify("app/signed:1", docker_config="/nonexistent")["images"]
        assert (image["status"], f"docker login {PLACE}" in image["reason"]) == ("undecided", True), image["reason"]

    def test_bad_input_is_refused(self) -> None:
        assert "not the name of an image" in module("docker_image_verify", images=["--help"], fails=True)["msg"]
        assert "names no keys" in verify("app/signed:1", policy=[{"repository": f"{PLACE}/*"}], fails=True)["msg"]

    def test_credentials_are_in_no_argument_and_in_no_file(self, pulled: dict[str, Any]) -> None:
        # cosign is replaced by what tells how it was called
        spy = '#!/bin/sh\n{ tr "\\\\0" " " </proc/$$/cmdline; env; } >/root/called\nexec /usr/bin/cosign "$@"\n'
        busy = host(BUSY)
        busy.check_output(f"printf '{spy}' >/usr/local/bin/cosign && chmod 755 /usr/local/bin/cosign")
        try:
            assert verify("app/signed:1")["images"][0]["verified"]
        finally:
            busy.check_output("rm /usr/local/bin/cosign")
        called = busy.check_output("cat /root/called")
        assert "cosign verify" in called
        assert PASSWORD not in called
        assert (
            busy.check_output(
                f"grep -rl {PASSWORD} /var/lib/breakwater /etc/docker /tmp; ls -d /tmp/breakwater-*; true"
            )
            == ""
        )


class TestMovedTag:
    @pytest.fixture(scope="class")
    def moved(self) -> tuple[str, str]:
        """The digests that the tag led to before, and that it leads to now."""
        former = host(BUSY).check_output(
            "docker image inspect -f '{{index .RepoDigests 0}}' $(docker inspect -f '{{.Image}}' moving)"
        )
        present = host(REGISTRY).check_output("publish app/moving:1 after 2>/dev/null")
        return former.partition("@")[2], present.partition("@")[2]

    def test_running_container_is_judged_by_its_own_digest(self, moved: tuple[str, str]) -> None:
        result = module("docker_image_verify", running=True)
        by_container = {name: image for image in result["images"] for name in image["containers"]}
        assert set(by_container) == set(RUNNING)
        assert (by_container["moving"]["digest"], by_container["moving"]["moved_from"]) == (moved[0], moved[0])
        assert by_container["moving"]["verified"]
        assert by_container["signed"]["moved_from"] is None

    def test_what_it_leads_to_now_is_verified_by_itself(self, moved: tuple[str, str]) -> None:
        [image] = verify("app/moving:1")["images"]
        assert (image["digest"], image["moved_from"], image["status"]) == (moved[1], moved[0], "refused")
        host(REGISTRY).check_output(f"sign release {PLACE}/app/moving@{moved[1]}")
        [image] = verify("app/moving:1")["images"]
        assert (image["digest"], image["verified"]) == (moved[1], True)


class TestAudit:
    def test_every_image_is_verified_or_told_of(self, pulled: dict[str, Any], tmp_path: Path) -> None:
        found = audit(tmp_path)
        assert found["4.5"] == "pass"
        assert {name: found[f"app/{name}:1"] for name in ("signed", "unsigned", "moving")} == {
            "signed": "pass",
            "unsigned": "fail",
            "moving": "pass",
        }
        assert found["busybox:local"] == "fail"

    def test_the_rest_can_be_waived(self, tmp_path: Path) -> None:
        waiver = {
            "control": "image_signature_verified",
            "reason": "It is built here.",
            "owner": "ops",
            "expires": "2099-01-01",
            "objects": "busybox:local",
        }
        waivers = tmp_path / "waivers.yml"
        waivers.write_text(yaml.safe_dump([waiver]))
        found = audit(tmp_path, docker_compliance_waivers=[str(waivers)])
        assert (found["busybox:local"], found["app/unsigned:1"]) == ("waived", "fail")

    @pytest.mark.parametrize("path", [RECORD, f"{DIRECTORY}/policy.json"])
    def test_what_others_can_have_changed_is_not_trusted(self, tmp_path: Path, path: str) -> None:
        mode = host(BUSY).check_output(f"stat -c %a {path}")
        host(BUSY).check_output(f"chmod o+w {path}")
        try:
            assert audit(tmp_path)["app/signed:1"] == "error"
        finally:
            host(BUSY).check_output(f"chmod {mode} {path}")

    def test_other_demands_and_tampered_files_are_put_right_by_the_role(self, tmp_path: Path) -> None:
        busy, release = host(BUSY), f"{DIRECTORY}/keys/release"
        policy = [{"repository": f"{PLACE}/*", "keys": ["release"], "annotations": {"env": "production"}}]
        module("docker_image_policy", policy=policy, keys={"release": busy.check_output(f"cat {release}")})
        assert audit(tmp_path)["app/signed:1"] == "fail"
        busy.check_output(f"cat /root/.docker/config.json >{release}; chmod 666 {release} {RECORD}")
        [image] = verify("app/signed:1")["images"]
        assert (image["status"], "tampered" in image["reason"]) == ("undecided", True)
        assert "failed=0" in play(tmp_path, BUSY)
        assert (busy.file(RECORD).mode, busy.file(release).mode) == (0o644, 0o444)
        assert audit(tmp_path)["app/signed:1"] == "pass"


class TestContentTrust:
    def pull(self, name: str) -> Any:
        return host(BUSY).run(f"bash -lc 'docker pull {PLACE}/notary/{name}'")

    def test_logins_pull_signed_tags_only(self) -> None:
        refused = self.pull("unsigned:1")
        assert refused.rc != 0
        assert "does not have trust data" in refused.stderr
        pulled = self.pull("signed:1")
        assert pulled.rc == 0, pulled.stderr

    def test_a_root_key_of_somebody_else_is_refused(self) -> None:
        entry = {"verifier": "content_trust", "server": f"https://{REGISTRY}:4443", "keys": ["a" * 64]}
        [image] = verify("notary/signed:1", policy=[{"repository": f"{PLACE}/*", **entry}])["images"]
        assert (image["status"], "root keys are" in image["reason"]) == ("refused", True)

    def test_it_is_refused_for_docker_29(self, tmp_path: Path) -> None:
        script = "#!/bin/sh\\necho Docker version 29.0.0, build x\\n"
        host(PRISTINE).check_output(f"printf '{script}' >/usr/bin/dockerd && chmod 755 /usr/bin/dockerd")
        try:
            said = play(tmp_path, PRISTINE, docker_image_trust_content_trust_server=f"https://{REGISTRY}:4443")
            assert "Docker 29 removed content trust" in said
            assert not host(PRISTINE).file("/etc/profile.d/docker-content-trust.sh").exists
        finally:
            host(PRISTINE).check_output("rm /usr/bin/dockerd")

    def test_logins_lose_it_again(self, tmp_path: Path) -> None:
        assert "changed=1" in play(tmp_path, BUSY, docker_image_trust_content_trust_server="")
        assert not host(BUSY).file("/etc/profile.d/docker-content-trust.sh").exists
        assert self.pull("unsigned:1").rc == 0


class TestGivenCosign:
    """A cosign that no package brings."""

    def test_it_is_installed_by_its_checksum_only(self, tmp_path: Path) -> None:
        pristine, place = host(PRISTINE), "/usr/local/bin/cosign"
        url = f"http://{REGISTRY}:8000/cosign"
        checksum = f"sha256:{host(REGISTRY).check_output('sha256sum /usr/bin/cosign').split()[0]}"
        given = {"docker_image_trust_cosign_url": url, "docker_image_trust_cosign_checksum": checksum}
        assert "needs docker_image_trust_cosign_checksum" in play(tmp_path, PRISTINE, docker_image_trust_cosign_url=url)
        wrong = play(tmp_path, PRISTINE, **{**given, "docker_image_trust_cosign_checksum": "sha256:" + "0" * 64})
        assert "checksum" in wrong
        assert not pristine.file(place).exists
        assert "changed=1" in play(tmp_path, PRISTINE, "--check", **given)
        assert not pristine.file(place).exists
        assert "changed=1" in play(tmp_path, PRISTINE, **given)
        assert (pristine.file(place).user, pristine.file(place).mode) == ("root", 0o755)
        assert "changed=0" in play(tmp_path, PRISTINE, **given)
