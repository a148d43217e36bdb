"""Keys and tokens of an identity provider, made by jwcrypto."""

import json
import sys

from jwcrypto import jwk, jwt

KINDS = {
    "RS256": {"kty": "RSA", "size": 2048},
    "ES256": {"kty": "EC", "crv": "P-256"},
    "EdDSA": {"kty": "OKP", "crv": "Ed25519"},
}


def keys():
    made = {name: jwk.JWK.generate(**kind, kid=name, alg=name, use="sig") for name, kind in KINDS.items()}
    public = {"keys": [key.export_public(as_dict=True) for key in made.values()]}
    return {"public": public, "private": {name: key.export(as_dict=True) for name, key in made.items()}}


def token(path, algorithm, claims):
    with open(path, encoding="utf-8") as file:
        key = jwk.JWK(**json.load(file)[algorithm])
    signed = jwt.JWT(header={"alg": algorithm, "kid": algorithm, "typ": "JWT"}, claims=claims)
    signed.make_signed_token(key)
    return signed.serialize()


print(json.dumps(keys() if sys.argv[1] == "keys" else token(*sys.argv[2:])))
