# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The files of profiles on a host. dockerd reads its default profile when it starts and never again, so that one is a
# file of its own for each content: a new content is a new path in daemon.json, made effective and taken back with it.
# Each file has a mark that says whose it is: what somebody else put there is neither replaced nor removed.

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, parse, read
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader
from ansible_collections.breakwater.docker.plugins.module_utils.protected_files import Change
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import profile

_VERSIONED = re.compile(r".+\.[0-9a-f]{12}\.json")


def content(name: str, document: Mapping[str, Any]) -> str:
    """Return the text of a profile's file, with our mark where Docker's form has room for a comment."""
    first, *others = document["syscalls"] or [{}]
    marked = [{**first, "comment": _mark(name)}] if first else []
    return profile.text({**document, "syscalls": [*marked, *others]})


def foreign(directory: str, names: Sequence[str]) -> list[str]:
    """Return which files of profiles with these names somebody else has put into the directory."""
    paths = {name: f"{directory}/{name}.json" for name in names}
    return [path for name, path in paths.items() if os.path.lexists(path) and not _is_ours(path, name)]


def require_free(directory: str, names: Sequence[str]) -> None:
    """Raise InputError where a profile would replace somebody else's file."""
    for path in foreign(directory, names):
        raise InputError(
            f"{path} was not written by docker_seccomp: give the profile another name, or move the file away."
            " Nothing was changed."
        )


def _mark(name: str) -> str:
    return f"Written by breakwater.docker.docker_seccomp as {name}. Changes are overwritten."


def _is_ours(path: str, name: str) -> bool:
    with contextlib.suppress(OSError):
        return f'"comment": {json.dumps(_mark(name))}' in (read(path) or "")
    return False


def versioned(name: str, content: str) -> str:
    """Return the name of the file that holds just this content of a profile."""
    return f"{name}.{hashlib.sha256(content.encode()).hexdigest()[:12]}.json"


def removals(directory: str, names: Sequence[str], wanted: Mapping[str, str], uses: Mapping[str, str]) -> list[Change]:
    """Return which of our files go: the named profiles', and what was a default of the daemon.

    InputError when a named one is in use; `uses` says by whom, by path.
    """
    found = []
    for file in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
        path = f"{directory}/{file}"
        if file in wanted or not _is_ours(path, _name(file)):
            continue
        if file in [f"{name}.json" for name in names]:
            users = [uses[used] for used in uses if used == path or _is_version(used, path)]
            if users:
                raise InputError(f"{path} can't be removed, since {users[0]} uses it. Nothing was changed.")
        elif not _VERSIONED.fullmatch(file) or path in uses:
            continue
        found.append(Change(path, read(path), None))
    return found


def _name(file: str) -> str:
    """Return which profile a file is, be it a default of the daemon or not."""
    return file[: -len(".123456789abc.json" if _VERSIONED.fullmatch(file) else ".json")]


def _is_version(path: str, of: str) -> bool:
    return bool(_VERSIONED.fullmatch(path)) and f"{_name(path)}.json" == of


def daemon_uses(config: str) -> dict[str, str]:
    """Return the profile that daemon.json names, and the one of a configuration that has still to take effect.

    InputError when the file can't be parsed: nobody knows then what it names.
    """
    file = ConfigFile(config)
    found = {}
    for content in (file.read(), file.unfinished()):
        path = parse(content or "", config).get("seccomp-profile")
        if isinstance(path, str):
            found[os.path.normpath(path)] = config
    return found


def container_uses(engine: EngineReader, directory: str) -> dict[str, str]:
    """Return which profiles in the directory running containers were started with, told by their content.

    EngineError when an engine is there that does not tell.
    """
    try:
        running = engine.get("/containers/json")
    except EngineError as error:
        if error.status in ("absent", "stopped"):
            return {}
        raise
    given: dict[str, str] = {}
    for container in engine.get_each([f"/containers/{item['Id']}/json" for item in running]):
        given.update({_normal(option): container["Name"][1:] for option in _profiles(container)})
    found = {}
    for file in sorted(os.listdir(directory)) if given and os.path.isdir(directory) else []:
        path = f"{directory}/{file}"
        name = given.get(_normal(read(path) or ""))
        if name is not None:
            found[path] = f"the running container {name}"
    return found


def _profiles(container: Any) -> list[str]:
    options = container["HostConfig"].get("SecurityOpt") or []
    return [option[len("seccomp=") :] for option in options if option.startswith("seccomp={")]


def _normal(content: str) -> str:
    """Return JSON as it can be compared: the docker command takes the spaces out of a profile."""
    with contextlib.suppress(ValueError):
        return json.dumps(json.loads(content), sort_keys=True)
    return content
