"""Checks a proof out of the audit log with nothing but the public key, as RFC 9162 and C2SP describe it."""

import base64
import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def root(path, index, size, leaf):
    """The root that a path leads to; the tree is split at the largest power of two below its size."""
    if size == 1:
        assert not path, "the proof is too long"
        return leaf
    half = 1 << (size - 1).bit_length() - 1
    if index < half:
        return sha256(b"\1", root(path[:-1], index, half, leaf), path[-1])
    return sha256(b"\1", path[-1], root(path[:-1], index - half, size - half, leaf))


name, key_id, key = sys.argv[2].split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id, "not such a key"

with open(sys.argv[1], encoding="utf-8") as file:
    head, text, signatures = file.read().split("\n\n")
kind, extra, index, *path = head.splitlines()
assert kind == "c2sp.org/tlog-proof@v1"
signer, signature = signatures.removeprefix("\u2014 ").split()
signature = base64.b64decode(signature)
assert signer == name and signature[:4].hex() == key_id, "signed by somebody else"
Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], (text + "\n").encode())

origin, size, expected = text.splitlines()
line = base64.b64decode(extra.removeprefix("extra "))
index = int(index.removeprefix("index "))
path = [base64.b64decode(node) for node in path]
assert origin == name and root(path, index, int(size), sha256(b"\0", line)) == base64.b64decode(expected)
print(json.dumps(json.loads(line)))
