# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The evidence of local images: one object for each that has a name or a container. How an image was built is read from
# its history; of environments and build arguments only names leave.

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Sequence, TypeVar

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import image_history, sprawl
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.accounts import names_root
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_base import BaseImages, base_of
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_signature import Signatures
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.reasons import stated_for_images
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import repository
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.redact import environment_names

if TYPE_CHECKING:
    from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_layers import LayerScanner

Value = TypeVar("Value")

#: Two requests are made for each image, used ones first; of what lies beyond only the names are told.
IMAGE_LIMIT = 500
_ID = re.compile("[A-Za-z0-9:]+")
#: Dates before Docker's first release are those of a reproducible build, which hides when it was.
_FIRST_YEAR = 2013
_SECONDS_PER_DAY = 86400


class _Estate(NamedTuple):
    """What the images of one host have in common."""

    users: Callable[[], Mapping[str, Sequence[str]]]
    reasons: Callable[[], Mapping[str, Mapping[str, str]]]
    scanner: LayerScanner | None
    bases: BaseImages
    signatures: Signatures
    now: float


def collect(
    reader: EngineReader,
    documents: EngineDocuments,
    files: FileSystem,
    deep_scan: bool,
    now: float | None = None,
) -> list[dict[str, Any]]:
    """Return the evidence of each image; `deep_scan` looks at its files on disk, `now` is Unix time in seconds."""
    users = Lazy(lambda: sprawl.used_images(documents.containers))
    no_users: dict[str, list[str]] = {}
    known_users = _or_empty(users, no_users)
    data_root = str(documents.info.get("DockerRootDir") or DATA_ROOT)
    scanner = _scanner(files, data_root, documents.containers) if deep_scan else None
    listed = [entry for entry in documents.images if _identifier(entry) in known_users or _named(entry)]
    unlisted = sorted(known_users.keys() - {_identifier(entry) for entry in listed})
    listed += [entry for entry in (_unlisted(reader, identifier) for identifier in unlisted) if entry]
    listed.sort(key=lambda entry: _identifier(entry) not in known_users)
    moment = time.time() if now is None else now
    bases = BaseImages(documents.images, lambda identifier: _inspect(reader, identifier))
    reasons = Lazy(lambda: stated_for_images(documents.containers))
    estate = _Estate(users, reasons, scanner, bases, Signatures(files), moment)
    return [_object(reader if index < IMAGE_LIMIT else None, entry, estate) for index, entry in enumerate(listed)]


def _scanner(files: FileSystem, data_root: str, containers: Sequence[Mapping[str, object]]) -> LayerScanner:
    from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_layers import (  # noqa: PLC0415 (few audits look so deep)
        LayerScanner,
    )

    return LayerScanner(files, data_root, containers)


def _unlisted(reader: EngineReader, identifier: str) -> dict[str, Any] | None:
    """Return the entry of an image that a container has, but the engine's list leaves out; None where it is gone.

    Such are steps of builds and, in containerd's image store of version 26, images whose layers another image brought.
    """
    try:
        return {**_inspect(reader, identifier).raw, "Id": identifier}
    except MissingDocumentError:
        return None
    except (EngineError, UnreadableError) as error:
        if isinstance(error, EngineError) and error.status != "invalid":
            raise
        return {"Id": identifier}


def _identifier(entry: Mapping[str, Any]) -> str:
    return str(entry.get("Id") or "")


def _named(entry: Mapping[str, Any]) -> bool:
    no_names: list[str] = []
    return bool(_or_empty(lambda: sprawl.names(entry), no_names))


def _or_empty(read: Callable[[], Value], empty: Value) -> Value:
    """Return what decides about an order or a name only, where a gap is told elsewhere."""
    try:
        return read()
    except UnreadableError:
        return empty


