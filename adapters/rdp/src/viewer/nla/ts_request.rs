//! The envelope of CredSSP (MS-CSSP 2.2.1, `TSRequest`).

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::CredSspViolation;
use super::der::{self, INTEGER, OCTET_STRING, Reader, SEQUENCE, context};

/// The version that this program speaks.
const OWN_VERSION: u32 = 6;

/// STATUS_LOGON_FAILURE (MS-ERREF 2.3.1).
pub(super) const LOGON_FAILURE: u32 = 0xC000_006D;

/// One message of CredSSP.
#[derive(Default)]
pub(super) struct TsRequest {
    /// As the client said it; 2 or later.
    pub(super) version: u32,
    /// A message of SPNEGO or NTLM.
    pub(super) token: Option<Vec<u8>>,
    /// The delegated credentials, sealed.
    pub(super) auth_info: Option<Zeroizing<Vec<u8>>>,
    /// The proof that both see the same certificate, sealed.
    pub(super) pub_key_auth: Option<Vec<u8>>,
    /// From version 5 on, what the proof is salted with.
    pub(super) client_nonce: Option<[u8; 32]>,
}

impl TsRequest {
    /// Reads a whole message.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CredSspViolation> {
        let fields = der::only(bytes, SEQUENCE).ok_or(CredSspViolation::TsRequest)?;
        let request = Self::fields(Reader::new(fields)).ok_or(CredSspViolation::TsRequest)?;
        if request.version < 2 { Err(CredSspViolation::Version(request.version)) } else { Ok(request) }
    }

    fn fields(mut fields: Reader<'_>) -> Option<Self> {
        let version = der::only(fields.expect(context(0))?, INTEGER)?;
        let version = match version {
            [0, digits @ ..] | digits if matches!(digits.len(), 1..=4) => {
                digits.iter().fold(0, |number, digit| number << 8 | u32::from(*digit))
            }
            _ => return None,
        };
        let mut request = Self { version, ..Self::default() };
        while !fields.is_empty() {
            match fields.next()? {
                (tag, data) if tag == context(1) => {
                    // A sequence of messages, of which only one is ever sent.
                    let first = Reader::new(der::only(data, SEQUENCE)?).expect(SEQUENCE)?;
                    let token = Reader::new(first).expect(context(0))?;
                    request.token = Some(der::only(token, OCTET_STRING)?.to_vec());
                }
                (tag, data) if tag == context(2) => {
                    request.auth_info = Some(der::only(data, OCTET_STRING)?.to_vec().into());
                }
                (tag, data) if tag == context(3) => {
                    request.pub_key_auth = Some(der::only(data, OCTET_STRING)?.to_vec());
                }
                (tag, data) if tag == context(5) => {
                    request.client_nonce = Some(der::only(data, OCTET_STRING)?.try_into().ok()?);
                }
                // An error code, which no client sends, and what later versions may add.
                _ => {}
            }
        }
        Some(request)
    }
}

/// A message to a client of `version` with a token, the proof about the certificate, or both.
pub(super) fn reply(version: u32, token: Option<&[u8]>, pub_key_auth: Option<&[u8]>) -> Vec<u8> {
    let mut fields = common_version(version);
    if let Some(token) = token {
        let token = der::element(context(0), &der::element(OCTET_STRING, token));
        let tokens = der::element(SEQUENCE, &der::element(SEQUENCE, &token));
        fields.extend(der::element(context(1), &tokens));
    }
    if let Some(proof) = pub_key_auth {
        fields.extend(der::element(context(3), &der::element(OCTET_STRING, proof)));
    }
    der::element(SEQUENCE, &fields)
}

/// The message with which a server refuses a client of `version`, if that version knows one (MS-CSSP 2.2.1,
/// `errorCode`).
pub(super) fn failure(client: u32, status: u32) -> Option<Vec<u8>> {
    let knows = matches!(client.min(OWN_VERSION), 3 | 4 | 6);
    knows.then(|| {
        let mut fields = common_version(client);
        fields.extend(der::element(context(4), &der::element(INTEGER, &status.to_be_bytes())));
        der::element(SEQUENCE, &fields)
    })
}

