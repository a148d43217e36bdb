//! Points in time, and hashes of tokens.

use std::fmt;
use std::str::FromStr;

/// A point in time, written as in RFC 3339: `2027-01-31T00:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(jiff::Timestamp);

impl Time {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn as_millis(self) -> i64 {
        self.0.as_millisecond()
    }
}

/// Text that is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a time; write it with its zone, as in `2027-01-31T00:00:00Z`")]
pub struct TimeError;

impl FromStr for Time {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| TimeError)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The SHA-256 of an API token: `sha256:` and 64 hexadecimal digits in lower case.
///
/// Tokens have 256 random bits, so nobody finds one from its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHash(String);

impl TokenHash {
    /// The digits.
    pub fn hex(&self) -> &str {
        &self.0
    }
}

/// Text that is no hash of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a token's hash; `passerelle service-account` prints one: `sha256:` and 64 hexadecimal digits"
)]
pub struct TokenHashError;

impl FromStr for TokenHash {
    type Err = TokenHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").ok_or(TokenHashError)?;
        let right =
            digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if right { Ok(Self(digits.to_owned())) } else { Err(TokenHashError) }
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

text_value!(Time, "Time", super::format::TIME, "A time with its zone: 2027-01-31T00:00:00Z.");
text_value!(
    TokenHash,
    "TokenHash",
    super::format::TOKEN_HASH,
    "The hash of an API token: sha256: and 64 hexadecimal digits."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_hashes_are_read_and_written() {
        assert_eq!("2027-01-31T01:00:00+01:00".parse::<Time>().unwrap().to_string(), "2027-01-31T00:00:00Z");
        assert_eq!("1970-01-01T00:00:01Z".parse::<Time>().unwrap().as_millis(), 1000);
        let hash = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(hash.parse::<TokenHash>().unwrap().to_string(), hash);
        for wrong in ["", "sha256:", &hash[..70], &hash.to_uppercase(), &hash[7..], "psa_0123"] {
            assert_eq!(wrong.parse::<TokenHash>(), Err(TokenHashError), "{wrong}");
        }
        assert_eq!("2027-01-31".parse::<Time>(), Err(TimeError));
    }
}
