# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether a registry's garbage is collected at set times: by systemd's timers and cron's tables, and in the storage that
# this registry uses. Sources: systemd.timer(5), crontab(5), cron(8), and distribution's command garbage-collect.

from __future__ import annotations

import posixpath
import re
from typing import Any, Callable, Iterable, Iterator, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import resolve
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import RegistryProcess
from ansible_collections.breakwater.docker.plugins.module_utils.registry.effective import (
    Effective,
    inner,
    laid_over,
    load,
    masked,
)

#: What distribution's command is called in units, tables and containers' arguments, and what makes it change nothing.
_COMMAND = "garbage-collect"
_ONLY_TOLD = frozenset(("-d", "--dry-run", "--dry-run=true"))
_UNITS = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_WANTED = "/etc/systemd/system/timers.target.wants"
_UNIT = re.compile(r"^Unit=(\S+)", re.MULTILINE)
_WORKING_DIRECTORY = re.compile(r"^WorkingDirectory=(\S+)", re.MULTILINE)
_TABLES = ("/etc/crontab",)
_TABLE_DIRECTORIES = (
    *("/etc/cron.d", "/etc/cron.hourly", "/etc/cron.daily", "/etc/cron.weekly", "/etc/cron.monthly"),
    *("/var/spool/cron/crontabs", "/var/spool/cron"),
)
_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"^[^\S\n]*[#;].*", re.MULTILINE)
_BETWEEN_COMMANDS = re.compile(r"[\n;&|]+")
_BETWEEN_WORDS = re.compile(r"[\s'\"]+")
#: docker or docker-compose after a directory, or after what systemd allows there; not docker-registry.
_DOCKER = re.compile(r"(?:^|[^\w-])docker(?:-compose)?$")
_COMPOSE = "com.docker.compose."
_FILESYSTEM = "filesystem"
#: For each a configuration is read, and every user has a table of his own.
_MOST_COMMANDS = 100
_DEFAULT_ROOT = "/var/lib/registry"


class Command(NamedTuple):
    """What is run at set times, as words, and where."""

    words: tuple[str, ...]
    directory: str


class Examined(NamedTuple):
    """A running registry, the container that it runs in if any, and what it was told."""

    process: RegistryProcess
    container: Document | None
    told: Effective


class _Use(NamedTuple):
    """A configuration, and how the host calls a path that whoever reads it uses: empty where it can't see that."""

    told: Effective
    place: Callable[[str], str]


def _scheduled(files: FileSystem) -> list[Command]:
    """Return the commands of the services that timers start, and of cron's tables and scripts."""
    found = []
    for text in _texts(files):
        directory = _WORKING_DIRECTORY.search(text)
        for line in _BETWEEN_COMMANDS.split(_COMMENT.sub("", _CONTINUED.sub(" ", text))):
            words = tuple(word for word in _BETWEEN_WORDS.split(line) if word)
            found.append(Command(words, directory.group(1) if directory else "/"))
    return found


def _texts(files: FileSystem) -> Iterator[str]:
    for name in names_in(files, _WANTED):
        timer = text_of(files, f"{_WANTED}/{name}")
        named = _UNIT.search(timer)
        service = named.group(1) if named else f"{name.rpartition('.')[0]}.service"
        places = (f"{directory}/{service}" for directory in _UNITS)
        yield next((text_of(files, path) for path in places if exists(files, path)), "")
    for path in _TABLES:
        yield text_of(files, path)
    for directory in _TABLE_DIRECTORIES:
        for name in names_in(files, directory):
            yield text_of(files, f"{directory}/{name}")


class Upkeep:
    """What a host does at set times, read once, and the engine's documents of its containers."""

    def __init__(self, files: FileSystem, containers: Iterable[dict[str, Any]]) -> None:
        self._files = files
        self._collectors = [Document(raw, f"container {raw.get('Name')}") for raw in containers if _is_collector(raw)]
        self._commands = Lazy(lambda: self._concerning(_scheduled(files)))

    def collects(self, registry: Examined) -> bool:
        """Tell whether anything collects the garbage of this registry, itself or by a container made for it.

        UnreadableError or OSError where a configuration can't be read that tells.
        """
        return any(_concerns(self._files, command, self._collectors, registry) for command in self._commands())

    def _concerning(self, commands: Iterable[Command]) -> list[Command]:
        """Return the commands that may collect garbage, each once."""
        names = {name for container in self._collectors for name in _names(container)}
        found = list(
            dict.fromkeys(each for each in commands if _COMMAND in each.words or not names.isdisjoint(each.words))
        )
        if len(found) > _MOST_COMMANDS:
            raise UnreadableError(f"more than {_MOST_COMMANDS} commands at set times look as if they collected garbage")
        return found


def _is_collector(raw: dict[str, Any]) -> bool:
    arguments = raw.get("Args")
    return isinstance(arguments, list) and _COMMAND in arguments and not _ONLY_TOLD & set(arguments)


