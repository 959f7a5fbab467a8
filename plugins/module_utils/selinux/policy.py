# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a host adds to its SELinux policy: compared by the files that libsemanage keeps, changed in one transaction, and
# taken back when it is no longer wanted. Sources: semanage(8) and its subcommands, restorecon(8), libsemanage's store.

from __future__ import annotations

import bz2
import json
import os
import re
import tempfile
from typing import Iterator, Mapping, NamedTuple, Optional, Sequence, Tuple

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.denials import type_of

FILES, SAME_AS, BOOLEAN, PORT, MODULE = "file context", "labelled like", "boolean", "port", "module"
#: The module of what this collection says itself; those of users have names that begin so.
OWN_MODULE = "breakwater"
#: What was added or changed, with the value that this host had given it before.
RECORD = "/var/lib/breakwater/selinux-policy.json"
DEFAULT_LEVEL = "s0"
_UNLABELLED = "<<none>>"
_STORE = "/var/lib/selinux/{policy}/active"
_CONTEXTS = "/etc/selinux/{policy}/contexts/files"
#: Seconds for linking a policy or labelling a large volume on a slow machine.
_TIMEOUT = 3600
_POLICY = re.compile(r"^SELINUXTYPE=(\w+)", re.MULTILINE)
#: Nothing with which a word of semanage's language could end.
_PATH = re.compile(r"/[^\s'\"\\]*[^\s'\"\\/]")
_META = re.compile(r"([.^$?*+|\[({)\]}])")

#: Of each thing to change, by kind and name, its value before and after, None for none.
Changes = Mapping[Tuple[str, str], Tuple[Optional[str], Optional[str]]]


class Label(NamedTuple):
    """A directory and the type and level that it has to have with all that is below."""

    path: str
    type: str
    level: str


def pattern(path: str) -> str:
    """Return the file context specification of a directory with all below; InputError for what is no plain path."""
    if not _PATH.fullmatch(path) or "/../" in path + "/":
        raise InputError(
            f"{path!r} can't be labelled: give an absolute path without blanks, quotes and a slash at its end."
            " Nothing was changed."
        )
    return _META.sub(r"\\\1", path) + "(/.*)?"


