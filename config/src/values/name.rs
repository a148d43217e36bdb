//! Fingerprints of certificates and recipients of recordings.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;

/// The SHA-256 of a certificate's DER encoding.
///
/// Written as 64 hexadecimal digits, with or without colons, as `openssl x509 -fingerprint -sha256` prints
/// it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The digest.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not a SHA-256 fingerprint; it has 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE` prints"
)]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text
            .get(..7)
            .filter(|prefix| prefix.eq_ignore_ascii_case("sha256:"))
            .map_or(text, |_| &text[7..]);
        let digits: Vec<u32> = if text.contains(':') {
            let mut digits = Vec::new();
            for pair in text.split(':') {
                if pair.len() != 2 {
                    return Err(FingerprintError);
                }
                digits.extend(pair.chars().filter_map(|c| c.to_digit(16)));
            }
            digits
        } else {
            text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>().ok_or(FingerprintError)?
        };
        let bytes: Vec<u8> = digits
            .chunks(2)
            .filter_map(|pair| match pair {
                [high, low] => u8::try_from(high * 16 + low).ok(),
                _ => None,
            })
            .collect();
        if digits.len() != 64 {
            return Err(FingerprintError);
        }
        bytes.try_into().map(Self).map_err(|_| FingerprintError)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, byte) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Someone who can read the recordings: an age public key, `age1…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient(String);

impl Recipient {
    /// The gateway itself.
    pub const GATEWAY: &str = "gateway";

    /// The key as written, or [`GATEWAY`](Self::GATEWAY).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the gateway itself, which has a key in the data directory.
    pub fn is_gateway(&self) -> bool {
        self.0 == Self::GATEWAY
    }
}

/// Text that is no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
    /// The secret half of a key pair.
    #[error(
        "is an age secret key; write the public key that begins with `age1`, and keep this one off the gateway"
    )]
    SecretKey,
    /// Anything else.
    #[error(
        "is not an age recipient; it begins with `age1`, has 62 characters and is printed by `age-keygen`"
    )]
    Malformed,
    /// The checksum tells that a character is wrong.
    #[error("is a mistyped age recipient: its checksum is wrong")]
    Checksum,
}

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == Self::GATEWAY {
            return Ok(Self(text.to_owned()));
        }
        if text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-") {
            return Err(RecipientError::SecretKey);
        }
        if !text.starts_with("age1") || text.len() != 62 {
            return Err(RecipientError::Malformed);
        }
        let checked = CheckedHrpstring::new::<bech32::Bech32>(text).map_err(|_| RecipientError::Checksum)?;
        if checked.hrp().as_str() != "age" || checked.byte_iter().count() != 32 {
            return Err(RecipientError::Malformed);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_value!(
    Fingerprint,
    "Fingerprint",
    super::format::FINGERPRINT,
    "SHA-256 of a certificate: 64 hexadecimal digits, with or without colons."
);
text_value!(
    Recipient,
    "Recipient",
    super::format::RECIPIENT,
    "An age public key, age1…, or the word gateway."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_in_the_usual_forms() {
        let plain = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        let fingerprint: Fingerprint = plain.parse().unwrap();
        assert_eq!(fingerprint.sha256()[..3], [0x00, 0x11, 0x22]);
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        assert_eq!(format!("sha256:{plain}").parse(), Ok(fingerprint));
        for wrong in
            ["", "00:11", "sha256:", &plain[1..], &format!("{plain}00"), &plain.replace('f', "g"), "é:éé"]
        {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
        assert_eq!(
            fingerprint.to_string().replacen("00:", "0:0", 1).parse::<Fingerprint>(),
            Err(FingerprintError)
        );
    }

    #[test]
    fn recipients_are_checked() {
        let right = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        assert!(!right.parse::<Recipient>().unwrap().is_gateway());
        assert!("gateway".parse::<Recipient>().unwrap().is_gateway());
        assert_eq!(right.replace('z', "q").parse::<Recipient>(), Err(RecipientError::Checksum));
        assert_eq!("ssh-ed25519 AAAA".parse::<Recipient>(), Err(RecipientError::Malformed));
        assert_eq!("AGE-SECRET-KEY-1ABC".parse::<Recipient>(), Err(RecipientError::SecretKey));
    }
}
