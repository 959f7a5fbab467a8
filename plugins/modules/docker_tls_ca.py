# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This is a virtual module: the action plugin of the same name does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_tls_ca
short_description: Makes the CA of Docker engines on the controller, and replaces it without a gap
version_added: 1.0.0
description:
  - Keeps a CA in a directory of the controller, its key encrypted. A CA that exists already is used when its
    certificate and key are put there as C(current/ca.pem) and C(current/ca-key.pem).
  - The CA is replaced in three steps, between which every host and client has to be brought up to date by
    M(breakwater.docker.docker_tls_certificates). In between two CAs are trusted, so nobody is refused.
  - The playbook C(breakwater.docker.rotate_certificates) does all of it.
options:
  directory:
    description:
      - Directory of the CA on the controller. It and all in it is readable by its owner only.
    type: path
    required: true
  passphrase:
    description:
      - Passphrase of the key. A new CA needs one; for an existing CA with a readable key it may be empty.
    type: str
    default: ""
  name:
    description: Common name of a new CA; a part that is unique is appended.
    type: str
    default: Docker CA
  key_type:
    description: Kind of a new CA's key.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096]
    default: ec-p256
  days:
    description: How many days a new CA is valid.
    type: int
    default: 1825
  renew_before:
    description: How many days before its end O(step=introduce) replaces the CA. Until then a warning is given.
    type: int
    default: 180
  rotate:
    description: Whether O(step=introduce) replaces the CA before it is due, for example to shut out a client.
    type: bool
    default: false
  step:
    description:
      - V(ensure) makes a CA where there is none.
      - V(introduce) does that, and makes a second CA when the present one is due. Both are trusted, the old one
        issues. A CA that lies in C(next) already, with C(ca.pem) and C(ca-key.pem), is the second one.
      - V(promote) lets the second one issue. Both are trusted.
      - V(retire) removes the old one with its key.
      - A step whose turn has not come does nothing, so a rotation that was broken off goes on when it is run again.
    type: str
    choices: [ensure, introduce, promote, retire]
    default: ensure
attributes:
  action:
    description: Runs on the controller and needs no connection to a host.
    support: full
  check_mode:
    description: Predicts, and writes nothing.
    support: full
  diff_mode:
    description: Shows which CAs are trusted.
    support: full
  idempotent:
    description: Changes nothing when the CA is there and its turn has not come.
    support: full
requirements:
  - cryptography 42 or newer on the controller, where ansible-core needs it as well
author:
  - Breakwater maintainers (@breakwater)
"""

EXAMPLES = r"""
- name: Have a CA
  breakwater.docker.docker_tls_ca:
    directory: ~/.breakwater/docker-ca
    passphrase: "{{ vault_docker_ca_passphrase }}"
  run_once: true
"""

RETURN = r"""
deed:
  description: What was done, V(create), V(introduce), V(promote) or V(retire); null for nothing.
  type: str
  returned: success
  sample: create
phase:
  description: V(absent), V(stable), V(introduced) or V(promoted).
  type: str
  returned: success
  sample: stable
trusted:
  description: The CAs that are trusted, the issuing one first.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Common name.
      type: str
    expires:
      description: Last day of its validity, UTC.
      type: str
    fingerprint:
      description: SHA-256 fingerprint.
      type: str
  sample: [{name: Docker CA 5f0c9a31, expires: "2031-11-23", fingerprint: 5b1e}]
"""
