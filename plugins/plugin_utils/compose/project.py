# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A compose file as data: YAML 1.2 as Compose reads it, variables filled in, services with the files they name.
# Sources: https://docs.docker.com/reference/compose-file/ (Compose specification), YAML 1.2.2 (core schema).

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

#: Stands for a value that only the environment of `docker compose up` knows.
AT_RUN_TIME = "(given at run time)"
#: One with another one inside is found once that one is filled in.
_VARIABLE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?:(?P<how>:?[-?+])(?P<word>[^${}]*))?\})")
_NOT_READ = ("extends", "include")
#: Stands for a dollar that begins no variable.
_DOLLAR = "\0"
#: Files that Compose looks for, and those that it adds to them by itself.
_DEFAULT = re.compile(r"(docker-)?compose\.ya?ml")
_ADDED = (
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_HINT = "Give what `docker compose config` prints."


class _Loader(yaml.SafeLoader):
    """The safe loader with the scalars of YAML 1.2: `22:80` and `no` are strings."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag.rpartition(":")[2] not in ("bool", "int", "float")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})\\Z"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _loader, node: int(node.value))


@dataclass(frozen=True)
class Project:
    """A compose file: its name, its directory, and its parts with all variables filled in."""

    name: str
    directory: Path
    services: Mapping[str, Mapping[str, Any]]
    networks: Mapping[str, Mapping[str, Any]]
    volumes: Mapping[str, Mapping[str, Any]]
    secrets: Mapping[str, Mapping[str, Any]]
    configs: Mapping[str, Mapping[str, Any]]

    def full_name(self, kind: Mapping[str, Mapping[str, Any]], name: str) -> str:
        """Return how the engine names a network or volume of the project."""
        described = kind.get(name) or {}
        if described.get("name"):
            return str(described["name"])
        return name if described.get("external") else f"{self.name}_{name}"


def load(path: Path, variables: Mapping[str, str]) -> Project:
    """Read a compose file; InputError, in a sentence, for what can't be read or is none."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except OSError as error:
        raise InputError(f"The compose file {path} can't be read: {error.strerror}.") from None
    except yaml.constructor.ConstructorError as error:
        raise InputError(f"{path} has what only makes sense beside other files: {error.problem}. {_HINT}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise InputError(f"The compose file {path} is not YAML{line}: correct it.") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("services"), dict) or not raw["services"]:
        raise InputError(f"{path} has no services, so it is no compose file.")
    if "include" in raw:
        raise InputError(f"{path} includes other files, which are not read. {_HINT}")
    directory = path.absolute().parent
    for added in _ADDED if _DEFAULT.fullmatch(path.name) else ():
        if (directory / added).exists():
            raise InputError(f"{path} has {added} beside it, which Compose adds to it and which is not read. {_HINT}")
    filled = _fill(raw, {**_of_environment_file(directory / ".env"), **variables})
    services = _mappings(filled["services"], path, "services")
    for name, service in services.items():
        for key in _NOT_READ:
            if key in service:
                raise InputError(f"{path}: the service {name} has {key}, which is not followed. {_HINT}")
    name = str(filled.get("name") or re.sub(r"[^a-z0-9_-]", "", directory.name.lower()).lstrip("_-"))
    return Project(
        name=name,
        directory=directory,
        services=services,
        **{
            kind: _mappings(filled.get(kind) or {}, path, kind)
            for kind in ("networks", "volumes", "secrets", "configs")
        },
    )


def _mappings(raw: Any, path: Path, where: str) -> dict[str, dict[str, Any]]:
    if not isinstance(raw, dict) or not all(isinstance(item, dict) or item is None for item in raw.values()):
        raise InputError(f"{path}: {where} has to be a mapping of names to mappings.")
    return {str(name): item or {} for name, item in raw.items()}


def assignments(path: Path) -> list[str]:
    """Return the NAME=VALUE lines of a file of environment variables; OSError or ValueError for what can't be read."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if "=" in line and not line.startswith("#")]


def _of_environment_file(path: Path) -> dict[str, str]:
    """Return the variables that Compose takes from beside the compose file."""
    try:
        pairs = (line.partition("=")[::2] for line in assignments(path))
    except (OSError, ValueError):
        return {}
    return {name.removeprefix("export ").strip(): _unquoted(value.strip()) for name, value in pairs}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    filled, text = value.replace("$$", _DOLLAR), ""
    while filled != text:
        text = filled
        filled = _VARIABLE.sub(lambda match: _replacement(match, variables).replace("$", _DOLLAR), text)
    return filled.replace(_DOLLAR, "$")


def _replacement(match: re.Match[str], variables: Mapping[str, str]) -> str:
    value = variables.get(match["plain"] or match["name"])
    how, word = match["how"] or "", match["word"] or ""
    usable = value is not None and (value != "" or not how.startswith(":"))
    if how.endswith("+"):
        return word if usable else ""
    if usable:
        return str(value)
    return word if how.endswith("-") else AT_RUN_TIME
