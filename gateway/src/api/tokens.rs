//! Bearer tokens. The gateway knows them by their hash only.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use passerelle_auth::{Document, DocumentKind, Expect, Identity, Secret, StoreError, Timestamp};
use passerelle_config::Config;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::principal::{Claims, Principal};
use super::problem::Problem;
use crate::ambient;
use crate::gateway::Gateway;

/// What the token of a login begins with, so that one that leaked is recognised.
const USER: &str = "pat_";

/// What the token of a service account begins with.
pub(crate) const SERVICE: &str = "psa_";

/// A new token: `prefix` and 256 random bits.
pub(crate) fn mint(prefix: &str) -> Secret {
    let mut random = Zeroizing::new([0; 32]);
    ambient::random(random.as_mut_slice());
    Secret::new(format!("{prefix}{}", BASE64URL_NOPAD.encode(random.as_slice())))
}

/// What is kept of a token: its SHA-256 in hex. Nobody guesses 256 bits, so a plain hash is enough.
pub(crate) fn hash(token: &str) -> String {
    HEXLOWER.encode(digest(&SHA256, token.as_bytes()).as_ref())
}

/// What the store has of a login, under its token's hash.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Login {
    /// A local user's.
    User { user: String, second_factor: bool },
    /// Of somebody whom an identity provider vouched for.
    Person { technician: String, second_factor: bool, claims: Claims },
}

impl Login {
    fn of(identity: &Identity) -> Self {
        let (name, second_factor) = (identity.technician.clone(), identity.second_factor);
        match Claims::of(identity) {
            None => Self::User { user: name, second_factor },
            Some(claims) => Self::Person { technician: name, second_factor, claims },
        }
    }

    /// Who this is now; nobody when the user, or the identity provider, is no longer configured.
    fn principal(self, config: &Config) -> Option<Principal> {
        Some(match self {
            Self::User { user, second_factor } => {
                Principal { second_factor, ..Principal::user(config.user(&user)?, config) }
            }
            Self::Person { technician, second_factor, claims } => {
                let known = config.issuers.iter().any(|issuer| issuer.issuer == claims.issuer);
                let person = known.then(|| Principal::person(technician, claims, config))?;
                Principal { second_factor, ..person }
            }
        })
    }
}

/// Who somebody is that has just proved it; nobody who is not configured.
pub(super) fn principal(identity: &Identity, config: &Config) -> Option<Principal> {
    Login::of(identity).principal(config)
}

/// Keeps a new token for somebody who has logged in.
///
/// # Errors
/// The store does not keep it.
pub(super) async fn issue(
    gateway: &Gateway,
    identity: &Identity,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<Secret, StoreError> {
    let token = mint(USER);
    let document = Document {
        kind: DocumentKind::Token,
        key: hash(token.expose()),
        value: serde_json::to_vec(&Login::of(identity)).unwrap_or_default(),
        expires_at: Some(expires_at),
    };
    gateway.store.put(&document, Expect::Absent, now).await?;
    Ok(token)
}

/// Whose token this is.
///
/// # Errors
/// Nobody's, or of somebody who is no longer configured.
pub(super) async fn authenticate(
    gateway: &Gateway,
    token: &str,
    now: Timestamp,
) -> Result<Principal, Problem> {
    let policy = gateway.policy();
    let config = &policy.config;
    let hash = hash(token);
    let refused = || Problem::unauthorized("the token is not known, or has expired");
    if token.starts_with(SERVICE) {
        let is = |known: &str| bool::from(known.as_bytes().ct_eq(hash.as_bytes()));
        let account = config.service_accounts.iter().find(|account| is(account.token_hash.hex()));
        let principal = Principal::service(account.ok_or_else(refused)?);
        return if principal.expires_at.is_some_and(|end| end <= now) {
            Err(refused())
        } else {
            Ok(principal)
        };
    }
    let document = gateway.store.get(DocumentKind::Token, &hash, now).await?.ok_or_else(refused)?;
    let login: Login = serde_json::from_slice(&document.value).map_err(|_| refused())?;
    let principal = login.principal(config).ok_or_else(refused)?;
    Ok(Principal { expires_at: document.expires_at, token: Some(hash), ..principal })
}

/// Makes a login's token worthless.
///
/// # Errors
/// The store does not answer.
pub(super) async fn revoke(gateway: &Gateway, token: &str, now: Timestamp) -> Result<bool, StoreError> {
    gateway.store.delete(DocumentKind::Token, token, Expect::Any, now).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_hashes_are_the_configurations() {
        let (one, other) = (mint(SERVICE), mint(SERVICE));
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().len(), SERVICE.len() + 43);
        assert!(format!("sha256:{}", hash(one.expose())).parse::<passerelle_config::TokenHash>().is_ok());
        assert_eq!(hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