class PolicyHost:
    """A host's SELinux policy, or for tests one below the directory `root`."""

    def __init__(self, commands: CommandRunner, root: str = "") -> None:
        self._commands = commands
        self._root = root
        self._files = LocalFileSystem(root)
        self._record = ConfigFile(root + RECORD)
        match = _POLICY.search(text_of(self._files, "/etc/selinux/config"))
        self._policy = match.group(1) if match else ""

    def recorded(self) -> dict[tuple[str, str], str]:
        """Return what was added by kind and name, each with its former value, empty for none."""
        return {(kind, name): before for kind, name, before in json.loads(self._record.read() or "[]")}

    def current(self) -> dict[tuple[str, str], str]:
        """Return what this host adds to its policy, by kind and name, and each boolean's value."""
        return dict(self._read()) if self._policy else {}

    def _read(self) -> Iterator[tuple[tuple[str, str], str]]:
        contexts, store = (place.format(policy=self._policy) for place in (_CONTEXTS, _STORE))
        for words in self._lines(f"{contexts}/file_contexts.local"):
            if len(words) == 2:  # more are for one kind of file, by which semanage tells entries apart
                yield (FILES, words[0]), _label(words[1])
        for words in self._lines(f"{contexts}/file_contexts.subs"):
            yield (SAME_AS, words[0]), words[-1]
        for words in self._lines(f"{store}/ports.local"):
            yield (PORT, f"{words[1]} {words[2]}"), type_of(words[-1])
        for words in self._lines(f"{store}/booleans.local"):
            name, _separator, value = words[0].partition("=")
            live = text_of(self._files, f"/sys/fs/selinux/booleans/{name}").split()
            yield (BOOLEAN, name), value if not live or live[0] == value else "other"
        for name in self._own_modules(f"{store}/modules/400"):
            yield (MODULE, name), self._text_of_module(f"{self._root}{store}/modules/400/{name}/cil")

    def _lines(self, path: str) -> list[list[str]]:
        lines = text_of(self._files, path).splitlines()
        return [line.split() for line in lines if len(line.split()) > 0 and not line.startswith("#")]

    def _own_modules(self, directory: str) -> list[str]:
        try:
            return [name for name in self._files.listdir(directory) if name.startswith(OWN_MODULE)]
        except OSError:
            return []

    @staticmethod
    def _text_of_module(path: str) -> str:
        with open(path, "rb") as stream:
            content = stream.read()
        return (bz2.decompress(content) if content.startswith(b"BZ") else content).decode("utf-8", "replace")

    def changes(self, wanted: Mapping[tuple[str, str], str]) -> Changes:
        """Return what is to be changed."""
        current, recorded = self.current(), self.recorded()
        found: dict[tuple[str, str], tuple[str | None, str | None]] = {}
        for key, before in recorded.items():
            if key not in wanted and key in current:
                after = before or ("0" if key[0] == BOOLEAN else None)
                if current[key] != after:
                    found[key] = (current[key], after)
        for key, value in wanted.items():
            if current.get(key) != value:
                found[key] = (current.get(key), value)
        return found

    def apply(
        self,
        wanted: Mapping[tuple[str, str], str],
        changes: Changes,
    ) -> None:
        """Make the changes, all or none, and record what is ours; BreakwaterError when the policy refuses them."""
        if changes and not self._policy:
            raise BreakwaterError("/etc/selinux/config names no policy: install one. Nothing was changed.")
        current, recorded = self.current(), self.recorded()
        kept = {key: recorded.get(key, self._former(key, current)) for key in wanted}
        # first what may be left behind: a run that is killed then knows of it
        self._write({**recorded, **kept})
        if changes:
            with tempfile.TemporaryDirectory(prefix="breakwater-") as directory:
                for batch in _batches(changes):
                    self._import(list(_lines(batch, directory)))
        self._write(kept)

    def _former(self, key: tuple[str, str], current: Mapping[tuple[str, str], str]) -> str:
        if key[0] == MODULE:  # whose names are ours
            return ""
        if key[0] != BOOLEAN:
            return current.get(key, "")
        return "".join(text_of(self._files, f"/sys/fs/selinux/booleans/{key[1]}").split()[:1])

    def _write(self, record: Mapping[tuple[str, str], str]) -> None:
        rows = [[*key, before] for key, before in sorted(record.items())]
        text = json.dumps(rows, indent=1) + "\n"
        if rows and text != self._record.read():
            self._record.write(text)
        elif not rows:
            self._record.delete()

    def _import(self, lines: Sequence[str]) -> None:
        with tempfile.NamedTemporaryFile("w", prefix="breakwater-", encoding="utf-8") as batch:
            batch.write("".join(f"{line}\n" for line in lines))
            batch.flush()
            done = self._commands.run(("semanage", "import", "-f", batch.name), _TIMEOUT)
        if done.rc != 0:
            told = [line for line in done.stderr.splitlines() if line.strip()][-3:] or ["it does not say why"]
            raise BreakwaterError(f"semanage refuses the policy: {' '.join(told)} The former policy is in effect.")

    def mislabelled(self, labels: Sequence[Label]) -> list[str]:
        """Return the directories that have another label; none while the kernel has no SELinux, as it labels at boot.

        The categories that the engine gives a volume on `:Z` are let be, unless a level was asked for.
        """
        if not exists(self._files, "/sys/fs/selinux/enforce"):
            return []
        return [item.path for item in labels if not self._has(item)]

    def _has(self, item: Label) -> bool:
        try:
            context = os.getxattr(self._root + item.path, "security.selinux").decode().rstrip("\0")
        except FileNotFoundError:
            return True
        except OSError:
            return False
        level = ":".join(context.split(":")[3:])
        return type_of(context) == item.type and item.level in (DEFAULT_LEVEL, level)

    def relabel(self, paths: Sequence[str]) -> None:
        """Give the directories and all below the labels of the policy; BreakwaterError when that fails."""
        if not paths:
            return
        done = self._commands.run(("restorecon", "-R", "-F", *paths), _TIMEOUT)
        if done.rc != 0:
            raise BreakwaterError(f"restorecon failed: {done.stderr.strip() or 'it does not say why'}")


def _label(context: str) -> str:
    """Return type and level of a context; as it is what means that files get no label."""
    return context if context == _UNLABELLED else ":".join(context.split(":", 3)[2:])


def _batches(changes: Changes) -> list[Changes]:
    """Return one transaction, or two where a user's module may have types that semanage has to know before."""
    modules = {key: values for key, values in changes.items() if key[0] == MODULE and values[1] is not None}
    if modules.keys() <= {(MODULE, OWN_MODULE)} or modules.keys() == changes.keys():
        return [changes]
    return [modules, {key: values for key, values in changes.items() if key not in modules}]


def _lines(changes: Changes, directory: str) -> Iterator[str]:
    """Yield the lines of semanage's language."""
    for (kind, name), (_before, after) in changes.items():
        if after is None:
            yield {
                FILES: f"fcontext -d '{name}'",
                SAME_AS: f"fcontext -d '{name}'",
                PORT: f"port -d -p {name}",
                MODULE: f"module -r {name}",
            }[kind]
    for (kind, name), (_before, after) in changes.items():
        if kind == MODULE and after is not None:
            path = os.path.join(directory, f"{name}.cil")
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(after)
            yield f"module -a {path}"
    for (kind, name), (before, after) in changes.items():
        if after is None:
            continue
        action = "-a" if before is None else "-m"
        if kind == FILES:
            type_name, _separator, level = after.partition(":")
            yield f"fcontext {action} -t {type_name}{f' -r {level}' if level else ''} '{name}'"
        elif kind == SAME_AS:
            yield f"fcontext {action} -e {after} '{name}'"
        elif kind == PORT:
            yield f"port {action} -t {after} -p {name}"
        elif kind == BOOLEAN:
            yield f"boolean -m -{after} {name}"