def _concerns(files: FileSystem, command: Command, collectors: list[Document], registry: Examined) -> bool:
    words = command.words
    if _COMMAND not in words:
        started = [item for item in collectors if _names(item) & set(words)]
        return any(_same_storage(files, registry, _use_of_container(files, item, registry)) for item in started)
    at = words.index(_COMMAND)
    path = _configuration(words)
    if not path or _ONLY_TOLD & set(words):
        return False
    docker = next((place for place, word in enumerate(words[:at]) if _DOCKER.search(word)), at)
    arguments = words[docker + 1 : at]
    if "exec" in arguments:
        # the last word before is the program: a container called `registry` is not meant by it
        named = _is_named(registry, _parts(arguments[:-1])) or _is_service(registry, command, arguments[:-1])
        return named and _same_storage(files, registry, _own_use(files, path, registry))
    if "run" in arguments:
        lent = _is_named(registry, _after(arguments, "--volumes-from")) or bool(_volumes(registry) & _parts(arguments))
        return lent or _is_service(registry, command, arguments)
    return _same_storage(files, registry, _use_on_host(files, posixpath.join(command.directory, path)))


def _configuration(words: tuple[str, ...] | list[str]) -> str:
    """Return the path that the command is given."""
    return next((word for word in words[words.index(_COMMAND) + 1 :] if not word.startswith("-")), "")


def _parts(words: Iterable[str]) -> set[str]:
    """Return the words and what is in them, as in `--volume=images:/var/lib/registry` or `name=registry)`."""
    return {*words, *(part for word in words for part in re.split(r"[:=,()]", word))}


def _names(container: Document) -> set[str]:
    name, identity = container.string("Name").lstrip("/"), container.string("Id")
    return {name, identity, identity[:12]}


def _is_named(registry: Examined, said: set[str]) -> bool:
    return registry.container is not None and bool(_names(registry.container) & said)


def _after(words: tuple[str, ...], option: str) -> set[str]:
    """Return the values of an option, given as `--option=value` or as a word of its own."""
    joined = (word.partition("=")[::2] for word in words)
    return {value for name, value in (*joined, *zip(words, words[1:])) if name == option}


def _is_service(registry: Examined, command: Command, words: tuple[str, ...]) -> bool:
    """Tell whether a command of Compose's names the registry's service, and its project by any of its names."""
    labels = registry.container.mapping("Config", "Labels") if registry.container else {}
    project = {labels.get(f"{_COMPOSE}{key}") for key in ("project", "project.working_dir", "project.config_files")}
    return labels.get(f"{_COMPOSE}service") in words and bool(project & {*_parts(words), command.directory})


def _volumes(registry: Examined) -> set[str]:
    """Return how a command that runs another container can name what holds the registry's images."""
    container = registry.container
    if container is None or registry.told.driver != _FILESYSTEM:
        return set()
    mount = _mount(container, _root(registry.told)) or {}
    return {str(mount[key]) for key in ("Source", "Name") if mount.get(key)}


def _mount(container: Document, path: str) -> Mapping[str, Any] | None:
    """Return the mount of a container in which a path is."""
    holding = [
        item.raw for item in container.objects("Mounts") if f"{path}/".startswith(f"{item.string('Destination')}/")
    ]
    return max(holding, key=lambda item: len(item["Destination"]), default=None)


def _outside(files: FileSystem, container: Document, path: str) -> str:
    """Return how the host calls a path in a container that need not run, empty where it is in none of its mounts.

    A symbolic link that leads out of the mount leads nowhere, certainly not to the host's file of that name.
    """
    mount = _mount(container, path)
    if not mount or not mount.get("Source"):
        return ""
    return resolve(files, path[len(mount["Destination"]) :], mount["Source"])


def _use_on_host(files: FileSystem, path: str) -> _Use | None:
    return _Use(load(files, path, path), lambda path: path) if exists(files, path) else None


def _own_use(files: FileSystem, path: str, registry: Examined) -> _Use | None:
    """Return what a command in the registry's own container uses."""
    place = inner(files, registry.process, path)
    if not exists(files, place):
        return None
    environment = registry.container.strings("Config", "Env") if registry.container else []
    return _Use(laid_over(load(files, path, place), environment), lambda path: inner(files, registry.process, path))


def _use_of_container(files: FileSystem, collector: Document, registry: Examined) -> _Use | None:
    """Return what a container that collects garbage uses; a file of its image is read from a registry of this image."""
    said = _configuration(collector.strings("Args"))
    path = posixpath.join(collector.string("Config", "WorkingDir") or "/", said)
    place = _outside(files, collector, path)
    if not place and registry.container and collector.string("Image") == registry.container.string("Image"):
        place = inner(files, registry.process, path)
    if not said or not place or not exists(files, place):
        return None
    told = laid_over(load(files, path, place), collector.strings("Config", "Env"))
    return _Use(told, lambda path: _outside(files, collector, path))


def _same_storage(files: FileSystem, registry: Examined, use: _Use | None) -> bool:
    """Tell whether a configuration leads to the images of the registry, however each of them calls the place."""
    driver = registry.told.driver
    if use is None or use.told.driver != driver:
        return False
    if driver != _FILESYSTEM:
        return bool(masked(use.told.get("storage", driver)) == masked(registry.told.get("storage", driver)))
    place = use.place(_root(use.told))
    if not place or not exists(files, place):
        return False
    there, own = files.stat(place), files.stat(inner(files, registry.process, _root(registry.told)))
    return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)


def _root(told: Effective) -> str:
    return posixpath.normpath(told.text("storage", _FILESYSTEM, "rootdirectory") or _DEFAULT_ROOT)
