//! The signature of a `.rdp` file, as `rdpsign` and `mstsc` make and check it.
//!
//! Nobody has published the format. What is known of it: `signscope` names the signed settings by their
//! display names; the signed bytes are their lines and that of `signscope`, each with CR LF, and a NUL, all
//! in UTF-16LE; `signature` is base64 of twelve bytes and a detached CMS signature (RFC 5652) without
//! signed attributes, in pieces of 64 characters.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use data_encoding::BASE64;
use passerelle_config::Tls;
use rustls::crypto::ring::default_provider;
use rustls::{SignatureScheme, sign::SigningKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_cert::Certificate;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{self, Decode as _, Encode as _, Tag, TagNumber};

use super::Setting;
use crate::tls::{SELF_SIGNED_CERTIFICATE, SELF_SIGNED_KEY};

/// Settings that can be signed with their names in `signscope`, in its order.
const SIGNABLE: [(&str, &str); 21] = [
    ("full address", "Full Address"),
    ("alternate full address", "Alternate Full Address"),
    ("use redirection server name", "Use Redirection Server Name"),
    ("negotiate security layer", "Negotiate Security Layer"),
    ("enablecredsspsupport", "EnableCredSspSupport"),
    ("disableconnectionsharing", "DisableConnectionSharing"),
    ("autoreconnection enabled", "AutoReconnection Enabled"),
    ("gatewayusagemethod", "GatewayUsageMethod"),
    ("gatewayprofileusagemethod", "GatewayProfileUsageMethod"),
    ("prompt for credentials", "Prompt For Credentials"),
    ("authentication level", "Authentication Level"),
    ("audiomode", "AudioMode"),
    ("redirectdrives", "RedirectDrives"),
    ("redirectprinters", "RedirectPrinters"),
    ("redirectcomports", "RedirectCOMPorts"),
    ("redirectsmartcards", "RedirectSmartCards"),
    ("redirectposdevices", "RedirectPOSDevices"),
    ("redirectclipboard", "RedirectClipboard"),
    ("devicestoredirect", "DevicesToRedirect"),
    ("drivestoredirect", "DrivesToRedirect"),
    ("loadbalanceinfo", "LoadBalanceInfo"),
];

/// RFC 5652, 4 and 5.1; RFC 5754, 2.2; RFC 8017, A.1; RFC 5758, 3.2.
const ID_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ID_SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// Why a file is not signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error("there is no certificate to sign with: add the section `tls`")]
    NoCertificate,
    #[error("the gateway's certificate and its key cannot be read to sign with them")]
    Unreadable,
    #[error("the gateway's key cannot sign .rdp files: it must be an RSA key or one on the curve P-256")]
    Key,
    #[error("the signature could not be written: {0}")]
    Encoding(#[from] der::Error),
}

/// The certificate and key that sign.
pub(crate) struct Signer {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<dyn SigningKey>,
}

impl Signer {
    /// The gateway's own.
    ///
    /// # Errors
    /// There is none, or it cannot be used.
    pub(crate) fn of_gateway(tls: Option<&Tls>, data_dir: &Path) -> Result<Self, SignError> {
        match tls {
            None => Err(SignError::NoCertificate),
            Some(Tls::Files { certificate, key }) => {
                Self::from_pem(certificate.pem.as_bytes(), key.expose().as_bytes())
            }
            Some(Tls::SelfSigned) => {
                let read = |name| std::fs::read(data_dir.join(name)).map_err(|_| SignError::Unreadable);
                let key = zeroize::Zeroizing::new(read(SELF_SIGNED_KEY)?);
                Self::from_pem(&read(SELF_SIGNED_CERTIFICATE)?, &key)
            }
        }
    }

    /// From a certificate chain, the signing certificate first, and its key.
    ///
    /// # Errors
    /// They are not both PEM, or the key is of a kind that rustls does not know.
    pub(crate) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, SignError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(|_| SignError::Unreadable)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| SignError::Unreadable)?;
        let key = default_provider().key_provider.load_private_key(key).map_err(|_| SignError::Key)?;
        Ok(Self { chain, key })
    }

    /// A detached CMS signature of `content` in DER: ContentInfo with SignedData, RFC 5652, 3 and 5.1.
    fn cms(&self, content: &[u8]) -> Result<Vec<u8>, SignError> {
        let (scheme, signature_algorithm) = [
            (SignatureScheme::RSA_PKCS1_SHA256, algorithm(RSA, true)?),
            (SignatureScheme::ECDSA_NISTP256_SHA256, algorithm(ECDSA_SHA256, false)?),
        ]
        .into_iter()
        .find(|(scheme, _)| self.key.choose_scheme(&[*scheme]).is_some())
        .ok_or(SignError::Key)?;
        let signer = self.key.choose_scheme(&[scheme]).ok_or(SignError::Key)?;
        let signature = signer.sign(content).map_err(|_| SignError::Key)?;

        let certificate = Certificate::from_der(self.chain.first().ok_or(SignError::NoCertificate)?)?;
        let tbs = certificate.tbs_certificate();
        let issuer_and_serial = sequence(&[tbs.issuer().to_der()?, tbs.serial_number().to_der()?])?;
        // With NULL parameters, as Windows writes it; RFC 5754, 2 allows both forms.
        let digest = algorithm(SHA256, true)?;
        let version = 1u8.to_der()?;
        let signature = tlv(Tag::OctetString, &signature)?;
        let signer_info =
            sequence(&[version.clone(), issuer_and_serial, digest.clone(), signature_algorithm, signature])?;
        let signed_data = sequence(&[
            version,
            tlv(Tag::Set, &digest)?,
            sequence(&[ID_DATA.to_der()?])?,
            tlv(context(0), &in_der_order(&self.chain))?,
            tlv(Tag::Set, &signer_info)?,
        ])?;
        Ok(sequence(&[ID_SIGNED_DATA.to_der()?, tlv(context(0), &signed_data)?])?)
    }
}

