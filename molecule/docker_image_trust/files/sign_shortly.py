# sign_shortly.py IMAGE@DIGEST: signs it as CI would, with a certificate for ten minutes of last year, of an own CA
# (ca.pem, ca.key), and with the word of an own transparency log (rekor.key) that it saw the signature in these minutes.
# Source: https://github.com/sigstore/rekor/blob/main/types.md (hashedrekord), cosign's specs/SIGNATURE_SPEC.md.

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

EXTENSIONS = """
keyUsage=critical,digitalSignature
extendedKeyUsage=codeSigning
subjectAltName=email:ci@example.org
1.3.6.1.4.1.57264.1.1=DER:{issuer}
"""
ISSUER = "https://issuer.example.org"


def run(*argv: str, stdin: bytes = b"") -> bytes:
    """Run a command; CalledProcessError when it fails."""
    return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def stamp(seconds: float) -> str:
    """Return a moment as OpenSSL writes it."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(seconds))


def encode(data: bytes) -> str:
    """Return base64."""
    return base64.b64encode(data).decode()


image = sys.argv[1]
then = int(time.time()) - 365 * 86400
Path("leaf.ext").write_text(EXTENSIONS.format(issuer=ISSUER.encode().hex(":")))
run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "leaf.key")
run("openssl", "req", "-new", "-key", "leaf.key", "-subj", "/", "-out", "leaf.csr")
run(
    *("openssl", "x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-extfile", "leaf.ext"),
    *("-not_before", stamp(then), "-not_after", stamp(then + 600), "-out", "leaf.pem"),
)
payload = run("cosign", "generate", image)
Path("payload").write_bytes(payload)
signature = encode(run("openssl", "dgst", "-sha256", "-sign", "leaf.key", stdin=payload))
Path("signature").write_text(signature)
entry = {
    "apiVersion": "0.0.1",
    "kind": "hashedrekord",
    "spec": {
        "data": {"hash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()}},
        "signature": {"content": signature, "publicKey": {"content": encode(Path("leaf.pem").read_bytes())}},
    },
}
log = hashlib.sha256(run("openssl", "pkey", "-in", "rekor.key", "-pubout", "-outform", "DER")).hexdigest()
word = {"body": encode(json.dumps(entry).encode()), "integratedTime": then + 60, "logID": log, "logIndex": 1}
canonical = json.dumps(word, separators=(",", ":"), sort_keys=True).encode()
seen = encode(run("openssl", "dgst", "-sha256", "-sign", "rekor.key", stdin=canonical))
Path("bundle").write_text(json.dumps({"rekorBundle": {"SignedEntryTimestamp": seen, "Payload": word}}))
run(
    *("cosign", "attach", "signature", "--payload", "payload", "--signature", "signature", "--certificate", "leaf.pem"),
    *("--certificate-chain", "ca.pem", "--rekor-response", "bundle", image),
)
