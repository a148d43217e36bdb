//! One identity provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::claims::{self, Verified};
use super::header::Header;
use super::keys::Cache;
use super::{ClaimNames, FetchKeys, JwtRefusal, KeySet, SigningAlgorithm};
use crate::Timestamp;

/// What is known of an identity provider.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// The exact `iss` of its tokens.
    pub name: String,
    /// What its tokens have to name as their audience (`aud`): this gateway.
    pub audience: String,
    /// The algorithms that its tokens may be signed with.
    pub algorithms: Vec<SigningAlgorithm>,
    /// How long a token may be good at most, from `iat` to `exp`.
    pub longest_life: Duration,
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// What its tokens say where.
    pub claims: ClaimNames,
}

/// Where an issuer's keys come from.
#[derive(Clone)]
pub enum Keys {
    /// They are these.
    Fixed(KeySet),
    /// They are fetched from a URL when they are needed, kept for ten minutes, and for a day when the URL does not
    /// answer. A token with an unknown key makes the gateway ask again, at most every 30 seconds.
    Url {
        /// `jwks_uri`.
        url: String,
        /// How.
        fetch: Arc<dyn FetchKeys>,
    },
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(keys) => f.debug_tuple("Fixed").field(keys).finish(),
            Self::Url { url, .. } => f.debug_struct("Url").field("url", url).finish_non_exhaustive(),
        }
    }
}

/// An identity provider whose tokens are taken.
#[derive(Debug)]
pub struct Issuer {
    settings: IssuerSettings,
    keys: Keys,
    /// Held while the issuer is asked, so that it is asked once.
    cache: Mutex<Cache>,
}

impl Issuer {
    /// Trusts an identity provider.
    pub fn new(settings: IssuerSettings, keys: Keys) -> Self {
        Self { settings, keys, cache: Mutex::default() }
    }

    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    pub(super) const fn leeway(&self) -> Duration {
        self.settings.leeway
    }

    /// Checks everything but that the token was not used before.
    pub(super) async fn verify(
        &self,
        token: &str,
        header: &Header,
        now: Timestamp,
    ) -> Result<Verified, JwtRefusal> {
        if !self.settings.algorithms.contains(&header.algorithm) {
            return Err(JwtRefusal::Algorithm);
        }
        let key = self.key(header, now).await?;
        let mut validation = Validation::new(header.algorithm.of_library());
        validation.set_issuer(&[&self.settings.name]);
        validation.set_audience(&[&self.settings.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "exp", "nbf"]);
        // Times are compared with the caller's clock instead.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let token = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation)
            .map_err(|error| JwtRefusal::of(&error))?;
        claims::read(&token.claims, &self.settings, now)
    }

    async fn key(&self, header: &Header, now: Timestamp) -> Result<DecodingKey, JwtRefusal> {
        let id = header.key_id.as_deref();
        let found = |keys: &KeySet| keys.find(id, header.algorithm).cloned().ok_or(JwtRefusal::UnknownKey);
        let (url, fetch) = match &self.keys {
            Keys::Fixed(keys) => return found(keys),
            Keys::Url { url, fetch } => (url, fetch),
        };
        let mut cache = self.cache.lock().await;
        let mut failure = None;
        if cache.wants(id, now) {
            cache.asked(now);
            let answer = fetch.fetch(url).await;
            match answer.and_then(|json| KeySet::from_json(&json).map_err(|error| error.to_string())) {
                Ok(keys) => cache.answered(keys, now),
                Err(why) => failure = Some(why),
            }
        }
        match cache.keys(now) {
            Some(keys) => found(keys),
            None => Err(JwtRefusal::NoKeys {
                issuer: self.settings.name.clone(),
                why: failure.unwrap_or_else(|| "it was asked less than 30 seconds ago".to_owned()),
            }),
        }
    }
}