/// The text of a file with its signature.
pub(super) fn signed(settings: &[Setting], signer: &Signer) -> Result<String, SignError> {
    let find = |name: &str| settings.iter().find(|setting| setting.name == name);
    let scope: Vec<_> =
        SIGNABLE.iter().filter_map(|(name, shown)| Some((find(name)?.to_string(), *shown))).collect();
    let names: Vec<_> = scope.iter().map(|(_, shown)| *shown).collect();
    let scope_line = format!("signscope:s:{}\r\n", names.join(","));
    let mut content: String = scope.iter().map(|(line, _)| format!("{line}\r\n")).collect();
    content.push_str(&scope_line);
    content.push('\0');
    let content: Vec<u8> = content.encode_utf16().flat_map(u16::to_le_bytes).collect();

    let cms = signer.cms(&content)?;
    let length = u32::try_from(cms.len()).map_err(|_| SignError::Key)?;
    // Two numbers that are always the same, and the length of what follows.
    let mut blob: Vec<u8> = [0x0001_0001, 1, length].into_iter().flat_map(u32::to_le_bytes).collect();
    blob.extend(cms);

    let mut text: String = settings.iter().map(|setting| format!("{setting}\r\n")).collect();
    text.push_str(&scope_line);
    text.push_str("signature:s:");
    let mut rest = BASE64.encode(&blob);
    while !rest.is_empty() {
        let after = rest.split_off(rest.len().min(64));
        // A String is written to without fail.
        let _ = write!(text, "{rest}  ");
        rest = after;
    }
    text.push_str("\r\n");
    Ok(text)
}

fn tlv(tag: Tag, content: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(tag, content)?.to_der()
}

fn sequence(parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    tlv(Tag::Sequence, &parts.concat())
}

fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// AlgorithmIdentifier, RFC 5280, 4.1.1.2.
fn algorithm(identifier: ObjectIdentifier, null: bool) -> der::Result<Vec<u8>> {
    let parameters = if null { der::asn1::Null.to_der()? } else { Vec::new() };
    sequence(&[identifier.to_der()?, parameters])
}

