//! JSON Web Tokens (RFC 7519) of other identity providers.
//!
//! A token is taken when one of the configured issuers signed it, with an algorithm and a key that are pinned to
//! that issuer, for this gateway, not long ago, and when it was not used before. What it says about the technician
//! becomes an [`Identity`].

mod claims;
mod header;
mod issuer;
mod keys;
mod provider;
mod refusal;

use std::net::IpAddr;
use std::sync::Arc;

use ring::digest;

pub use claims::ClaimNames;
pub use issuer::{Issuer, IssuerSettings, Keys};
pub use keys::{FetchKeys, KeySet, KeySetError, SigningAlgorithm};
pub use refusal::JwtRefusal;

use crate::{AttemptKey, Document, DocumentKind, Expect, Identity, LockoutPolicy, Put, Store, Timestamp};

/// Bytes that a token may have.
const LONGEST: usize = 8 * 1024;

/// Whether a text looks like a signed token, rather than a ticket or a password: three parts, the first of which
/// begins as JSON does in base64url.
pub fn is_jwt(text: &str) -> bool {
    text.starts_with("eyJ") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// Checks tokens of the configured issuers, with lockout.
///
/// As for passwords, an attempt counts as a failure before it is looked at and is forgiven when it was right.
#[derive(Clone)]
pub struct Issuers {
    issuers: Arc<[Issuer]>,
    store: Arc<dyn Store>,
    lockout: LockoutPolicy,
}

impl Issuers {
    /// The issuers that are trusted from now on.
    pub fn new(
        issuers: impl IntoIterator<Item = Issuer>,
        store: Arc<dyn Store>,
        lockout: LockoutPolicy,
    ) -> Self {
        provider::install();
        Self { issuers: issuers.into_iter().collect(), store, lockout }
    }

    /// Whether any issuer is trusted.
    pub fn is_empty(&self) -> bool {
        self.issuers.is_empty()
    }

    /// Checks a token and uses it up: it is good once, whatever for and on whichever node.
    ///
    /// # Errors
    /// See [`JwtRefusal`].
    pub async fn redeem(&self, token: &str, address: IpAddr, now: Timestamp) -> Result<Identity, JwtRefusal> {
        let keys = [AttemptKey::address(address), AttemptKey::Global];
        if let Some(locked) = self.store.fail(&keys, &self.lockout, now).await? {
            return Err(JwtRefusal::Locked(locked));
        }
        let identity = self.redeem_uncounted(token, now).await?;
        self.store.forgive(&keys, &self.lockout, now).await?;
        Ok(identity)
    }

    async fn redeem_uncounted(&self, token: &str, now: Timestamp) -> Result<Identity, JwtRefusal> {
        if token.len() > LONGEST {
            return Err(JwtRefusal::TooLong);
        }
        let header = header::read(token)?;
        let named = claims::unverified_issuer(token)?;
        let issuer =
            self.issuers.iter().find(|issuer| issuer.name() == named).ok_or(JwtRefusal::UnknownIssuer)?;
        let verified = issuer.verify(token, &header, now).await?;
        let document = Document {
            kind: DocumentKind::JwtId,
            key: single_use_key(issuer.name(), &verified.id),
            value: Vec::new(),
            expires_at: Some(verified.worthless_at),
        };
        if self.store.put(&document, Expect::Absent, now).await? == Put::Conflict {
            return Err(JwtRefusal::Used);
        }
        // What was used before the store began to remember cannot be told from what was not.
        if verified.issued_at < self.store.since(now).await?.saturating_add(issuer.leeway()) {
            return Err(JwtRefusal::Forgotten);
        }
        Ok(verified.identity)
    }
}

/// A name of bounded length for the `jti` of an issuer. Neither text can make it another's.
fn single_use_key(issuer: &str, id: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&u64::try_from(issuer.len()).unwrap_or(u64::MAX).to_be_bytes());
    context.update(issuer.as_bytes());
    context.update(id.as_bytes());
    data_encoding::HEXLOWER.encode(context.finish().as_ref())
}

#[cfg(test)]
pub(crate) mod tests;
