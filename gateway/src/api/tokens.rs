//! Bearer tokens. The gateway knows them by their hash only.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use passerelle_auth::{Document, DocumentKind, Expect, Identity, Secret, StoreError, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::principal::Principal;
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
struct Login {
    user: String,
    second_factor: bool,
}

/// Keeps a new token for a local user.
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
    let login = Login { user: identity.technician.clone(), second_factor: identity.second_factor };
    let document = Document {
        kind: DocumentKind::Token,
        key: hash(token.expose()),
        value: serde_json::to_vec(&login).unwrap_or_default(),
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
    let user = config.user(&login.user).ok_or_else(refused)?;
    let principal = Principal::user(user, config);
    let second_factor = login.second_factor;
    Ok(Principal { expires_at: document.expires_at, token: Some(hash), second_factor, ..principal })
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
