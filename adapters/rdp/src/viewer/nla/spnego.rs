//! As much of SPNEGO (RFC 4178, MS-SPNG) as it takes to agree on NTLM.

use super::CredSspViolation;
use super::der::{self, ENUMERATED, OBJECT_IDENTIFIER, OCTET_STRING, Reader, SEQUENCE, context};

/// `InitialContextToken` (RFC 2743, 3.1): `[APPLICATION 0]`, constructed.
const INITIAL_CONTEXT_TOKEN: u8 = 0x60;
/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.3.6.1.4.1.311.2.2.10
pub(super) const NTLMSSP: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0A];

/// Whether a client's first token is one of SPNEGO.
pub(super) fn is_initial(token: &[u8]) -> bool {
    token.first() == Some(&INITIAL_CONTEXT_TOKEN)
}

/// A client's first message, `NegTokenInit`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Init {
    /// Its list of mechanisms in DER, which is what both sides sign.
    pub(super) mech_types: Vec<u8>,
    /// The first message of NTLM, if that is the mechanism it likes best.
    pub(super) token: Option<Vec<u8>>,
}

impl Init {
    pub(super) fn decode(token: &[u8]) -> Result<Self, CredSspViolation> {
        let (mech_types, mech_token) = Self::fields(token).ok_or(CredSspViolation::Spnego)?;
        let mut mechanisms = Reader::new(der::only(mech_types, SEQUENCE).ok_or(CredSspViolation::Spnego)?);
        let first = mechanisms.expect(OBJECT_IDENTIFIER).ok_or(CredSspViolation::Spnego)?;
        let mut offered = first == NTLMSSP;
        while !mechanisms.is_empty() {
            offered |= mechanisms.expect(OBJECT_IDENTIFIER).ok_or(CredSspViolation::Spnego)? == NTLMSSP;
        }
        if !offered {
            return Err(CredSspViolation::NoNtlm);
        }
        // A token for another mechanism is of no use here.
        let token = mech_token.filter(|_| first == NTLMSSP).map(<[u8]>::to_vec);
        Ok(Self { mech_types: mech_types.to_vec(), token })
    }

    fn fields(token: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
        let mut initial = Reader::new(der::only(token, INITIAL_CONTEXT_TOKEN)?);
        if initial.expect(OBJECT_IDENTIFIER)? != SPNEGO {
            return None;
        }
        let mut init = Reader::new(der::only(initial.expect(context(0))?, SEQUENCE)?);
        let mech_types = init.expect(context(0))?;
        let _flags = init.optional(context(1));
        let token = match init.optional(context(2)) {
            Some(token) => Some(der::only(token, OCTET_STRING)?),
            None => None,
        };
        Some((mech_types, token))
    }
}

/// A client's later message, `NegTokenResp`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    /// A message of NTLM.
    pub(super) token: Option<Vec<u8>>,
    /// The signature over the list of mechanisms.
    pub(super) mech_list_mic: Option<Vec<u8>>,
}

impl Response {
    pub(super) fn decode(token: &[u8]) -> Result<Self, CredSspViolation> {
        Self::fields(token).ok_or(CredSspViolation::Spnego)
    }

    fn fields(token: &[u8]) -> Option<Self> {
        let mut response = Reader::new(der::only(der::only(token, context(1))?, SEQUENCE)?);
        let mut read = Self { token: None, mech_list_mic: None };
        while !response.is_empty() {
            match response.next()? {
                (tag, data) if tag == context(2) => {
                    read.token = Some(der::only(data, OCTET_STRING)?.to_vec());
                }
                (tag, data) if tag == context(3) => {
                    read.mech_list_mic = Some(der::only(data, OCTET_STRING)?.to_vec());
                }
                _ => {}
            }
        }
        Some(read)
    }
}

/// Where the negotiation stands (RFC 4178, 4.2.2, `negState`).
#[derive(Clone, Copy)]
enum State {
    AcceptCompleted = 0,
    AcceptIncomplete = 1,
    RequestMic = 3,
}

/// Chooses NTLM, which was not the client's first choice: it must begin anew with it, and both must sign the
/// list.
pub(super) fn choose_ntlm() -> Vec<u8> {
    response(State::RequestMic, true, None, None)
}

