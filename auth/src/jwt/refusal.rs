//! Why a token was refused.

use jsonwebtoken::errors::{Error, ErrorKind};

use crate::{Locked, StoreError};

/// Why a token was refused: for the audit log, not for the technician. None of these repeat the token.
#[derive(Debug, thiserror::Error)]
pub enum JwtRefusal {
    /// Too many failures; what was presented was not looked at.
    #[error("{} is locked until {} after too many failed attempts", .0.key, .0.until)]
    Locked(Locked),
    /// The token has more than 8 KiB.
    #[error("the token is longer than 8 KiB")]
    TooLong,
    /// It is no signed token in compact form (RFC 7515 section 7.1).
    #[error("this is no signed JSON Web Token")]
    Malformed,
    /// The header has a parameter that is not taken: `crit`, a key of its own, or an unknown type.
    #[error("the token's header holds something else than alg, typ, kid and thumbprints")]
    Header,
    /// The algorithm is not allowed for this issuer, or for anybody.
    #[error("the token is signed with an algorithm that is not allowed for its issuer")]
    Algorithm,
    /// No issuer of this name is configured.
    #[error("the token's issuer is not configured")]
    UnknownIssuer,
    /// The issuer has no key of this name for this algorithm.
    #[error("the token's issuer has no such key")]
    UnknownKey,
    /// The issuer's keys cannot be had.
    #[error("the keys of {issuer} cannot be had: {why}")]
    NoKeys {
        /// Its name.
        issuer: String,
        /// What happened.
        why: String,
    },
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// The token is for somebody else.
    #[error("the token names another audience")]
    Audience,
    /// A claim is not there.
    #[error("the token has no {0}")]
    MissingClaim(&'static str),
    /// A claim has a form that is not understood.
    #[error("the token's {0} cannot be used")]
    Claim(&'static str),
    /// The time is over.
    #[error("the token has expired")]
    Expired,
    /// The token is from the future.
    #[error("the token is not valid yet")]
    NotYet,
    /// It is good for longer than the issuer's tokens may be.
    #[error("the token is good for longer than is allowed for its issuer")]
    TooLongLife,
    /// It was used before.
    #[error("the token was used before")]
    Used,
    /// It was made before the store began to remember which tokens were used.
    #[error("the token is older than what the store remembers; ask for a new one")]
    Forgotten,
    /// The store failed, so nothing can be said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl JwtRefusal {
    /// What `jsonwebtoken` refused.
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::InvalidSignature => Self::Signature,
            ErrorKind::InvalidAudience => Self::Audience,
            ErrorKind::InvalidIssuer => Self::UnknownIssuer,
            ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => Self::Algorithm,
            ErrorKind::MissingRequiredClaim(claim) => Self::MissingClaim(match claim.as_str() {
                "iss" => "iss",
                "aud" => "aud",
                "nbf" => "nbf",
                _ => "exp",
            }),
            _ => Self::Malformed,
        }
    }

    /// What the technician is told. The same for every refusal that depends on what was presented.
    pub const fn for_technician(&self) -> &'static str {
        match self {
            Self::Store(_) | Self::NoKeys { .. } => {
                "The gateway cannot check tokens at the moment. Try again in a minute."
            }
            _ => "The token is not valid. Ask for a new one and try again.",
        }
    }

    /// A word for the audit log that stays the same from version to version.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked(_) => "locked",
            Self::TooLong | Self::Malformed => "malformed_token",
            Self::Header => "token_header",
            Self::Algorithm => "token_algorithm",
            Self::UnknownIssuer => "token_issuer",
            Self::UnknownKey => "token_key",
            Self::NoKeys { .. } => "token_keys_unavailable",
            Self::Signature => "token_signature",
            Self::Audience => "token_audience",
            Self::MissingClaim(_) | Self::Claim(_) => "token_claims",
            Self::Expired | Self::Forgotten => "expired_token",
            Self::NotYet => "early_token",
            Self::TooLongLife => "token_life",
            Self::Used => "used_token",
            Self::Store(_) => "store_failed",
        }
    }
}
