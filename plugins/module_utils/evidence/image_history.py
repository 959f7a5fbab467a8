# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the history of an image tells of how it was built. The builders of Docker (the classic one and BuildKit) write an
# instruction in different ways. Values never leave: an instruction is named by its keyword and what it declares.

from __future__ import annotations

import re
from typing import Any, Iterator, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.redact import holds_secret

_KEYWORDS = (
    "ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|HEALTHCHECK|LABEL|MAINTAINER"
    "|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR"
)
_WITH_VALUES = ("ENV", "ARG", "RUN", "LABEL", "CMD", "ENTRYPOINT")
_CLASSIC = re.compile(r"/bin/sh -c #\(nop\)\s+")
_INSTRUCTION = re.compile(rf"({_KEYWORDS})\b\s*(.*)", re.DOTALL)
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?==|$)")
_FIRST_LAYER = re.compile(r"(?:\s|^)/$")
_PACKAGE_MANAGERS = frozenset(("apt-get", "apt", "aptitude", "apk", "zypper", "yum", "dnf", "microdnf", "tdnf"))
_UPDATES = frozenset(("update", "refresh", "ref", "makecache", "check-update"))
_INSTALLATIONS = frozenset(("install", "add", "in", "upgrade", "dist-upgrade", "full-upgrade", "up", "dup"))
_DOWNLOADERS = frozenset(("curl", "wget"))
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh"))
_SUDO_WORD = re.compile(r"sudo|env|-\S*|\w+=\S*")
_SECRET_FILE = re.compile(
    r"(?:^|[\s/\"'])(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.env|\.netrc|\.npmrc|\.pypirc|\.git-credentials|\.htpasswd"
    r"|[^\s/\"']+\.(?:key|p12|pfx|kdbx|jks))(?=[\s\"']|$)"
)
_UNSIGNED = re.compile(
    r"--allow-unauthenticated|--force-yes|AllowUnauthenticated|AllowInsecureRepositories|\btrusted=yes\b"
    r"|--no-?gpg-?checks?\b|\bgpgcheck=0|--allow-untrusted\b"
)
_UNCERTIFIED = re.compile(r"--trusted-host\b|\bstrict-ssl[= ]false|--no-check-certificate\b")
_CURL_INSECURE = re.compile(r"--insecure|-[A-Za-jl-z]*k[A-Za-z]*")


class Instruction(NamedTuple):
    """One step of a build, oldest first in a list of them."""

    keyword: str
    text: str

    @property
    def label(self) -> str:
        """The keyword, and for ENV and ARG the name that is declared."""
        found = _NAME.match(self.text) if self.keyword in {"ENV", "ARG"} else None
        return f"{self.keyword} {found.group(1)}" if found else self.keyword


def parse(raw: Any) -> list[Instruction]:
    """Return the instructions in the answer to `/images/ID/history`; UnreadableError when it is something else."""
    entries = Document({"history": raw}, "the engine's answer to /images/ID/history").objects("history")
    return [_instruction(entry.string("CreatedBy")) for entry in reversed(entries)]


def _instruction(created_by: str) -> Instruction:
    text = created_by[: -len("# buildkit")].rstrip() if created_by.endswith("# buildkit") else created_by.strip()
    found = _INSTRUCTION.fullmatch(_CLASSIC.sub("", text, count=1))
    return Instruction(found.group(1), found.group(2)) if found else Instruction("RUN", text)


def additions(instructions: Sequence[Instruction]) -> int:
    """Count ADD instructions, without the one that unpacks the root file system of a base image."""
    count = 0
    started = False
    for instruction in instructions:
        if instruction.keyword == "ADD":
            count += started or not _FIRST_LAYER.search(instruction.text)
        started = started or instruction.keyword in {"ADD", "COPY", "RUN"}
    return count


def lone_updates(instructions: Sequence[Instruction]) -> int:
    """Count RUN instructions that refresh package lists and install nothing: a cached layer then keeps old lists."""
    count = 0
    for text in _run_texts(instructions):
        verbs = {_package_verb(words) for pipeline in _pipelines(text) for words in pipeline}
        count += bool(verbs & _UPDATES) and not verbs & _INSTALLATIONS
    return count


def _run_texts(instructions: Sequence[Instruction]) -> list[str]:
    return [instruction.text for instruction in instructions if instruction.keyword == "RUN"]


def _pipelines_of(texts: Sequence[str]) -> Iterator[list[list[str]]]:
    """Yield the pipelines of all texts, of which the list could be a thousand times as large."""
    for text in texts:
        yield from _pipelines(text)


def _pipelines(text: str) -> Iterator[list[list[str]]]:
    """Yield each pipeline of a shell's text as the words of its commands; quotes and directories are taken off."""
    for pipeline in re.split(r"&&|\|\||[;\n]", text):
        yield [[_word(word) for word in command.split()] for command in pipeline.split("|")]


def _word(text: str) -> str:
    bare = text.strip("\"'`$(){}")
    return bare.rpartition("/")[2] if bare.startswith(("/", "./")) else bare


def _package_verb(words: Sequence[str]) -> str:
    """Return what a package manager is told to do, empty where none is called."""
    start = next((index for index, word in enumerate(words) if word in _PACKAGE_MANAGERS), len(words))
    return next((word for word in words[start + 1 :] if word in _UPDATES or word in _INSTALLATIONS), "")


def secrets(instructions: Sequence[Instruction]) -> list[str]:
    """Return the labels of instructions that hold a secret or copy a file that usually is one."""
    return sorted(set(_secrets(instructions)))


def _secrets(instructions: Sequence[Instruction]) -> Iterator[str]:
    for instruction in instructions:
        if instruction.keyword in {"ENV", "ARG", "RUN", "LABEL", "CMD", "ENTRYPOINT"} and holds_secret(
            instruction.text
        ):
            yield instruction.label
        elif instruction.keyword in {"ADD", "COPY"} and _SECRET_FILE.search(instruction.text):
            yield f"{instruction.keyword} of a key or credentials file"


def unverified(instructions: Sequence[Instruction]) -> list[str]:
    """Return the ways in which the build installed software that nobody vouched for."""
    texts = _run_texts(instructions)
    found = {
        "packages without a valid signature": any(_UNSIGNED.search(text) for text in texts),
        "download without a valid certificate": any(_UNCERTIFIED.search(text) for text in texts)
        or any(_ignores_certificate(words) for pipeline in _pipelines_of(texts) for words in pipeline),
        "download run by a shell": any(_runs_download(pipeline) for pipeline in _pipelines_of(texts)),
    }
    return [name for name, present in found.items() if present]


def _ignores_certificate(words: Sequence[str]) -> bool:
    return "curl" in words and any(_CURL_INSECURE.fullmatch(word) for word in words[words.index("curl") :])


def _runs_download(pipeline: Sequence[Sequence[str]]) -> bool:
    downloaded = False
    for words in pipeline:
        program = next((word for word in words if not _SUDO_WORD.fullmatch(word)), "")
        if downloaded and program in _SHELLS:
            return True
        downloaded = downloaded or bool(_DOWNLOADERS.intersection(words))
    return False
