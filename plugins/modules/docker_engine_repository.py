#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_engine_repository
short_description: Makes Docker's package repository a source of apt's or dnf's
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Fetches the repository's signing key, checks its fingerprint, and describes the repository so that its packages have
    to be signed by this key. With apt nothing else on the host trusts it; rpm has one set of keys for all repositories.
  - It is refused where another file has the same repository with another key, since apt would not work any more.
options:
  url:
    description:
      - Base address of Docker's repositories, or of a mirror of them.
      - A user or password in it is refused, since everybody on the host may read it. apt takes them from
        C(/etc/apt/auth.conf.d), and the download of the key from C(~/.netrc).
      - With dnf, name a mirror that asks for none.
    type: str
    default: https://download.docker.com/linux
  distribution:
    description: C(ID) of os-release.
    type: str
    required: true
  codename:
    description: C(VERSION_CODENAME) of os-release. The RHEL family needs none.
    type: str
    default: ''
  architecture:
    description: dpkg's name of the architecture. Without it the repository is described for dnf.
    type: str
    default: ''
  fingerprint:
    description:
      - Fingerprint that the signing key must have. By default it is Docker's own, for apt
        V(9DC858229FC7DD38854AE2D88D81803C0EBFCD88), for dnf V(060A61C51B558A7F742B77AAC52FEB6B621E9F35).
    type: str
attributes:
  check_mode:
    support: full
    description: Predicts the changes. The key is not fetched.
  diff_mode:
    support: full
    description: Shows the description of the repository.
  idempotent:
    support: full
    description: Fetches nothing when the key is there.
"""

EXAMPLES = r"""
- name: Have Docker's packages for Debian 13
  breakwater.docker.docker_engine_repository:
    distribution: debian
    codename: trixie
    architecture: amd64
"""

RETURN = r"""
path:
  description: The file that describes the repository.
  type: str
  returned: success
  sample: /etc/apt/sources.list.d/docker.sources
"""

import glob
import http.client
import re
import time
from typing import Any
from urllib.error import URLError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.urls import open_url

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.engine_repository import (
    check_key,
    check_sources,
    repository,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.redact import (
    HIDDEN,
    has_credentials,
    text_without_credentials,
    without_credentials,
)

_APT_SOURCES = "/etc/apt/sources.list", "/etc/apt/sources.list.d/*.list", "/etc/apt/sources.list.d/*.sources"
#: A signing key has a few kilobytes; who serves more, or drips it, is not waited for.
_LARGEST = 1 << 20
_SECONDS = 60
#: Of dnf's repositories; dnf.conf(5).
_ACCOUNT = re.compile(r"(?m)^((?:proxy_)?(?:username|password)\s*=).*")


def has_key(file: ConfigFile, fingerprint: str) -> bool:
    """Tell whether the file is the key with this fingerprint."""
    try:
        check_key(file.read() or "", fingerprint, file.path)
    except InputError:
        return False
    return True


def fetch(url: str, largest: int = _LARGEST, seconds: float = _SECONDS) -> str:
    """Return the text at the address; BreakwaterError when it does not come whole, within so many bytes and seconds."""
    deadline = time.monotonic() + seconds
    text = b""
    try:
        with open_url(url, timeout=seconds) as answer:
            while part := answer.read1(largest):
                text += part
                if len(text) > largest or time.monotonic() > deadline:
                    raise BreakwaterError(
                        f"{url} gives more than {largest} bytes, or takes longer than {seconds:g} seconds:"
                        " no key does. Correct the address."
                    )
    except (OSError, URLError, http.client.HTTPException) as error:
        raise BreakwaterError(f"{url} can't be fetched: {error}. Correct the address or the network.") from None
    return text.decode("ascii", "replace")


def shown(text: str) -> str:
    """Return the description of a repository as everybody may see it."""
    return _ACCOUNT.sub(rf"\1{HIDDEN}", text_without_credentials(text))


def run(module: AnsibleModule) -> dict[str, Any]:
    """Compare, and change outside check mode; BreakwaterError when the key is not the right one."""
    params = module.params
    if has_credentials(params["url"]):
        module.no_log_values.add(params["url"])
        raise InputError(
            f"{without_credentials(params['url'])} names a user or a password, and everybody on the host may read the"
            " file that it goes to. Leave them out: apt takes them from /etc/apt/auth.conf.d, the download of the key"
            " from ~/.netrc; with dnf, name a mirror that asks for none. Nothing was changed."
        )
    wanted = repository(params["url"], params["distribution"], params["codename"], params["architecture"])
    fingerprint = params["fingerprint"] or wanted.fingerprint
    check_sources(
        wanted, {path: ConfigFile(path).read() or "" for pattern in _APT_SOURCES for path in glob.glob(pattern)}
    )
    key, source = ConfigFile(wanted.key_path), ConfigFile(wanted.path)
    before = source.read() or ""
    key_present = has_key(key, fingerprint)
    if not module.check_mode:
        if not key_present:
            text = fetch(wanted.key_url)
            check_key(text, fingerprint, wanted.key_url)
            key.write(text)
        if before != wanted.text:
            source.write(wanted.text)
    return {
        "changed": not key_present or before != wanted.text,
        "path": source.path,
        "diff": {"before": shown(before), "after": wanted.text},
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "default": "https://download.docker.com/linux"},
            "distribution": {"type": "str", "required": True},
            "codename": {"type": "str", "default": ""},
            "architecture": {"type": "str", "default": ""},
            "fingerprint": {"type": "str"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
