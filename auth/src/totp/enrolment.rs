//! Making a new second factor.

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use zeroize::Zeroizing;

use super::file::RECOVERY;
use super::{Algorithm, Digits, Totp, recovery_hash};
use crate::{Random, Secret, crockford};

/// Bytes of a new key: the length of its HMAC's output (RFC 4226 section 4, R6).
const KEY_BYTES: usize = 20;

/// How many recovery codes come with a new second factor.
const RECOVERY_CODES: usize = 10;

/// A new second factor. Its secrets are shown once.
#[derive(Debug)]
pub struct Enrolment {
    pub(super) totp: Totp,
    uri: Secret,
    codes: Vec<Secret>,
}

impl Enrolment {
    /// Makes the second factor of `technician`, whom the authenticator shows under `issuer`: SHA-1, 6 digits
    /// and 30 seconds, which is what every authenticator understands.
    pub fn new(issuer: &str, technician: &str, random: Random<'_>) -> Self {
        let mut key = Zeroizing::new(vec![0; KEY_BYTES]);
        random(&mut key);
        let codes: Vec<Secret> = (0..RECOVERY_CODES).map(|_| recovery_code(random)).collect();
        let hashes = codes.iter().map(|code| recovery_hash(&code.expose().replace('-', ""))).collect();
        let (issuer, technician) = (percent_encoded(issuer), percent_encoded(technician));
        let secret = Zeroizing::new(BASE32_NOPAD.encode(&key));
        let uri = Secret::new(format!(
            "otpauth://totp/{issuer}:{technician}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
            *secret
        ));
        let totp =
            Totp { key, algorithm: Algorithm::Sha1, digits: Digits::Six, period: 30, recovery: hashes };
        Self { totp, uri, codes }
    }

    /// What goes into the authenticator, as text or as a QR code.
    pub const fn uri(&self) -> &Secret {
        &self.uri
    }

    /// The recovery codes, each good for one login: 80 random bits in four groups.
    pub fn recovery_codes(&self) -> &[Secret] {
        &self.codes
    }

    /// What the gateway has to know: the text form of the [`Totp`]. It holds hashes of the recovery codes, not
    /// the codes.
    pub fn file(&self) -> Secret {
        let mut text = format!("{}\n", self.uri.expose());
        for hash in &self.totp.recovery {
            text.push_str(RECOVERY);
            text.push_str(&HEXLOWER.encode(hash));
            text.push('\n');
        }
        Secret::new(text)
    }
}

fn recovery_code(random: Random<'_>) -> Secret {
    let mut bytes = Zeroizing::new([0; 10]);
    random(&mut *bytes);
    let symbols = Zeroizing::new(crockford::encode(&bytes));
    let mut code = String::with_capacity(symbols.len() + 3);
    for (index, symbol) in symbols.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            code.push('-');
        }
        code.push(symbol);
    }
    Secret::new(code)
}

/// Leaves the unreserved characters of RFC 3986 section 2.3.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