/// The certificates one behind the other in the order that DER wants of a SET OF.
fn in_der_order(chain: &[CertificateDer<'_>]) -> Vec<u8> {
    let mut sorted: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    sorted.concat()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use tempfile::TempDir;

    use super::super::{Connection, RdpFile};
    use super::*;

    fn openssl(directory: &TempDir, arguments: &str) -> Result<String, String> {
        let output = Command::new("openssl")
            .current_dir(directory.path())
            .args(arguments.split_whitespace())
            .output()
            .expect("openssl is installed with what the tests need");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// A directory with `signer.crt` and `signer.key` of this kind.
    fn certificate(kind: &str) -> (TempDir, Result<Signer, SignError>) {
        let directory = tempfile::tempdir().unwrap();
        let make =
            "req -x509 -nodes -days 2 -subj /CN=gateway.example -out signer.crt -keyout signer.key -newkey";
        openssl(&directory, &format!("{make} {kind}")).unwrap();
        let read = |name| fs::read(directory.path().join(name)).unwrap();
        let signer = Signer::from_pem(&read("signer.crt"), &read("signer.key"));
        (directory, signer)
    }

    fn file(username: &str) -> RdpFile {
        RdpFile::new(&Connection {
            address: &"gateway.example:3389".parse().unwrap(),
            username,
            reference: "passerelle-01arz3ndektsv4rrffq69g5fav",
            permissions: passerelle_desktop::Permission::ALL.iter().copied().collect(),
            auto_reconnect: true,
        })
        .unwrap()
    }

    /// Takes a signed file apart as a client does: the signed bytes from the lines that `signscope` names,
    /// and the signature.
    fn take_apart(text: &str) -> (Vec<u8>, Vec<u8>) {
        let lines: Vec<_> = text.strip_suffix("\r\n").unwrap().split("\r\n").collect();
        let scope = lines.iter().find_map(|line| line.strip_prefix("signscope:s:")).unwrap();
        let mut content = String::new();
        for shown in scope.split(',') {
            let prefix = format!("{}:", shown.to_ascii_lowercase());
            let line = lines.iter().find(|line| line.starts_with(&prefix)).unwrap();
            content.push_str(&format!("{line}\r\n"));
        }
        content.push_str(&format!("signscope:s:{scope}\r\n\0"));
        let content = content.encode_utf16().flat_map(u16::to_le_bytes).collect();

        let signature = lines.iter().find_map(|line| line.strip_prefix("signature:s:")).unwrap();
        assert!(signature.split("  ").all(|piece| piece.len() <= 64));
        let blob = BASE64.decode(signature.replace(' ', "").as_bytes()).unwrap();
        let (header, cms) = blob.split_at(12);
        assert_eq!(header[..8], [1, 0, 1, 0, 1, 0, 0, 0]);
        assert_eq!(header[8..], u32::try_from(cms.len()).unwrap().to_le_bytes());
        (content, cms.to_vec())
    }

    #[test]
    fn openssl_verifies_what_was_signed() {
        for kind in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"] {
            let (directory, signer) = certificate(kind);
            for username in ["alice:front-desk", "élodie:accueil"] {
                let text = file(username).signed_text(signer.as_ref().unwrap()).unwrap();
                let (content, cms) = take_apart(&text);
                fs::write(directory.path().join("content"), &content).unwrap();
                fs::write(directory.path().join("cms"), cms).unwrap();
                let verify = "cms -verify -binary -inform DER -in cms -content content -CAfile signer.crt \
                              -purpose any -out verified";
                openssl(&directory, verify).unwrap_or_else(|said| panic!("{kind}: {said}"));
                assert_eq!(fs::read(directory.path().join("verified")).unwrap(), content);

                let mut changed = content;
                changed[40] ^= 1;
                fs::write(directory.path().join("content"), changed).unwrap();
                openssl(&directory, verify).unwrap_err();
            }
        }
    }

    #[test]
    fn what_decides_where_to_and_with_what_is_signed() {
        let (_directory, signer) = certificate("ec -pkeyopt ec_paramgen_curve:P-256");
        let text = file("alice:front-desk").signed_text(&signer.unwrap()).unwrap();
        let scope = text.lines().find_map(|line| line.strip_prefix("signscope:s:")).unwrap();
        let names: Vec<_> = scope.split(',').collect();
        assert_eq!(names.len(), SIGNABLE.len(), "every one that can be signed is in the file");
        for name in ["Full Address", "Alternate Full Address", "LoadBalanceInfo", "DrivesToRedirect"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(text.starts_with(&file("alice:front-desk").text()), "signing changes no setting");
    }

    #[test]
    fn the_whole_chain_is_in_the_signature() {
        let (directory, _) = certificate("rsa:2048");
        let (other, _) = certificate("ec -pkeyopt ec_paramgen_curve:P-256");
        let read = |directory: &TempDir, name| fs::read(directory.path().join(name)).unwrap();
        let chain = [read(&directory, "signer.crt"), read(&other, "signer.crt")].concat();
        let signer = Signer::from_pem(&chain, &read(&directory, "signer.key")).unwrap();
        let (content, cms) = take_apart(&file("a:b").signed_text(&signer).unwrap());
        for certificate in &signer.chain {
            assert!(cms.windows(certificate.len()).any(|window| window == certificate.as_ref()));
        }
        fs::write(directory.path().join("content"), content).unwrap();
        fs::write(directory.path().join("cms"), cms).unwrap();
        let verify = "cms -verify -binary -inform DER -in cms -content content -CAfile signer.crt -purpose any -out verified";
        openssl(&directory, verify).unwrap();
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        let (_directory, signer) = certificate("ed25519");
        let error = file("a:b").signed_text(&signer.unwrap()).unwrap_err();
        assert!(matches!(error, SignError::Key), "{error}");
        assert!(matches!(Signer::from_pem(b"", b"").err(), Some(SignError::Unreadable)));
        let nothing = Signer::of_gateway(None, Path::new("/nonexistent")).err();
        assert!(matches!(nothing, Some(SignError::NoCertificate)));
        let unmade = Signer::of_gateway(Some(&Tls::SelfSigned), Path::new("/nonexistent")).err();
        assert!(matches!(unmade, Some(SignError::Unreadable)));
    }
}
