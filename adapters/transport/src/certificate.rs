//! What a target's certificate says and whether it is good enough.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;

/// The certificate with which a target authenticated its TLS handshake.
///
/// The handshake's signature was verified: the peer holds the certificate's key. Whether that key is to be
/// trusted is [`PeerCertificate::judge`]'s matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate {
    /// SHA-256 of the certificate's DER form.
    pub fingerprint: Fingerprint,
    /// The subject's distinguished name as in RFC 4514; empty when it has none.
    pub subject: String,
    /// End of the validity, in seconds since the Unix epoch.
    pub not_after: u64,
    /// The key, as the content of the BIT STRING `subjectPublicKey` (RFC 5280, 4.1.2.7); empty when the
    /// certificate is unreadable.
    pub public_key: Vec<u8>,
    /// Whether the certificate leads to a trusted root, is valid now and belongs to the name that was
    /// dialled; else why not.
    pub ca: Result<(), String>,
}

impl PeerCertificate {
    pub(crate) fn new(der: &CertificateDer<'_>, ca: Result<(), String>) -> Self {
        let (subject, not_after) = match Certificate::from_der(der) {
            Ok(certificate) => {
                let tbs = certificate.tbs_certificate();
                (tbs.subject().to_string(), tbs.validity().not_after.to_unix_duration().as_secs())
            }
            // rustls has read it, so this is a difference of opinion about details. The facts are for
            // people; trust rests on the fingerprint and on `ca`.
            Err(error) => (format!("unreadable: {error}"), 0),
        };
        let public_key = public_key(der).unwrap_or_default();
        Self { fingerprint: Fingerprint::of(der), subject, not_after, public_key, ca }
    }

    /// Whether `policy` accepts this certificate.
    ///
    /// # Errors
    /// It does not; the error says what to do about it.
    pub fn judge(&self, policy: CertificatePolicy) -> Result<Trust, CertificateError> {
        match policy {
            CertificatePolicy::Ca => match &self.ca {
                Ok(()) => Ok(Trust::Verified),
                Err(reason) => Err(CertificateError::Unverified {
                    reason: reason.clone(),
                    fingerprint: self.fingerprint,
                }),
            },
            CertificatePolicy::Pin(pinned) | CertificatePolicy::Tofu { known: Some(pinned) } => {
                if pinned == self.fingerprint {
                    Ok(Trust::Verified)
                } else {
                    Err(CertificateError::Changed { expected: pinned, found: self.fingerprint })
                }
            }
            CertificatePolicy::Tofu { known: None } => Ok(Trust::Remember(self.fingerprint)),
            CertificatePolicy::Insecure => Ok(Trust::Unverified),
        }
    }
}

/// The key in a certificate, as the content of the BIT STRING `subjectPublicKey` (RFC 5280, 4.1.2.7), which is
/// what CredSSP binds a login to. Nothing when the certificate is unreadable.
pub fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    Some(certificate.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes().to_vec())
}

/// The first and the last second of a certificate's validity since the Unix epoch.
pub(crate) fn validity(der: &[u8]) -> Option<(u64, u64)> {
    let certificate = Certificate::from_der(der).ok()?;
    let validity = certificate.tbs_certificate().validity();
    Some((validity.not_before.to_unix_duration().as_secs(), validity.not_after.to_unix_duration().as_secs()))
}

/// Which certificates of a target are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificatePolicy {
    /// Those that a trusted root vouches for.
    Ca,
    /// The one with this fingerprint.
    Pin(Fingerprint),
    /// The one seen first; `known` is what was remembered of earlier sessions.
    Tofu {
        /// Fingerprint seen first, if the target was seen before.
        known: Option<Fingerprint>,
    },
    /// Any: encryption without authentication.
    Insecure,
}

/// Why a certificate was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is the one that was expected, or a trusted root vouches for it.
    Verified,
    /// It is the first one of this target: remember its fingerprint before credentials are sent.
    Remember(Fingerprint),
    /// The policy accepts any.
    Unverified,
}

/// A certificate that the policy does not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No trusted root vouches for it.
    #[error(
        "the target's certificate is not trusted ({reason}); install its authority, or pin the certificate's \
         SHA-256 fingerprint {fingerprint} if it is the right one"
    )]
    Unverified {
        /// What is wrong with it.
        reason: String,
        /// Its fingerprint.
        fingerprint: Fingerprint,
    },
    /// It is not the one that was pinned or remembered.
    #[error(
        "the target's certificate has the SHA-256 fingerprint {found} instead of {expected}: it was replaced, \
         or someone sits between"
    )]
    Changed {
        /// The one that was pinned or remembered.
        expected: Fingerprint,
        /// The one that the target showed.
        found: Fingerprint,
    },
}

/// SHA-256 of a certificate's DER form. Written as lower-case hexadecimal digits; read with or without colons
/// and in either case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of the certificate with these DER bytes.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, der).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let mut bytes = [0; 32];
        let mut digits = text.chars().filter(|character| *character != ':');
        for byte in &mut bytes {
            let (Some(high), Some(low)) = (
                digits.next().and_then(|digit| digit.to_digit(16)),
                digits.next().and_then(|digit| digit.to_digit(16)),
            ) else {
                return Err(FingerprintError);
            };
            *byte = u8::try_from(high * 16 + low).map_err(|_| FingerprintError)?;
        }
        if digits.next().is_some() { Err(FingerprintError) } else { Ok(Self(bytes)) }
    }
}

/// Text that is no SHA-256 fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 fingerprint is 64 hexadecimal digits, with or without colons")]
pub struct FingerprintError;

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(ca: Result<(), String>) -> PeerCertificate {
        PeerCertificate {
            fingerprint: Fingerprint::of(b"certificate"),
            subject: "CN=front-desk".into(),
            not_after: 0,
            public_key: Vec::new(),
            ca,
        }
    }

    #[test]
    fn fingerprints_are_read_as_people_paste_them() {
        // SHA-256 of the empty string, FIPS 180-4.
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Fingerprint::of(b"").to_string(), hex);
        let colons: Vec<&str> = (0..32).map(|at| &hex[2 * at..2 * at + 2]).collect();
        assert_eq!(colons.join(":").to_uppercase().parse(), Ok(Fingerprint::of(b"")));
        for wrong in ["", "e3b0", &hex[1..], &format!("{hex}0"), &hex.replace('c', "g")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(FingerprintError), "{wrong}");
        }
    }

    #[test]
    fn each_policy_asks_its_own_question() {
        let trusted = certificate(Ok(()));
        let unknown = certificate(Err("unknown issuer".into()));
        let other = Fingerprint::of(b"other");
        assert_eq!(trusted.judge(CertificatePolicy::Ca), Ok(Trust::Verified));
        assert!(matches!(
            unknown.judge(CertificatePolicy::Ca),
            Err(CertificateError::Unverified { reason, .. }) if reason == "unknown issuer"
        ));
        assert_eq!(unknown.judge(CertificatePolicy::Pin(unknown.fingerprint)), Ok(Trust::Verified));
        let changed = CertificateError::Changed { expected: other, found: trusted.fingerprint };
        assert_eq!(trusted.judge(CertificatePolicy::Pin(other)), Err(changed.clone()));
        assert_eq!(trusted.judge(CertificatePolicy::Tofu { known: Some(other) }), Err(changed));
        assert_eq!(
            unknown.judge(CertificatePolicy::Tofu { known: None }),
            Ok(Trust::Remember(unknown.fingerprint))
        );
        assert_eq!(unknown.judge(CertificatePolicy::Insecure), Ok(Trust::Unverified));
    }
}