def _object(reader: EngineReader | None, entry: Mapping[str, Any], estate: _Estate) -> dict[str, Any]:
    identifier, scanner, judge = _identifier(entry), estate.scanner, estate.signatures.judge
    about = Document(entry, "the engine's answer to /images/json")
    image = Lazy(lambda: _inspect(reader, identifier))
    history = Lazy(lambda: image_history.parse(_ask(reader, identifier, "history")))

    def from_image(item: Callable[[Document], Any]) -> Callable[[Document], Any]:
        return lambda _about: item(image())

    def from_history(item: Callable[[Sequence[image_history.Instruction]], Any]) -> Callable[[Document], Any]:
        return lambda _about: item(history())

    readers: dict[str, Callable[[Document], Any]] = {
        "used": lambda _about: identifier in estate.users(),
        "containers": lambda _about: list(estate.users().get(identifier, [])),
        "reasons": lambda _about: dict(estate.reasons().get(identifier, {})),
        "tags": lambda doc: sprawl.names(doc.raw),
        "digests": _digests,
        "signature": lambda doc: judge(_digests(doc)).status,
        "signature_reason": lambda doc: judge(_digests(doc)).reason,
        "repositories": lambda doc: sorted({repository(name) for name in (*_digests(doc), *sprawl.names(doc.raw))}),
        "size_mib": lambda doc: doc.integer("Size") >> 20,
        "user": from_image(lambda doc: _config(doc, "User", "")),
        "runs_as_root": from_image(lambda doc: names_root(_config(doc, "User", ""))),
        "healthcheck": from_image(lambda doc: _config(doc, "Healthcheck", {}).get("Test") not in (None, [], ["NONE"])),
        "exposes_ssh": from_image(lambda doc: "22/tcp" in _config(doc, "ExposedPorts", {})),
        "environment_secrets": from_image(_environment_secrets),
        "created": from_image(_created),
        "age_days": from_image(lambda doc: _age_days(doc, estate.now)),
        "base": from_image(base_of),
        "base_current": from_image(estate.bases.is_current),
        "layers": from_image(lambda doc: len(doc.strings("RootFS", "Layers"))),
        "history_secrets": from_history(image_history.secrets),
        "additions": from_history(image_history.additions),
        "lone_updates": from_history(image_history.lone_updates),
        "unverified_software": from_history(image_history.unverified),
        "setuid_files": lambda _about: scanner.setuid_files(image().raw) if scanner else [],
        "secret_files": lambda _about: scanner.secret_files(image().raw) if scanner else [],
    }
    fields = gather(about, readers)
    name = next(iter(fields["tags"] or fields["digests"] or []), identifier)
    return {"id": identifier, "name": name, "deep_scanned": scanner is not None, **fields}


def _ask(reader: EngineReader | None, identifier: str, what: str) -> Any:
    if reader is None:
        raise UnreadableError(f"only {IMAGE_LIMIT} images are examined closely, and this host has more")
    if not _ID.fullmatch(identifier):
        raise UnreadableError("the engine lists the image without an id")
    return reader.get(f"/images/{identifier}/{what}")


def _inspect(reader: EngineReader | None, identifier: str) -> Document:
    raw = _ask(reader, identifier, "json")
    if not isinstance(raw, dict):
        raise UnreadableError("the engine's answer about the image is not an object")
    return Document(raw, "the engine's answer about the image")


def _config(image: Document, name: str, empty: Any) -> Any:
    """Return a member of the image's configuration, of the type of `empty`, which stands for what is left out."""
    value = image.mapping("Config").get(name)
    if value is None:
        return empty
    if not isinstance(value, type(empty)):
        raise UnreadableError(f"{image.name}: Config.{name} is not a {type(empty).__name__}")
    return value


def _environment_secrets(image: Document) -> list[str]:
    entries = _config(image, "Env", [])
    if not all(isinstance(entry, str) for entry in entries):
        raise UnreadableError(f"{image.name}: Config.Env holds something else than text")
    return sorted(item["name"] for item in environment_names(entries) if item["looks_secret"])


def _digests(about: Document) -> list[str]:
    return [digest for digest in about.strings("RepoDigests") if not digest.startswith("<none>")]


def _moment(image: Document) -> datetime | None:
    text = image.string("Created") if image.has("Created") else ""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text[:19]).replace(tzinfo=timezone.utc)
    except ValueError:
        raise UnreadableError(f"{image.name}: Created is not a date") from None
    return moment if moment.year >= _FIRST_YEAR else None


def _created(image: Document) -> str | None:
    moment = _moment(image)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _age_days(image: Document, now: float) -> int | None:
    moment = _moment(image)
    return max(0, int((now - moment.timestamp()) // _SECONDS_PER_DAY)) if moment else None
