//! What a token says, and what of it counts here.

use std::time::Duration;

use passerelle_desktop::Permissions;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{IssuerSettings, JwtRefusal};
use crate::{Identity, Login, Method, Timestamp};

/// Bytes that a token's id may have.
const LONGEST_ID: usize = 256;
/// Groups that a technician may be in.
const MOST_GROUPS: usize = 512;
/// Bytes that a group's name may have.
const LONGEST_GROUP: usize = 256;

/// Which claims say what. A dot leads into an object, as in `realm_access.roles`, unless a claim has the whole
/// name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    /// The token's own identifier, by which it is known again; required. `jti` unless the issuer has another.
    pub id: String,
    /// The technician's name; required.
    pub technician: String,
    /// A list of groups, or one; without the claim there are none.
    pub groups: Option<String>,
    /// The only target that the token is good for.
    pub target: Option<String>,
    /// What a session may do at most: a list of permissions, or a text with spaces between them.
    pub permissions: Option<String>,
    /// A claim whose value, or one of whose values, is among these says that there was a second factor, such as
    /// `amr` with `mfa` or `otp` (RFC 8176).
    pub second_factor: Option<(String, Vec<String>)>,
}

/// A token that was verified and may not have been used before.
pub(super) struct Verified {
    pub(super) identity: Identity,
    /// Its `jti`.
    pub(super) id: String,
    pub(super) issued_at: Timestamp,
    /// From when on it is refused for its age.
    pub(super) worthless_at: Timestamp,
}

/// The issuer that a token names, which decides which keys it is checked with.
pub(super) fn unverified_issuer(token: &str) -> Result<String, JwtRefusal> {
    #[derive(Deserialize)]
    struct Named {
        iss: Option<String>,
    }
    let named: Named =
        jsonwebtoken::dangerous::insecure_decode_claims(token).map_err(|_| JwtRefusal::Malformed)?;
    named.iss.ok_or(JwtRefusal::MissingClaim("iss"))
}

/// Applies the issuer's rules to what was verified to be its words.
pub(super) fn read(
    claims: &Map<String, Value>,
    settings: &IssuerSettings,
    now: Timestamp,
) -> Result<Verified, JwtRefusal> {
    let expires = time(claims, "exp")?;
    let not_before = time(claims, "nbf")?;
    let issued = time(claims, "iat")?;
    let leeway = settings.leeway;
    if now >= expires.saturating_add(leeway) {
        return Err(JwtRefusal::Expired);
    }
    let ahead = now.saturating_add(leeway);
    if ahead < not_before || ahead < issued {
        return Err(JwtRefusal::NotYet);
    }
    if expires <= issued || expires.since(issued) > settings.longest_life {
        return Err(JwtRefusal::TooLongLife);
    }
    let id = match find(claims, &settings.claims.id) {
        Some(Value::String(id)) if (1..=LONGEST_ID).contains(&id.len()) => id.clone(),
        Some(_) => return Err(JwtRefusal::Claim("jti")),
        None => return Err(JwtRefusal::MissingClaim("jti")),
    };
    let worthless_at = expires.saturating_add(leeway);
    Ok(Verified { identity: identity(claims, settings)?, id, issued_at: issued, worthless_at })
}

/// A NumericDate (RFC 7519 section 2).
fn time(claims: &Map<String, Value>, name: &'static str) -> Result<Timestamp, JwtRefusal> {
    let seconds = claims.get(name).ok_or(JwtRefusal::MissingClaim(name))?;
    let seconds = seconds.as_f64().filter(|seconds| (0.0..1e12).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let duration = duration.ok_or(JwtRefusal::Claim(name))?;
    Ok(Timestamp::from_millis(0).saturating_add(duration))
}

fn identity(claims: &Map<String, Value>, settings: &IssuerSettings) -> Result<Identity, JwtRefusal> {
    let names = &settings.claims;
    let technician = match find(claims, &names.technician) {
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err(JwtRefusal::Claim("technician")),
        None => return Err(JwtRefusal::MissingClaim("technician")),
    };
    // What cannot be entered in a client is nobody's name here.
    Login::new(&technician, "target").map_err(|_| JwtRefusal::Claim("technician"))?;
    let optional = |name: &Option<String>| name.as_ref().and_then(|name| find(claims, name));
    let groups = optional(&names.groups).map(texts).transpose().map_err(|()| JwtRefusal::Claim("groups"))?;
    let groups = groups.unwrap_or_default();
    if groups.len() > MOST_GROUPS || groups.iter().any(|group| group.len() > LONGEST_GROUP) {
        return Err(JwtRefusal::Claim("groups"));
    }
    let target = match optional(&names.target) {
        None => None,
        Some(Value::String(target)) => Some(target.clone()),
        Some(_) => return Err(JwtRefusal::Claim("target")),
    };
    let permissions = optional(&names.permissions).map(permissions).transpose()?;
    let second_factor = names.second_factor.as_ref().is_some_and(|(name, wanted)| {
        let given = find(claims, name).and_then(|value| texts(value).ok()).unwrap_or_default();
        given.iter().any(|given| wanted.contains(given))
    });
    Ok(Identity {
        technician,
        groups: groups.iter().map(|group| group.trim_start_matches('/').to_owned()).collect(),
        issuer: Some(settings.name.clone()),
        method: Method::Jwt,
        second_factor,
        permissions,
        target,
    })
}

/// The claim of this name, or what its path leads to.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

fn texts(value: &Value) -> Result<Vec<String>, ()> {
    match value {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(several) => {
            several.iter().map(|one| one.as_str().map(str::to_owned).ok_or(())).collect()
        }
        _ => Err(()),
    }
}

/// Unknown permissions are refused rather than left out: whoever wrote them expects something of them.
fn permissions(value: &Value) -> Result<Permissions, JwtRefusal> {
    let names = texts(value).map_err(|()| JwtRefusal::Claim("permissions"))?;
    let names = names.iter().flat_map(|name| name.split(' ')).filter(|name| !name.is_empty());
    names.map(|name| name.parse().map_err(|_| JwtRefusal::Claim("permissions"))).collect()
}
