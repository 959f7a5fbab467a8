# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Why a container or network is weaker than it could be, as its owner has stated in its labels.

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.redact import HIDDEN, holds_secret

#: What follows in a label's name is the id of the control that fails for this reason.
LABEL = "breakwater.reason."


def stated(doc: Document, *path: str) -> dict[str, str]:
    """Return the reasons in the labels at `path` by control; one that holds a secret is hidden."""
    labels = doc.mapping(*path)
    return {
        name[len(LABEL) :]: HIDDEN if holds_secret(str(reason)) else str(reason)
        for name, reason in sorted(labels.items())
        if name.startswith(LABEL)
    }