/// The version that both speak: some clients take the one that they hear for the one to go by.
fn common_version(client: u32) -> Vec<u8> {
    let version = client.min(OWN_VERSION) as u8;
    der::element(context(0), &der::element(INTEGER, &[version]))
}

/// What the client must have sealed to prove that it sees the certificate with this key (MS-CSSP 3.1.5, steps 3
/// and 4), and what the server answers with.
pub(super) struct KeyBinding<'a> {
    pub(super) version: u32,
    /// The client's, present from version 5 on.
    pub(super) nonce: Option<[u8; 32]>,
    pub(super) public_key: &'a [u8],
}

impl KeyBinding<'_> {
    /// Whether the client sealed what it must.
    pub(super) fn verify(&self, sealed_by_client: &[u8]) -> Result<(), CredSspViolation> {
        let expected = if self.version < 5 {
            self.public_key.to_vec()
        } else {
            self.hash(b"CredSSP Client-To-Server Binding Hash\0")?
        };
        if bool::from(expected.ct_eq(sealed_by_client)) { Ok(()) } else { Err(CredSspViolation::KeyBinding) }
    }

    /// What the server seals.
    pub(super) fn answer(&self) -> Result<Vec<u8>, CredSspViolation> {
        if self.version >= 5 {
            return self.hash(b"CredSSP Server-To-Client Binding Hash\0");
        }
        // The key as a little-endian number, plus one.
        let mut answer = self.public_key.to_vec();
        for byte in &mut answer {
            let carry;
            (*byte, carry) = byte.overflowing_add(1);
            if !carry {
                break;
            }
        }
        Ok(answer)
    }

    fn hash(&self, direction: &[u8]) -> Result<Vec<u8>, CredSspViolation> {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA256);
        hash.update(direction);
        hash.update(&self.nonce.ok_or(CredSspViolation::NoNonce)?);
        hash.update(self.public_key);
        Ok(hash.finish().as_ref().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_another_implementation_writes() {
        for version in 2..=6 {
            let written = sspi::credssp::TsRequest {
                version,
                nego_tokens: Some(vec![1; 300]),
                auth_info: Some(vec![2; 20]),
                pub_key_auth: Some(vec![3; 200]),
                error_code: None,
                client_nonce: Some([4; 32]),
            };
            let mut bytes = Vec::new();
            written.encode_ts_request(&mut bytes).unwrap();
            let read = TsRequest::decode(&bytes).unwrap();
            assert_eq!(read.version, version);
            assert_eq!(read.token, written.nego_tokens);
            assert_eq!(read.auth_info.as_deref(), written.auth_info.as_ref());
            assert_eq!(read.pub_key_auth, written.pub_key_auth);
            assert_eq!(read.client_nonce, (version >= 5).then_some([4; 32]));
            for end in 0..bytes.len() {
                assert!(TsRequest::decode(&bytes[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn another_implementation_reads_what_is_written() {
        let read = sspi::credssp::TsRequest::from_buffer(&reply(7, Some(&[1; 300]), Some(&[2; 20]))).unwrap();
        assert_eq!((read.version, read.nego_tokens), (6, Some(vec![1; 300])));
        assert_eq!(read.pub_key_auth, Some(vec![2; 20]));
        for (client, told) in [(2, false), (3, true), (4, true), (5, false), (6, true), (7, true)] {
            let failure = failure(client, LOGON_FAILURE);
            assert_eq!(failure.is_some(), told, "{client}");
            let Some(failure) = failure else { continue };
            let read = sspi::credssp::TsRequest::from_buffer(&failure).unwrap();
            assert_eq!(read.error_code, Some(sspi::credssp::NStatusCode::LOGON_FAILURE));
        }
    }

    #[test]
    fn versions_before_2_are_refused() {
        let bytes = [0x30, 5, 0xA0, 3, 2, 1, 1];
        assert!(matches!(TsRequest::decode(&bytes), Err(CredSspViolation::Version(1))));
        assert!(TsRequest::decode(&[0x30, 5, 0xA0, 3, 2, 1, 2]).is_ok());
        assert!(TsRequest::decode(&[0x30, 4, 0xA0, 2, 2, 0]).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TsRequest::decode(&bytes);
            let mut framed = vec![0x30, 0x81, bytes.len() as u8];
            framed.extend(&bytes);
            let _ = TsRequest::decode(&framed);
        }
    }
}
