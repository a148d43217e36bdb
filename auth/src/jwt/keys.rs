//! The keys of an issuer (RFC 7517), and when to ask for them again.

use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use crate::Timestamp;

/// Keys that an issuer may have.
const MOST_KEYS: usize = 64;
/// Bits that an RSA modulus has at least (RFC 7518 section 3.3), and at most.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// How long keys are used without asking for them again.
pub(super) const FRESH: Duration = Duration::from_secs(10 * 60);
/// How long keys are used when the issuer cannot be asked.
pub(super) const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// How often an issuer is asked at most, whatever tokens name as their keys.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(30);

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3).
    Rs256,
}

impl SigningAlgorithm {
    /// The algorithm of this name in a token's header, if it is supported. Names are compared exactly.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "EdDSA" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }

    pub(super) const fn of_library(self) -> Algorithm {
        match self {
            Self::EdDsa => Algorithm::EdDSA,
            Self::Es256 => Algorithm::ES256,
            Self::Rs256 => Algorithm::RS256,
        }
    }
}

/// Reads what stands behind an issuer's `jwks_uri`.
#[async_trait]
pub trait FetchKeys: Send + Sync + 'static {
    /// The document at `url`.
    ///
    /// # Errors
    /// Why it cannot be had, in one sentence. Takes a bounded time and reads a bounded length.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, String>;
}

/// A document holds no keys that could be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is no JSON of the form `{"keys": […]}`.
    #[error("this is no JSON Web Key Set: {0}")]
    Malformed(String),
    /// It has more than 64 keys.
    #[error("the key set has more than {MOST_KEYS} keys")]
    TooMany,
    /// None of its keys is for signatures of a supported kind.
    #[error("the key set has no Ed25519, P-256 or RSA key (2048 to 8192 bits) for signatures")]
    Empty,
}

/// The usable keys of an issuer. Each is pinned to one algorithm.
#[derive(Clone, Debug)]
pub struct KeySet(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    id: Option<String>,
    algorithm: SigningAlgorithm,
    key: DecodingKey,
}

impl KeySet {
    /// Reads a JSON Web Key Set (RFC 7517 section 5). Keys for other purposes and of other kinds are left out.
    ///
    /// # Errors
    /// See [`KeySetError`].
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        let set: JwkSet =
            serde_json::from_slice(json).map_err(|error| KeySetError::Malformed(error.to_string()))?;
        if set.keys.len() > MOST_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(usable).collect();
        if keys.is_empty() { Err(KeySetError::Empty) } else { Ok(Self(keys)) }
    }

    /// The key that a token names. A token that names none is checked with the only key of its algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: SigningAlgorithm) -> Option<&DecodingKey> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.algorithm == algorithm && (id.is_none() || key.id.as_deref() == id));
        let found = fitting.next()?;
        // Of several that a token could mean none is guessed.
        fitting.next().is_none().then_some(&found.key)
    }

    fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

fn usable(jwk: &Jwk) -> Option<Key> {
    let common = &jwk.common;
    let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let verifies =
        common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            SigningAlgorithm::EdDsa
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            SigningAlgorithm::Es256
        }
        AlgorithmParameters::RSA(_) => SigningAlgorithm::Rs256,
        _ => return None,
    };
    let pinned = common.key_algorithm.is_none_or(|named| {
        named
            == match algorithm {
                SigningAlgorithm::EdDsa => KeyAlgorithm::EdDSA,
                SigningAlgorithm::Es256 => KeyAlgorithm::ES256,
                SigningAlgorithm::Rs256 => KeyAlgorithm::RS256,
            }
    });
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (for_signatures && verifies && pinned && right_length(&key, algorithm)).then(|| Key {
        id: common.key_id.clone(),
        algorithm,
        key,
    })
}

fn right_length(key: &DecodingKey, algorithm: SigningAlgorithm) -> bool {
    match (algorithm, key.kind()) {
        (SigningAlgorithm::Rs256, DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            let zeros = n.iter().take_while(|byte| **byte == 0).count();
            let leading = n.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
            RSA_BITS.contains(&((n.len() - zeros) * 8).saturating_sub(leading))
        }
        (SigningAlgorithm::EdDsa, DecodingKeyKind::SecretOrDer(key)) => key.len() == 32,
        (SigningAlgorithm::Es256, DecodingKeyKind::SecretOrDer(key)) => key.len() == 65,
        _ => false,
    }
}

/// Keys that were fetched, and when the issuer was asked.
#[derive(Debug, Default)]
pub(super) struct Cache {
    held: Option<(KeySet, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl Cache {
    /// Whether the issuer is to be asked before a token with this key id is checked.
    pub(super) fn wants(&self, id: Option<&str>, now: Timestamp) -> bool {
        let outdated = match &self.held {
            Some((keys, at)) => now.since(*at) >= FRESH || id.is_some_and(|id| !keys.knows(id)),
            None => true,
        };
        // A clock that was set back must not keep the issuer from being asked.
        outdated && self.asked_at.is_none_or(|at| now.since(at) >= ASK_EVERY || at > now)
    }

    /// Takes note that the issuer is being asked.
    pub(super) fn asked(&mut self, now: Timestamp) {
        self.asked_at = Some(now);
    }

    /// Keeps what the issuer answered.
    pub(super) fn answered(&mut self, keys: KeySet, now: Timestamp) {
        self.held = Some((keys, now));
    }

    /// The keys, unless they are too old to be trusted.
    pub(super) fn keys(&self, now: Timestamp) -> Option<&KeySet> {
        let (keys, at) = self.held.as_ref()?;
        (now.since(*at) < STALE).then_some(keys)
    }
}
