# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This is a virtual module: the action plugin of the same name works on the controller and calls docker_tls_files.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_tls_certificates
short_description: Issues and renews the TLS certificates of a host, whose private keys never leave it
version_added: 1.0.0
description:
  - The host makes a private key and a signing request, the CA on the controller (M(breakwater.docker.docker_tls_ca))
    signs it, and the host gets the certificate. Neither the CA's key nor its passphrase is sent to a host.
  - A certificate is issued anew when it is near its end, when another CA issues by now, or when its name, names, use,
    kind of key or validity are not as they are to be. Each reason is told.
  - The key is kept then, unless it is of another kind or O(new_keys) is set, so that certificate and key fit together
    in every moment.
  - The files are C(ca.pem) and C(cert.pem) with mode V(0444) and C(key.pem) with mode V(0400).
options:
  ca_directory:
    description: Directory of the CA on the controller.
    type: path
    required: true
  ca_passphrase:
    description: Passphrase of the CA's key. It is needed only when something is issued.
    type: str
    default: ""
  certificates:
    description: The certificates of the host.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Common name; for a client it is who the engine takes it for.
        type: str
        required: true
      usage:
        description: The extended key usage, either a V(server) or a V(client).
        type: str
        choices: [server, client]
        required: true
      names:
        description:
          - Subject alternative names, host names, IP addresses or mail addresses. A server needs all names and
            addresses by which clients call it.
        type: list
        elements: str
        default: []
      user:
        description: Owner of the files. They are written with the rights of this user.
        type: str
        default: root
      directory:
        description:
          - Directory of the files. The default is C(/etc/docker/tls) for a server and C(~user/.docker) for a client.
        type: str
      days:
        description: How many days it is valid, by default O(days). It never exceeds the CA.
        type: int
      state:
        description: With V(absent) the files are removed.
        type: str
        choices: [present, absent]
        default: present
  key_type:
    description: Kind of the private keys.
    type: str
    choices: [ec-p256, ec-p384, rsa-3072, rsa-4096]
    default: ec-p256
  days:
    description: How many days the certificates are valid.
    type: int
    default: 90
  renew_before:
    description: How many days before its end a certificate is renewed.
    type: int
    default: 30
  new_keys:
    description: Whether certificates that are renewed get a new private key too.
    type: bool
    default: false
  replace_foreign:
    description:
      - Whether files of another CA are replaced, or with V(absent) removed. By default they stay, and it is refused to
        replace them, since their key may be the only one, and whoever relies on the other CA would be refused.
      - The former files are kept beside the new ones as C(*.breakwater-previous).
    type: bool
    default: false
attributes:
  action:
    description: Signs on the controller, and calls M(breakwater.docker.docker_tls_files) on the host.
    support: full
  check_mode:
    description: Predicts, without a CA, OpenSSL or the user as well; no key is made.
    support: full
  diff_mode:
    description: Shows what is issued and why.
    support: full
  idempotent:
    description: Issues nothing when nothing is due.
    support: full
requirements:
  - cryptography 42 or newer on the controller, where ansible-core needs it as well
  - openssl on the host
author:
  - Breakwater maintainers (@breakwater)
"""

EXAMPLES = r"""
- name: Have a certificate for the engine
  breakwater.docker.docker_tls_certificates:
    ca_directory: ~/.breakwater/docker-ca
    ca_passphrase: "{{ vault_docker_ca_passphrase }}"
    certificates:
      - name: "{{ inventory_hostname }}"
        usage: server
        names: ["{{ inventory_hostname }}", 192.0.2.10]

- name: Have a certificate for a person, on the machine from which she commands the engines
  breakwater.docker.docker_tls_certificates:
    ca_directory: ~/.breakwater/docker-ca
    ca_passphrase: "{{ vault_docker_ca_passphrase }}"
    certificates:
      - name: alice
        usage: client
        user: alice
        days: 14
    renew_before: 7
"""

RETURN = r"""
certificates:
  description: The certificates, in the order of the option.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Common name.
      type: str
    usage:
      description: V(server) or V(client).
      type: str
    directory:
      description: Directory of the files.
      type: str
    expires:
      description: Last day of its validity, UTC; null where there is none.
      type: str
    renewed:
      description: Why it was issued, as clauses; empty when it was not.
      type: list
      elements: str
    corrected:
      description: What else was not as it is to be, as clauses.
      type: list
      elements: str
  sample:
    - name: prod-1
      usage: server
      directory: /etc/docker/tls
      expires: "2027-02-22"
      renewed: [it expires on 2026-12-01]
      corrected: []
changed_usages:
  description: The usages of those certificates of which anything was changed.
  type: list
  elements: str
  returned: success
  sample: [server]
"""
