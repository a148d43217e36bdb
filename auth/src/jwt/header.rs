//! A token's header, before anything in it is believed.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

use super::{JwtRefusal, SigningAlgorithm};

/// Bytes that the name of a key may have.
const LONGEST_KEY_ID: usize = 256;

/// What the header says, as far as anything depends on it.
pub(super) struct Header {
    pub(super) algorithm: SigningAlgorithm,
    pub(super) key_id: Option<String>,
}

/// All that a header may hold. Parameters that bring or name a key of the token's own (`jwk`, `jku`, `x5c`,
/// `x5u`) and those that change how a token is read (`crit`, `b64`, `zip`, `enc`) are unknown here, so the token is
/// refused for them (RFC 8725 sections 3.1, 3.10). Thumbprints name a key by what is known of it anyway.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    alg: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default, rename = "x5t")]
    _x5t: Option<String>,
    #[serde(default, rename = "x5t#S256")]
    _x5t_s256: Option<String>,
}

pub(super) fn read(token: &str) -> Result<Header, JwtRefusal> {
    let (first, _) = token.split_once('.').ok_or(JwtRefusal::Malformed)?;
    let json = BASE64URL_NOPAD.decode(first.as_bytes()).map_err(|_| JwtRefusal::Malformed)?;
    let written: Written = serde_json::from_slice(&json).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => JwtRefusal::Header,
        _ => JwtRefusal::Malformed,
    })?;
    let kind = written.typ.as_deref().unwrap_or("JWT");
    if !["jwt", "at+jwt", "application/at+jwt"].contains(&kind.to_ascii_lowercase().as_str()) {
        return Err(JwtRefusal::Header);
    }
    if written.kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > LONGEST_KEY_ID) {
        return Err(JwtRefusal::Header);
    }
    let algorithm = SigningAlgorithm::from_name(&written.alg).ok_or(JwtRefusal::Algorithm)?;
    Ok(Header { algorithm, key_id: written.kid })
}
