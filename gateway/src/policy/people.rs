//! Who may log in, from the configuration.

use std::sync::Arc;

use passerelle_auth as auth;
use passerelle_config::{self as config, Config};
use rustls::RootCertStore;

use crate::jwks::HttpsKeys;
use crate::tls;

/// A user or an identity provider cannot be taken as it is configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeopleError {
    #[error("users: the password hash of {name} cannot be used: {source}")]
    Password { name: String, source: auth::PasswordError },
    #[error("users: the second factor of {name} cannot be used: {source}")]
    Totp { name: String, source: auth::TotpError },
    #[error("issuers: the keys of {name} cannot be used: {source}")]
    Keys { name: String, source: auth::KeySetError },
    #[error("issuers: no connection to {name} can be made: {source}")]
    Tls { name: String, source: rustls::Error },
}

/// The local users.
///
/// # Errors
/// See [`PeopleError`].
pub(crate) fn accounts(config: &Config) -> Result<Vec<auth::Account>, PeopleError> {
    config.users.iter().map(|user| account(user)).collect()
}

fn account(user: &config::User) -> Result<auth::Account, PeopleError> {
    let name = || user.name.clone();
    let password = user.password_hash.as_ref().map(|hash| hash.expose().parse()).transpose();
    let totp = user.totp.as_ref().map(|totp| totp.expose().parse()).transpose();
    Ok(auth::Account {
        name: name(),
        groups: user.groups.clone(),
        password: password.map_err(|source| PeopleError::Password { name: name(), source })?,
        totp: totp.map_err(|source| PeopleError::Totp { name: name(), source })?,
    })
}

/// The identity providers.
///
/// # Errors
/// See [`PeopleError`].
pub(crate) fn issuers(
    config: &Config,
    system_roots: &Arc<RootCertStore>,
) -> Result<Vec<auth::Issuer>, PeopleError> {
    config.issuers.iter().map(|issuer| self::issuer(issuer, system_roots)).collect()
}

fn issuer(issuer: &config::Issuer, system_roots: &Arc<RootCertStore>) -> Result<auth::Issuer, PeopleError> {
    let name = || issuer.issuer.clone();
    let keys = match (&issuer.jwks_url, &issuer.jwks_file) {
        (Some(url), _) => {
            let own = issuer.ca_file.as_ref().map(|file| tls::roots_from_pem(file.pem.as_bytes()));
            let fetch = HttpsKeys::new(own.unwrap_or_else(|| system_roots.clone()))
                .map_err(|source| PeopleError::Tls { name: name(), source })?;
            auth::Keys::Url { url: url.clone(), fetch: Arc::new(fetch) }
        }
        (None, file) => {
            // The configuration was checked to have one of the two.
            let json = file.as_ref().map(|file| file.json.as_str()).unwrap_or_default();
            let keys = auth::KeySet::from_json(json.as_bytes())
                .map_err(|source| PeopleError::Keys { name: name(), source })?;
            auth::Keys::Fixed(keys)
        }
    };
    let algorithm = |algorithm: &config::SigningAlgorithm| match algorithm {
        config::SigningAlgorithm::EdDsa => auth::SigningAlgorithm::EdDsa,
        config::SigningAlgorithm::Es256 => auth::SigningAlgorithm::Es256,
        config::SigningAlgorithm::Rs256 => auth::SigningAlgorithm::Rs256,
    };
    let claims = &issuer.claims;
    let settings = auth::IssuerSettings {
        name: name(),
        audience: issuer.audience.clone(),
        algorithms: issuer.algorithms.iter().map(algorithm).collect(),
        longest_life: issuer.longest_life.get(),
        leeway: issuer.leeway.get(),
        claims: auth::ClaimNames {
            id: claims.id.clone(),
            technician: claims.technician.clone(),
            groups: Some(claims.groups.clone()),
            target: Some(claims.target.clone()),
            permissions: Some(claims.permissions.clone()),
            second_factor: claims
                .second_factor
                .as_ref()
                .map(|factor| (factor.claim.clone(), factor.values.clone())),
        },
    };
    Ok(auth::Issuer::new(settings, keys))
}
