# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a running registry was told: its configuration file with the variables of its environment laid over it, as
# distribution does it. The document holds secrets and stays on the host.
# Source: distribution/distribution, configuration/parser.go and docs/content/about/configuration.md.

from __future__ import annotations

import posixpath
from typing import Any, Iterable, Iterator, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils import plain_yaml
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import resolve
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import RegistryProcess
from ansible_collections.breakwater.docker.plugins.module_utils.redact import HIDDEN, holds_secret
from ansible_collections.breakwater.docker.plugins.module_utils.registry.drivers import DRIVERS

_PREFIX = "REGISTRY_"
_PATH_VARIABLE = "REGISTRY_CONFIGURATION_PATH"
#: Sections in which one key names the kind, which a variable may replace: REGISTRY_STORAGE=s3.
_KINDS = ("storage", "auth")
#: Entries of `storage` that are no driver.
_NOT_DRIVERS = ("cache", "delete", "maintenance", "redirect", "tag")
#: Entries whose value nobody else may see, wherever they are: those of sections, within `credentials`, and of drivers.
_SECRETS = frozenset(
    {
        *("secret", "password", "tempurlcontainerkey", "licensekey", "apikey", "authorization"),
        *("private_key", "private_key_id", "clientsecret"),
    }.union(*(driver.secret for driver in DRIVERS.values()))
)


class Effective(NamedTuple):
    """A registry's configuration, and the path of its file as the process names it."""

    path: str
    document: Mapping[str, Any]

    def get(self, *keys: str) -> Any:
        """Return what is at the path of `keys`, None where there is nothing; UnreadableError for no mapping on it."""
        current: Any = self.document
        for key in keys:
            if current is None:
                return None
            if not isinstance(current, Mapping):
                raise UnreadableError(f"{self.path}: what holds {key} is no mapping")
            current = current.get(key)
        return current

    def text(self, *keys: str) -> str:
        """Return a scalar as text, empty where there is none; UnreadableError for a collection."""
        value = self.get(*keys)
        if isinstance(value, (Mapping, list)):
            raise UnreadableError(f"{self.path}: {'.'.join(keys)} is no scalar")
        return "" if value is None else str(value)

    def enabled(self, *keys: str) -> bool:
        """Tell whether a switch is on; UnreadableError for what is none."""
        value = self.get(*keys)
        if value not in (None, True, False):
            raise UnreadableError(f"{self.path}: {'.'.join(keys)} is no boolean")
        return value is True

    @property
    def driver(self) -> str:
        """The name of the storage driver; UnreadableError where there is not exactly one."""
        return self._kind("storage", required=True)

    @property
    def authentication(self) -> str:
        """The name of what asks for credentials, empty where nothing does."""
        return self._kind("auth", required=False)

    def _kind(self, section: str, required: bool) -> str:
        entries = self.get(section) or {}
        if isinstance(entries, str):  # a kind without parameters, such as inmemory
            return entries
        if not isinstance(entries, Mapping):
            raise UnreadableError(f"{self.path}: {section} is no mapping")
        names = [name for name in entries if not (section == "storage" and name in _NOT_DRIVERS)]
        if len(names) > 1 or (required and not names):
            raise UnreadableError(f"{self.path}: {section} names {len(names)} kinds where one is wanted")
        return names[0] if names else ""

    def holds_secrets(self) -> bool:
        """Tell whether the file's values have a secret among them."""
        return any(secrets(self.document))


def inner(files: FileSystem, process: RegistryProcess, path: str) -> str:
    """Return where the host sees a file that the process calls `path`; OSError for what this user may not see.

    Symbolic links are followed as the process sees them: the kernel would take an absolute one for the host's.
    """
    if not path.startswith("/"):
        path = posixpath.join(files.readlink(f"/proc/{process.pid}/cwd"), path)
    return resolve(files, path, f"/proc/{process.pid}/root")


def read(files: FileSystem, process: RegistryProcess) -> tuple[Effective, Effective]:
    """Return what the registry was told, and what of it its file says.

    OSError for what this user may not see, UnreadableError where the file is of a kind that is not read here.
    """
    environment = files.read_text(f"/proc/{process.pid}/environ").split("\0")
    path = _path(process.arguments) or dict(entry.partition("=")[::2] for entry in environment).get(_PATH_VARIABLE, "")
    if not path:
        raise UnreadableError("the registry's arguments and environment name no configuration file")
    written = load(files, path, inner(files, process, path))
    return laid_over(written, environment), written


def load(files: FileSystem, path: str, place: str) -> Effective:
    """Return what a configuration file says, which its reader calls `path` and the host `place`; raises as `read`."""
    try:
        document = plain_yaml.parse(files.read_text(place))
    except ValueError as error:
        raise UnreadableError(f"{path}: {error}") from None
    if not isinstance(document, dict):
        raise UnreadableError(f"{path} is no configuration of a registry")
    return Effective(path, document)


def laid_over(written: Effective, environment: Iterable[str]) -> Effective:
    """Return what a file says with the variables of an environment, as NAME=VALUE, laid over it."""
    variables = dict(entry.partition("=")[::2] for entry in environment if entry.startswith(_PREFIX))
    variables.pop(_PATH_VARIABLE, None)
    return Effective(written.path, overlaid(written.document, variables))


def _path(arguments: tuple[str, ...]) -> str:
    after = arguments[arguments.index("serve") + 1 :]
    return next((word for word in after if not word.startswith("-")), "")


def overlaid(document: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the document with REGISTRY_A_B=value laid over it as a.b, shorter names first; raises as `read`."""
    result: dict[str, Any] = _copied(document)
    for name in sorted(environment, key=lambda name: (name.count("_"), name)):
        keys = name[len(_PREFIX) :].lower().split("_")
        if len(keys) > plain_yaml.DEEPEST:
            raise UnreadableError("a variable of the registry's environment names more sections than it can have")
        value = _value(environment[name])
        if len(keys) == 1 and keys[0] in _KINDS and isinstance(value, str):
            present = result.get(keys[0])
            entries = present if isinstance(present, dict) else {}
            value = {value: None, **{key: item for key, item in entries.items() if key in (value, *_NOT_DRIVERS)}}
        place = result
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1]] = value
    return result


def _copied(value: Any) -> Any:
    return {key: _copied(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _value(text: str) -> Any:
    try:
        return plain_yaml.scalar(text)
    except ValueError:
        return text


def secrets(value: Any, name: str = "") -> Iterator[str]:
    """Yield the secrets in a configuration: by the names of their entries, and by their shape."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from secrets(item, name)
    elif _is_secret(value, name):
        yield str(value)


def masked(value: Any, name: str = "") -> Any:
    """Return a configuration as everybody may see it."""
    if isinstance(value, Mapping):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, name) for item in value]
    return HIDDEN if _is_secret(value, name) else value


def _is_secret(value: Any, name: str) -> bool:
    if value is None or value == "" or isinstance(value, bool):
        return False
    return name.lower() in _SECRETS or holds_secret(str(value))
