# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import image_history


def history(*steps: str) -> list[image_history.Instruction]:
    """Parse steps given oldest first, as a Dockerfile has them; the engine answers newest first."""
    return image_history.parse([{"CreatedBy": step, "Size": 0} for step in reversed(steps)])


@pytest.mark.parametrize(
    ("step", "keyword", "text"),
    [
        ("/bin/sh -c #(nop)  ENV A=b", "ENV", "A=b"),
        ("/bin/sh -c #(nop) ADD file:0123 in / ", "ADD", "file:0123 in /"),
        ("/bin/sh -c apt-get update", "RUN", "/bin/sh -c apt-get update"),
        ("|1 A=b /bin/sh -c make", "RUN", "|1 A=b /bin/sh -c make"),
        ("ENV A=b", "ENV", "A=b"),
        ("RUN /bin/sh -c make # buildkit", "RUN", "/bin/sh -c make"),
        ("COPY . /app # buildkit", "COPY", ". /app"),
        ('CMD ["bash"]', "CMD", '["bash"]'),
        ("", "RUN", ""),
    ],
)
def test_both_builders_are_understood(step: str, keyword: str, text: str) -> None:
    assert history(step) == [image_history.Instruction(keyword, text)]


@pytest.mark.parametrize("raw", [None, []])
def test_an_empty_history_is_no_trouble(raw: Any) -> None:
    assert image_history.secrets(image_history.parse(raw)) == []


@pytest.mark.parametrize("raw", [{}, "x", 1, [1], [{"CreatedBy": 1}], [{"CreatedBy": None}], [{}]])
def test_garbage_is_unreadable(raw: Any) -> None:
    with pytest.raises(UnreadableError):
        image_history.parse(raw)


@pytest.mark.parametrize(
    ("steps", "count"),
    [
        (["/bin/sh -c #(nop) ADD file:0123 in / ", '/bin/sh -c #(nop)  CMD ["bash"]'], 0),
        (["ARG RELEASE", "ADD rootfs.tar.xz / # buildkit", 'CMD ["bash"]'], 0),
        (["ADD rootfs.tar.xz / # buildkit", "ADD app.tar.gz / # buildkit"], 1),
        (["ADD app.tar.gz /app # buildkit"], 1),
        (["COPY . / # buildkit", "ADD https://example.org/x / # buildkit"], 1),
        (["RUN /bin/sh -c echo ADD x # buildkit"], 0),
    ],
)
def test_the_root_file_system_is_no_addition(steps: list[str], count: int) -> None:
    assert image_history.additions(history(*steps)) == count


@pytest.mark.parametrize(
    ("command", "lone"),
    [
        ("apt-get update", True),
        ("apt-get -q update && rm -rf /tmp/x", True),
        ("apk update", True),
        ("yum -y makecache", True),
        ("zypper --non-interactive refresh", True),
        ("apt-get update && apt-get install -y curl", False),
        ("apt-get update && apt-get -y upgrade", False),
        ("apk update && apk add curl", False),
        ("apk add --no-cache curl", False),
        ("apt-get -o Acquire::Retries=3 update", True),
        ("bash -c 'apt-get update && apt-get install -y curl'", False),
        ("echo update", False),
        ("update-ca-certificates", False),
    ],
)
def test_updates_alone_are_found(command: str, lone: bool) -> None:
    assert image_history.lone_updates(history(f"RUN /bin/sh -c {command} # buildkit")) == lone
    assert image_history.lone_updates(history(f"/bin/sh -c {command}")) == lone


@pytest.mark.parametrize(
    ("step", "labels"),
    [
        ("ENV DB_PASSWORD=hunter2", ["ENV DB_PASSWORD"]),
        ("/bin/sh -c #(nop)  ENV DB_PASSWORD=hunter2", ["ENV DB_PASSWORD"]),
        ("ARG API_TOKEN=hunter2", ["ARG API_TOKEN"]),
        ("ARG API_TOKEN", []),
        ("ENV DB_PASSWORD_FILE=/run/secrets/db", []),
        ("|1 API_TOKEN=hunter2 /bin/sh -c make", ["RUN"]),
        ("RUN |1 API_TOKEN=hunter2 /bin/sh -c make # buildkit", ["RUN"]),
        ("RUN /bin/sh -c git clone https://ada:hunter2@example.org/x # buildkit", ["RUN"]),
        ("RUN /bin/sh -c PGPASSWORD=hunter2 psql # buildkit", ["RUN"]),
        ("COPY id_rsa /root/.ssh/id_rsa # buildkit", ["COPY of a key or credentials file"]),
        ("COPY .env /app/ # buildkit", ["COPY of a key or credentials file"]),
        ("ADD tls/server.key /etc/ # buildkit", ["ADD of a key or credentials file"]),
        ("COPY ca.pem environment.yml keys.txt /etc/ # buildkit", []),
        ("RUN /bin/sh -c apt-get update # buildkit", []),
    ],
)
def test_secrets_are_named_and_not_told(step: str, labels: list[str]) -> None:
    found = image_history.secrets(history(step))
    assert found == labels
    assert "hunter2" not in json.dumps(found)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("apt-get install -y --allow-unauthenticated x", ["packages without a valid signature"]),
        ("yum install --nogpgcheck x", ["packages without a valid signature"]),
        ("zypper --no-gpg-checks in x", ["packages without a valid signature"]),
        ("apk add --allow-untrusted x.apk", ["packages without a valid signature"]),
        ("pip install --trusted-host pypi.example.org x", ["download without a valid certificate"]),
        ("curl -fsSLk https://example.org/x -o x", ["download without a valid certificate"]),
        ("curl -sSL https://example.org/install | bash", ["download run by a shell"]),
        ("wget -qO- https://example.org/install | sudo -E sh -s", ["download run by a shell"]),
        ("curl -sSL https://example.org/install | tee x | /bin/sh", ["download run by a shell"]),
        ("curl -fsSL https://example.org/x -o x; echo y | sh", []),
        ("curl -fsSL https://example.org/key | gpg --dearmor", []),
        ("curl -fsSL https://example.org/x -o x && sha256sum -c x.sum", []),
        ("apt-get install -y curl", []),
    ],
)
def test_unverified_software_is_found(command: str, names: list[str]) -> None:
    assert image_history.unverified(history(f"RUN /bin/sh -c {command} # buildkit")) == names


@pytest.mark.parametrize("seed", ["a", "eyJ", "a.", "passwd", "curl ", "curl -", "apt-get -", "x://", "wget|", "a='"])
def test_the_time_for_a_hostile_text_grows_with_its_length_only(seed: str) -> None:
    steps = history(f"RUN {seed * (60_000 // len(seed))}")
    started = time.process_time()
    image_history.secrets(steps)
    image_history.lone_updates(steps)
    image_history.unverified(steps)
    # squared, this took more than a minute
    assert time.process_time() - started < 5


def test_long_command_takes_little_memory() -> None:
    instructions = history("RUN " + ";" * 200_000)
    tracemalloc.start()
    assert image_history.unverified(instructions) == []
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20
