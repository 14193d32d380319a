"""Turns an Ed25519 public key (SubjectPublicKeyInfo, DER) on standard input into a JWKS; the key id is its RFC 7638 thumbprint."""

import base64
import hashlib
import json
import sys


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


x = text(sys.stdin.buffer.read()[-32:])
canonical = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": x}, separators=(",", ":"), sort_keys=True)
key = {"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig", "kid": text(hashlib.sha256(canonical.encode()).digest())}
json.dump({"keys": [key]}, sys.stdout)
