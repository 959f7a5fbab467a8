# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The form of a policy of signatures, for the modules that take one.

from __future__ import annotations


class ModuleDocFragment:
    """Documents the entries of `policy`; what a module makes of it is the module's to say."""

    DOCUMENTATION = r"""
options:
  policy:
    type: list
    elements: dict
    suboptions:
      repository:
        description:
          - Full name of a repository (V(docker.io/library/debian)) with the host in lower case, everything below a
            registry or a path (V(registry.example.org/team/*)), or V(*) for everything.
        type: str
        required: true
      action:
        description: What happens to the images. V(accept) lets them pass without a signature.
        type: str
        choices: [verify, accept, reject]
        default: verify
      verifier:
        description: How they are signed.
        type: str
        choices: [cosign, notation, content_trust]
        default: cosign
      keys:
        description:
          - Names of keys in C(/etc/docker/image-trust/keys), any of which will do. The role puts them there.
          - For V(cosign) public keys or, with O(policy[].identity), CA certificates; for V(notation) CA certificates.
          - For V(content_trust) ids of the root keys that a repository may have, as C(docker trust inspect) tells them.
        type: list
        elements: str
        default: []
      identity:
        description:
          - For V(cosign) whom the signature's certificate has to name, where short-lived keys sign.
          - "For V(notation) its trusted identity, such as V(x509.subject: C=DE, ST=BE, O=Example)."
        type: str
      issuer:
        description: Who has to have vouched for O(policy[].identity) when cosign's certificate was made.
        type: str
      transparency_log:
        description:
          - Name of the public key of the Rekor log that has to have seen the signature while the certificate was valid.
            The log itself is not asked; the signature brings its word.
          - Without it, cosign's certificate has to be valid when the image is verified.
        type: str
      server:
        description: Address of the Notary server, for V(content_trust).
        type: str
      annotations:
        description: Annotations that the signature has to have, with their values.
        type: dict
        default: {}
"""
