# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# In whose namespaces a container is: its own, the host's, or those of another container, which can be the host's again.

from __future__ import annotations

from typing import Iterable, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError

_JOINED = "container:"
#: The namespaces of another container that one can join, by where HostConfig says so.
_MODES = {"network": "NetworkMode", "pid": "PidMode", "ipc": "IpcMode"}


class Neighbourhood(NamedTuple):
    """The containers of an engine."""

    by_id: Mapping[str, Document]
    by_name: Mapping[str, Document]

    def owner(self, container: Document, kind: str) -> Document:
        """Return the container whose namespace it is in, itself where it joins no other's."""
        passed = []
        while True:
            mode = container.string("HostConfig", _MODES[kind])
            if not mode.startswith(_JOINED):
                return container
            passed.append(container.name)
            container = self._find(container, mode[len(_JOINED) :])
            if container.name in passed:
                raise UnreadableError(f"{' and '.join(passed)} are said to be in each other's {kind} namespace")

    def mode(self, container: Document, kind: str) -> str:
        """Return what the namespace is: `host`, or whatever the configuration of its owner says."""
        return self.owner(container, kind).string("HostConfig", _MODES[kind])

    def joined(self, container: Document) -> list[str]:
        """Return in which namespaces of other containers it is, as `network of NAME`."""
        owners = {kind: self.owner(container, kind) for kind in _MODES}
        return [
            f"{kind} of {owner.string('Name').lstrip('/')}" for kind, owner in owners.items() if owner is not container
        ]

    def _find(self, container: Document, name: str) -> Document:
        """Return the container of this id, name or beginning of an id, which all mean one to the engine."""
        exact = self.by_id.get(name) or self.by_name.get(name)
        found = [exact] if exact else [doc for key, doc in self.by_id.items() if name and key.startswith(name)]
        if len(found) != 1:
            raise UnreadableError(f"{container.name} joins the namespace of container {name}, which the engine lacks")
        return found[0]


def neighbourhood(containers: Iterable[Document]) -> Neighbourhood:
    """Return the containers as they call each other."""
    listed = list(containers)
    return Neighbourhood(
        {str(doc.raw.get("Id")): doc for doc in listed},
        {str(doc.raw.get("Name")).lstrip("/"): doc for doc in listed},
    )
