//! Time-based one-time passwords (RFC 6238) and the recovery codes for when the authenticator is lost.

mod enrolment;
mod file;

use std::fmt;

use ring::{digest, hmac};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use zeroize::Zeroizing;

pub use enrolment::Enrolment;
pub use file::TotpError;

use crate::{Timestamp, crockford};

/// How many steps before and after the current one are accepted: what RFC 6238 section 5.2 recommends for the
/// delay of a person and of a network.
const TOLERANCE: u64 = 1;

/// Symbols of a recovery code, 80 bits.
const RECOVERY_SYMBOLS: usize = 16;

/// The second factor of one technician.
///
/// Its text form, one secret of the configuration, is an `otpauth://totp/` URI or a bare base32 key of at least
/// 128 bits, and then a line `recovery:` with a SHA-256 for each recovery code.
#[derive(Clone, PartialEq, Eq)]
pub struct Totp {
    key: Zeroizing<Vec<u8>>,
    algorithm: Algorithm,
    digits: Digits,
    /// Seconds of a step.
    period: u64,
    recovery: Vec<[u8; digest::SHA256_OUTPUT_LEN]>,
}

/// The hash of the HMAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Sha1,
    Sha256,
    Sha512,
}

/// How long a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Digits {
    Six,
    Eight,
}

impl Digits {
    const fn count(self) -> usize {
        match self {
            Self::Six => 6,
            Self::Eight => 8,
        }
    }

    const fn modulus(self) -> u32 {
        match self {
            Self::Six => 1_000_000,
            Self::Eight => 100_000_000,
        }
    }
}

/// A second factor that was right, with what makes sure that it is right only once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// The code of this step.
    Step(u64),
    /// The recovery code with this hash, in hexadecimal digits.
    Recovery(String),
}

impl Totp {
    /// Takes apart what a client sent in its one password field: the password and, directly behind it, either
    /// a code or a recovery code. Nothing when neither can be behind it.
    pub(crate) fn split<'a>(&self, entered: &'a str) -> Option<(&'a str, &'a str)> {
        let code = entered.len().checked_sub(self.digits.count()).and_then(|at| entered.split_at_checked(at));
        if let Some((password, code)) = code
            && code.bytes().all(|byte| byte.is_ascii_digit())
            && recovery_part(entered).is_none()
        {
            return Some((password, code));
        }
        recovery_part(entered)
    }

    /// Whether `code` is good at `now`. Takes the same time whichever step it is of.
    pub(crate) fn check(&self, code: &str, now: Timestamp) -> Option<Accepted> {
        if let Some(normal) = crockford::normalize(code, RECOVERY_SYMBOLS)
            && normal.len() == RECOVERY_SYMBOLS
        {
            let hash = recovery_hash(&normal);
            let known = self.recovery.iter().fold(Choice::from(0), |known, one| known | one.ct_eq(&hash));
            return bool::from(known).then(|| Accepted::Recovery(data_encoding::HEXLOWER.encode(&hash)));
        }
        let current = self.step(now);
        let (mut found, mut step) = (Choice::from(0), 0);
        for candidate in current.saturating_sub(TOLERANCE)..=current.saturating_add(TOLERANCE) {
            let same = self.code_of(candidate).as_bytes().ct_eq(code.as_bytes());
            step.conditional_assign(&candidate, same);
            found |= same;
        }
        bool::from(found).then_some(Accepted::Step(step))
    }

    /// The step that `now` is in (RFC 6238 section 4.2).
    pub(crate) fn step(&self, now: Timestamp) -> u64 {
        u64::try_from(now.as_millis()).unwrap_or(0) / 1000 / self.period
    }

    /// When a step begins.
    pub(crate) fn begins(&self, step: u64) -> Timestamp {
        let millis = step.saturating_mul(self.period).saturating_mul(1000);
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    /// Whether a code of `step` may have been accepted before `time`.
    pub(crate) fn is_before(&self, step: u64, time: Timestamp) -> bool {
        self.begins(step.saturating_sub(TOLERANCE)) < time
    }

    /// From when on no code of `step` or before is accepted, whatever is remembered.
    pub(crate) fn forgotten(&self, step: u64) -> Timestamp {
        self.begins(step.saturating_add(2 * TOLERANCE + 1))
    }

    /// The code of a step (RFC 4226 section 5.3).
    pub(crate) fn code_of(&self, step: u64) -> Zeroizing<String> {
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Algorithm::Sha256 => hmac::HMAC_SHA256,
            Algorithm::Sha512 => hmac::HMAC_SHA512,
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, &self.key), &step.to_be_bytes());
        let tag = tag.as_ref();
        let offset = tag.last().map_or(0, |last| usize::from(last & 0xf));
        let truncated = tag
            .get(offset..)
            .and_then(|rest| rest.first_chunk())
            .map_or(0, |bytes| u32::from_be_bytes(*bytes) & 0x7fff_ffff);
        let width = self.digits.count();
        Zeroizing::new(format!("{:0width$}", truncated % self.digits.modulus()))
    }
}

impl fmt::Debug for Totp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Totp(…)")
    }
}

/// The password and the recovery code behind it, which is written in groups: `ABCD-EFGH-JKMN-PQRS`.
fn recovery_part(entered: &str) -> Option<(&str, &str)> {
    const WRITTEN: usize = RECOVERY_SYMBOLS + 3;
    let (password, code) = entered.split_at_checked(entered.len().checked_sub(WRITTEN)?)?;
    let hyphens = code.bytes().enumerate().all(|(at, byte)| (byte == b'-') == (at % 5 == 4));
    let normal = crockford::normalize(code, RECOVERY_SYMBOLS)?;
    (hyphens && normal.len() == RECOVERY_SYMBOLS).then_some((password, code))
}

/// What is kept of a recovery code. Its 80 random bits need no slow hash.
fn recovery_hash(normal: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut hash = [0; digest::SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest::digest(&digest::SHA256, normal.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests;
