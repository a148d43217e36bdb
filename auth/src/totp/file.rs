//! The text form of a second factor.

use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use zeroize::Zeroizing;

use super::{Algorithm, Digits, Totp};

/// Bytes that a key has at least: 128 bits (RFC 4226 section 4, R6).
const SHORTEST: usize = 16;

/// Begins the line of a recovery code's hash.
pub(super) const RECOVERY: &str = "recovery:";

/// A text is no second factor. None of these repeat the text, which is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TotpError {
    /// The first line is neither an `otpauth://totp/` URI nor base32.
    #[error(
        "this is no second factor: it has to begin with an `otpauth://totp/` URI, as `passerelle totp enroll` writes it, or with a key in base32"
    )]
    Malformed,
    /// The URI is for counter-based codes.
    #[error("the `otpauth` URI is for counter-based codes (HOTP); only time-based ones (TOTP) are supported")]
    CounterBased,
    /// The key is too short to be safe.
    #[error(
        "the key of the second factor has fewer than 128 bits; make another with `passerelle totp enroll`"
    )]
    ShortKey,
    /// An algorithm that is not in RFC 6238.
    #[error("the `algorithm` of the `otpauth` URI is not SHA1, SHA256 or SHA512")]
    Algorithm,
    /// A number of digits that authenticators do not have.
    #[error("the `digits` of the `otpauth` URI are not 6 or 8")]
    Digits,
    /// A step that is too short or too long.
    #[error("the `period` of the `otpauth` URI is not between 15 and 120 seconds")]
    Period,
    /// A further line is no hash of a recovery code.
    #[error("a line behind the first is not `recovery:` and 64 hexadecimal digits")]
    Recovery,
}

impl FromStr for Totp {
    type Err = TotpError;

    fn from_str(text: &str) -> Result<Self, TotpError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut totp = read_key(lines.next().ok_or(TotpError::Malformed)?)?;
        for line in lines {
            let hash = line.strip_prefix(RECOVERY).ok_or(TotpError::Recovery)?;
            let hash = HEXLOWER.decode(hash.trim().as_bytes()).map_err(|_| TotpError::Recovery)?;
            totp.recovery.push(hash.try_into().map_err(|_| TotpError::Recovery)?);
        }
        Ok(totp)
    }
}

fn read_key(line: &str) -> Result<Totp, TotpError> {
    let plain = |secret| {
        Ok(Totp {
            key: base32(secret)?,
            algorithm: Algorithm::Sha1,
            digits: Digits::Six,
            period: 30,
            recovery: Vec::new(),
        })
    };
    let Some(rest) = line.strip_prefix("otpauth://") else { return plain(line) };
    if rest.starts_with("hotp/") {
        return Err(TotpError::CounterBased);
    }
    let (_, query) =
        rest.strip_prefix("totp/").and_then(|rest| rest.split_once('?')).ok_or(TotpError::Malformed)?;
    let parameter = |wanted: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    };
    let mut totp = plain(parameter("secret").ok_or(TotpError::Malformed)?)?;
    totp.algorithm = match parameter("algorithm").map(str::to_ascii_uppercase).as_deref() {
        None | Some("SHA1") => Algorithm::Sha1,
        Some("SHA256") => Algorithm::Sha256,
        Some("SHA512") => Algorithm::Sha512,
        Some(_) => return Err(TotpError::Algorithm),
    };
    totp.digits = match parameter("digits") {
        None | Some("6") => Digits::Six,
        Some("8") => Digits::Eight,
        Some(_) => return Err(TotpError::Digits),
    };
    totp.period = match parameter("period").map_or(Ok(30), str::parse) {
        Ok(period @ 15..=120) => period,
        _ => return Err(TotpError::Period),
    };
    Ok(totp)
}

/// Reads base32 (RFC 4648) as people and programs write it: any case, with or without spaces and padding.
fn base32(text: &str) -> Result<Zeroizing<Vec<u8>>, TotpError> {
    let mut normal = Zeroizing::new(String::with_capacity(text.len()));
    normal.extend(text.chars().filter(|c| !matches!(c, ' ' | '-' | '=')).map(|c| c.to_ascii_uppercase()));
    let key = Zeroizing::new(BASE32_NOPAD.decode(normal.as_bytes()).map_err(|_| TotpError::Malformed)?);
    if key.len() < SHORTEST { Err(TotpError::ShortKey) } else { Ok(key) }
}
