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


def roots(path, old, size, known):
    """The roots of the old and the new tree that a consistency proof leads to; `known` is the old root, if it is
    that of the part at hand."""
    if old == size:
        if known is not None:
            assert not path, "the proof is too long"
            return known, known
        (same,) = path
        return same, same
    half = 1 << (size - 1).bit_length() - 1
    if old <= half:
        before, after = roots(path[:-1], old, half, known)
        return before, sha256(b"\1", after, path[-1])
    before, after = roots(path[:-1], old - half, size - half, None)
    return sha256(b"\1", path[-1], before), sha256(b"\1", path[-1], after)


name, key_id, key = sys.argv[2].split("+", 2)
key = base64.b64decode(key)
assert key[0] == 1 and sha256(name.encode(), b"\n", key)[:4].hex() == key_id, "not such a key"



def checkpoint(text, signatures):
    """The size and the root of a signed note."""
    signer, signature = signatures.removeprefix("\u2014 ").split()
    signature = base64.b64decode(signature)
    assert signer == name and signature[:4].hex() == key_id, "signed by somebody else"
    Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature[4:], (text + "\n").encode())
    origin, size, root = text.splitlines()
    assert origin == name
    return int(size), base64.b64decode(root)


with open(sys.argv[1], encoding="utf-8") as file:
    head, *note = file.read().split("\n\n")
size, expected = checkpoint(*note)
if head.startswith("old "):
    with open(sys.argv[3], encoding="utf-8") as file:
        old, known = checkpoint(*file.read().split("\n\n"))
    first, *path = head.splitlines()
    assert first == f"old {old}" and 0 < old < size
    assert roots([base64.b64decode(node) for node in path], old, size, known) == (known, expected)
    print(json.dumps([old, size]))
    sys.exit()
kind, extra, index, *path = head.splitlines()
assert kind == "c2sp.org/tlog-proof@v1"
line = base64.b64decode(extra.removeprefix("extra "))
index = int(index.removeprefix("index "))
path = [base64.b64decode(node) for node in path]
assert root(path, index, size, sha256(b"\0", line)) == expected
print(json.dumps(json.loads(line)))