/// The challenge of NTLM. The first answer, if this is it, also names the mechanism.
pub(super) fn challenge(message: &[u8], first: bool) -> Vec<u8> {
    response(State::AcceptIncomplete, first, Some(message), None)
}

/// The end, with the signature over the list if the client signed it as well.
pub(super) fn completed(mech_list_mic: Option<&[u8]>) -> Vec<u8> {
    response(State::AcceptCompleted, false, None, mech_list_mic)
}

/// A client's message in the middle.
#[cfg(test)]
pub(super) fn client_response(token: &[u8], mic: Option<&[u8]>) -> Vec<u8> {
    response(State::AcceptIncomplete, false, Some(token), mic)
}

fn response(state: State, mechanism: bool, token: Option<&[u8]>, mic: Option<&[u8]>) -> Vec<u8> {
    let mut fields = der::element(context(0), &der::element(ENUMERATED, &[state as u8]));
    if mechanism {
        fields.extend(der::element(context(1), &der::element(OBJECT_IDENTIFIER, NTLMSSP)));
    }
    if let Some(token) = token {
        fields.extend(der::element(context(2), &der::element(OCTET_STRING, token)));
    }
    if let Some(mic) = mic {
        fields.extend(der::element(context(3), &der::element(OCTET_STRING, mic)));
    }
    der::element(context(1), &der::element(SEQUENCE, &fields))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 1.2.840.48018.1.2.2
    pub(in crate::viewer::nla) const KERBEROS: &[u8] =
        &[0x2A, 0x86, 0x48, 0x82, 0xF7, 0x12, 0x01, 0x02, 0x02];

    pub(in crate::viewer::nla) fn init(mechanisms: &[&[u8]], token: Option<&[u8]>) -> Vec<u8> {
        let list: Vec<u8> = mechanisms.iter().flat_map(|oid| der::element(OBJECT_IDENTIFIER, oid)).collect();
        let mut fields = der::element(context(0), &der::element(SEQUENCE, &list));
        if let Some(token) = token {
            fields.extend(der::element(context(2), &der::element(OCTET_STRING, token)));
        }
        let mut content = der::element(OBJECT_IDENTIFIER, SPNEGO);
        content.extend(der::element(context(0), &der::element(SEQUENCE, &fields)));
        der::element(INITIAL_CONTEXT_TOKEN, &content)
    }

    #[test]
    fn a_token_counts_only_for_the_first_mechanism() {
        let read = Init::decode(&init(&[NTLMSSP, KERBEROS], Some(b"NTLM"))).unwrap();
        assert_eq!(read.token.as_deref(), Some(&b"NTLM"[..]));
        assert_eq!(der::only(&read.mech_types, SEQUENCE).map(<[u8]>::len), Some(23));
        let read = Init::decode(&init(&[KERBEROS, NTLMSSP], Some(b"AP-REQ"))).unwrap();
        assert_eq!(read.token, None);
        assert!(matches!(Init::decode(&init(&[KERBEROS], Some(b"AP-REQ"))), Err(CredSspViolation::NoNtlm)));
    }

    #[test]
    fn truncated_messages_are_refused() {
        let bytes = init(&[KERBEROS, NTLMSSP], Some(b"AP-REQ"));
        for end in 0..bytes.len() {
            assert!(Init::decode(&bytes[..end]).is_err(), "{end}");
        }
        let bytes = response(State::AcceptIncomplete, true, Some(b"token"), Some(b"mic"));
        let read = Response::decode(&bytes).unwrap();
        assert_eq!(read.token.as_deref(), Some(&b"token"[..]));
        assert_eq!(read.mech_list_mic.as_deref(), Some(&b"mic"[..]));
        for end in 0..bytes.len() {
            assert!(Response::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in 0..60usize, to: u8) {
            let _ = Init::decode(&bytes);
            let _ = Response::decode(&bytes);
            let mut bytes = init(&[KERBEROS, NTLMSSP], Some(b"AP-REQ"));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = to;
            }
            let _ = Init::decode(&bytes);
        }
    }
}
