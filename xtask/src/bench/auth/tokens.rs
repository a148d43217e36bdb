//! An identity provider: a key, and the tokens that it signs (RFC 7519).

use anyhow::{Result, anyhow};
use data_encoding::BASE64URL_NOPAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// Its name, and what it calls the gateway.
pub(crate) const ISSUER: &str = "https://id.example";
/// What it calls the gateway.
pub(crate) const AUDIENCE: &str = "passerelle";

/// An identity provider that signs with Ed25519.
pub(crate) struct Provider {
    key: Ed25519KeyPair,
    made: u64,
}

impl Provider {
    /// One with a key that everybody may know.
    pub(crate) fn new() -> Result<Self> {
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).map_err(|_| anyhow!("no key for tokens"))?;
        Ok(Self { key, made: 0 })
    }

    /// Its public key as a JSON Web Key Set (RFC 7517, RFC 8037).
    pub(crate) fn keys(&self) -> Value {
        let public = BASE64URL_NOPAD.encode(self.key.public_key().as_ref());
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "kid": "bench", "alg": "EdDSA", "use": "sig", "x": public }] })
    }

    /// A token for alice that is good for five minutes from `now`, in seconds since 1970.
    pub(crate) fn token(&mut self, now: u64) -> String {
        self.made += 1;
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": "bench" });
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300,
            "jti": format!("bench-{now}-{}", self.made), "preferred_username": "alice", "groups": ["helpdesk"],
        });
        let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = BASE64URL_NOPAD.encode(self.key.sign(signed.as_bytes()).as_ref());
        format!("{signed}.{signature}")
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn tokens_differ_and_verify_with_the_published_key() {
        let mut provider = Provider::new().unwrap();
        let (one, other) = (provider.token(1000), provider.token(1000));
        assert_ne!(one, other);
        let keys = provider.keys();
        let public = BASE64URL_NOPAD.decode(keys["keys"][0]["x"].as_str().unwrap().as_bytes()).unwrap();
        let (signed, signature) = one.rsplit_once('.').unwrap();
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(signed.as_bytes(), &signature).unwrap();
        let claims = BASE64URL_NOPAD.decode(signed.split('.').nth(1).unwrap().as_bytes()).unwrap();
        let claims: Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["exp"], 1300);
    }
}
