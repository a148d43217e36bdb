//! The messages of NTLM (MS-NLMP 2.2.1), read and written as the server.

use std::time::SystemTime;

use super::CredSspViolation;

const SIGNATURE: &[u8; 8] = b"NTLMSSP\0";

/// The longest user name and the longest domain that are taken, in bytes of UTF-16. Windows knows 256
/// characters.
const LONGEST_NAME: usize = 1024;

/// Bits of `NegotiateFlags` (MS-NLMP 2.2.2.5).
pub(super) mod flags {
    pub(in super::super) const UNICODE: u32 = 0x0000_0001;
    pub(in super::super) const REQUEST_TARGET: u32 = 0x0000_0004;
    pub(in super::super) const SIGN: u32 = 0x0000_0010;
    pub(in super::super) const SEAL: u32 = 0x0000_0020;
    pub(in super::super) const NTLM: u32 = 0x0000_0200;
    pub(in super::super) const ALWAYS_SIGN: u32 = 0x0000_8000;
    pub(in super::super) const TARGET_TYPE_SERVER: u32 = 0x0002_0000;
    pub(in super::super) const EXTENDED_SESSION_SECURITY: u32 = 0x0008_0000;
    pub(in super::super) const TARGET_INFO: u32 = 0x0080_0000;
    pub(in super::super) const VERSION: u32 = 0x0200_0000;
    pub(in super::super) const KEY_128: u32 = 0x2000_0000;
    pub(in super::super) const KEY_EXCHANGE: u32 = 0x4000_0000;
    pub(in super::super) const KEY_56: u32 = 0x8000_0000;

    /// Without these there is no NTLMv2 with keys of full length.
    pub(in super::super) const REQUIRED: u32 = UNICODE | EXTENDED_SESSION_SECURITY | KEY_128;
    /// What is agreed to if the client wants it.
    pub(in super::super) const ACCEPTED: u32 =
        REQUIRED | REQUEST_TARGET | SIGN | SEAL | NTLM | ALWAYS_SIGN | VERSION | KEY_EXCHANGE | KEY_56;
}

/// Whether a token is a message of NTLM.
pub(super) fn is_message(token: &[u8]) -> bool {
    token.starts_with(SIGNATURE)
}

/// What the client asks for in NEGOTIATE_MESSAGE (MS-NLMP 2.2.1.1).
pub(super) fn negotiate_flags(message: &[u8]) -> Result<u32, CredSspViolation> {
    const WHICH: CredSspViolation = CredSspViolation::Ntlm("NEGOTIATE_MESSAGE");
    if !is_message(message) || number(message, 8) != Some(1) {
        return Err(WHICH);
    }
    let wanted = number(message, 12).ok_or(WHICH)?;
    require(wanted)?;
    Ok(wanted)
}

fn require(found: u32) -> Result<(), CredSspViolation> {
    if found & flags::REQUIRED == flags::REQUIRED { Ok(()) } else { Err(CredSspViolation::WeakNtlm(found)) }
}

/// Writes CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2) for a client that asked for `wanted`. `node` is the name of this
/// computer; `now` makes the client protect all three messages (MS-NLMP 3.1.5.1.2).
pub(super) fn challenge(wanted: u32, challenge: [u8; 8], node: &str, now: SystemTime) -> Vec<u8> {
    const PAYLOAD: u32 = 56;
    let name = utf16(node);
    let dns = utf16(&node.to_lowercase());
    let mut info = Vec::new();
    for (id, value) in [(2, &name), (1, &name), (4, &dns), (3, &dns), (7, &file_time(now)), (0, &Vec::new())]
    {
        let id: u16 = id;
        info.extend(id.to_le_bytes());
        info.extend(length_of(value).to_le_bytes());
        info.extend(value);
    }
    let agreed = wanted & flags::ACCEPTED | flags::TARGET_TYPE_SERVER | flags::TARGET_INFO;
    let field = |value: &[u8], offset: u32| {
        let [low, high] = length_of(value).to_le_bytes();
        let [a, b, c, d] = offset.to_le_bytes();
        [low, high, low, high, a, b, c, d]
    };
    let mut message = SIGNATURE.to_vec();
    message.extend(2u32.to_le_bytes());
    message.extend(field(&name, PAYLOAD));
    message.extend(agreed.to_le_bytes());
    message.extend(challenge);
    message.extend([0; 8]);
    message.extend(field(&info, PAYLOAD + u32::from(length_of(&name))));
    // VERSION (MS-NLMP 2.2.2.10), for debugging only: Windows 10, NTLMSSP_REVISION_W2K3.
    message.extend([10, 0, 0x63, 0x45, 0, 0, 0, 15]);
    message.extend(name);
    message.extend(info);
    message
}

/// Both names are short; a longer one is cut by whoever hands it in.
fn length_of(value: &[u8]) -> u16 {
    u16::try_from(value.len()).unwrap_or(u16::MAX)
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// FILETIME (MS-DTYP 2.3.3): tenths of microseconds since 1601.
fn file_time(now: SystemTime) -> Vec<u8> {
    const FROM_1601_TO_1970: u64 = 11_644_473_600 * 10_000_000;
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() / 100;
    let since_1970 = u64::try_from(since_1970).unwrap_or_default();
    FROM_1601_TO_1970.saturating_add(since_1970).to_le_bytes().to_vec()
}

/// AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3).
pub(super) struct Authenticate {
    /// All of it.
    pub(super) message: Vec<u8>,
    /// What was agreed on.
    pub(super) flags: u32,
    /// UTF-16, as it goes into the proof.
    pub(super) user: Vec<u16>,
    /// See `user`.
    pub(super) domain: Vec<u16>,
    /// The proof (MS-NLMP 2.2.2.8, `Response`).
    pub(super) proof: [u8; 16],
    /// What the proof is about, besides the challenge (MS-NLMP 2.2.2.7).
    pub(super) client_challenge: Vec<u8>,
    /// The session key, encrypted, if the client chose one.
    pub(super) session_key: Option<[u8; 16]>,
    /// The signature over all three messages, if the client says that it made one.
    pub(super) mic: Option<[u8; 16]>,
}

/// Where the signature is in the message.
pub(super) const MIC: std::ops::Range<usize> = 72..88;

impl Authenticate {
    pub(super) fn decode(message: Vec<u8>) -> Result<Self, CredSspViolation> {
        const WHICH: CredSspViolation = CredSspViolation::Ntlm("AUTHENTICATE_MESSAGE");
        if !is_message(&message) || number(&message, 8) != Some(3) {
            return Err(WHICH);
        }
        let flags = number(&message, 60).ok_or(WHICH)?;
        require(flags)?;
        let response = field(&message, 20).ok_or(WHICH)?;
        // NTLMv1 has 24 bytes, an anonymous client none.
        let Some((proof, client_challenge)) =
            response.split_first_chunk().filter(|(_, client_challenge)| client_challenge.len() >= 28)
        else {
            return Err(CredSspViolation::NotNtlmV2);
        };
        let name = |at| field(&message, at).filter(|name| name.len() <= LONGEST_NAME);
        let session_key = match field(&message, 52).ok_or(WHICH)? {
            key if flags & flags::KEY_EXCHANGE != 0 => Some(key.try_into().map_err(|_| WHICH)?),
            _ => None,
        };
        let mic = if has_mic(client_challenge) {
            Some(message.get(MIC).and_then(|mic| mic.try_into().ok()).ok_or(WHICH)?)
        } else {
            None
        };
        Ok(Self {
            flags,
            user: units(name(36).ok_or(WHICH)?),
            domain: units(name(28).ok_or(WHICH)?),
            proof: *proof,
            client_challenge: client_challenge.to_vec(),
            session_key,
            mic,
            message,
        })
    }
}

/// Whether the client says in its part of the proof that it signed the messages (MS-NLMP 2.2.2.1, `MsvAvFlags`,
/// 0x2).
fn has_mic(client_challenge: &[u8]) -> bool {
    let mut pairs = client_challenge.get(28..).unwrap_or_default();
    while let Some((&[id_low, id_high, low, high], rest)) = pairs.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes([low, high]));
        let Some((value, rest)) = rest.split_at_checked(len) else { return false };
        match (u16::from_le_bytes([id_low, id_high]), value) {
            (0, _) => return false,
            (6, [flags, ..]) => return flags & 2 != 0,
            _ => pairs = rest,
        }
    }
    false
}

/// The number at an offset.
fn number(message: &[u8], at: usize) -> Option<u32> {
    message.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// What the length and the offset at `at` point to.
fn field(message: &[u8], at: usize) -> Option<&[u8]> {
    let &[low, high, ..] = message.get(at..)?.first_chunk::<8>()?;
    let len = usize::from(u16::from_le_bytes([low, high]));
    if len == 0 {
        // Where nothing is, some clients point nowhere.
        return Some(&[]);
    }
    let start = usize::try_from(number(message, at + 4)?).ok()?;
    message.get(start..start.checked_add(len)?)
}

fn units(bytes: &[u8]) -> Vec<u16> {
    let (units, _) = bytes.as_chunks();
    units.iter().map(|unit| u16::from_le_bytes(*unit)).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// The example of MS-NLMP 4.2.4.3.
    pub(in super::super) fn example() -> Vec<u8> {
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        for (len, offset) in [(24u16, 0x6Cu32), (84, 0x84), (12, 0x48), (8, 0x54), (16, 0x5C), (16, 0xD8)] {
            message.extend(len.to_le_bytes());
            message.extend(len.to_le_bytes());
            message.extend(offset.to_le_bytes());
        }
        message.extend([0x35, 0x82, 0x88, 0xE2]);
        message.extend([5, 1, 0x28, 0x0A, 0, 0, 0, 0x0F]);
        message.extend(utf16("DomainUserCOMPUTER"));
        message.extend([0; 24]);
        message.extend([
            0x68, 0xCD, 0x0A, 0xB8, 0x51, 0xE5, 0x1C, 0x96, 0xAA, 0xBC, 0x92, 0x7B, 0xEB, 0xEF, 0x6A, 0x1C,
        ]);
        message.extend([1, 1, 0, 0, 0, 0, 0, 0]);
        message.extend([0; 8]);
        message.extend([0xAA; 8]);
        message.extend([0; 4]);
        for (id, name) in [(2u8, "Domain"), (1, "Server")] {
            message.extend([id, 0, 12, 0]);
            message.extend(utf16(name));
        }
        message.extend([0; 8]);
        message.extend([
            0xC5, 0xDA, 0xD2, 0x54, 0x4F, 0xC9, 0x79, 0x90, 0x94, 0xCE, 0x1C, 0xE9, 0x0B, 0xC9, 0xD0, 0x3E,
        ]);
        message
    }

    #[test]
    fn reads_the_specification_s_example() {
        let read = Authenticate::decode(example()).unwrap();
        assert_eq!(String::from_utf16(&read.user).unwrap(), "User");
        assert_eq!(String::from_utf16(&read.domain).unwrap(), "Domain");
        assert_eq!(read.proof[..4], [0x68, 0xCD, 0x0A, 0xB8]);
        assert_eq!(read.client_challenge.len(), 68);
        assert_eq!(read.session_key.unwrap()[..2], [0xC5, 0xDA]);
        assert_eq!(read.mic, None);
        for end in 0..example().len() {
            assert!(Authenticate::decode(example()[..end].to_vec()).is_err(), "{end}");
        }
    }

    #[test]
    fn weak_or_old_clients_are_refused() {
        let mut message = example();
        // Without NTLMSSP_NEGOTIATE_128.
        message[63] &= !0x20;
        assert!(matches!(Authenticate::decode(message), Err(CredSspViolation::WeakNtlm(_))));
        let mut message = example();
        // As long as an answer of NTLMv1.
        message[20] = 24;
        assert!(matches!(Authenticate::decode(message), Err(CredSspViolation::NotNtlmV2)));
        let mut message = example();
        message[20..28].fill(0);
        assert!(matches!(Authenticate::decode(message), Err(CredSspViolation::NotNtlmV2)));
    }

    #[test]
    fn the_challenge_s_fields_point_where_they_should() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let message = challenge(u32::MAX, [7; 8], "PASSERELLE", now);
        assert_eq!(field(&message, 12), Some(&*utf16("PASSERELLE")));
        assert_eq!(message[24..32], [7; 8]);
        let info = field(&message, 40).unwrap();
        assert_eq!(info[..4], [2, 0, 20, 0]);
        assert_eq!(
            info[info.len() - 16..],
            [7, 0, 8, 0, 128, 22, 215, 213, 222, 177, 157, 1, 0, 0, 0, 0][..]
        );
        assert_eq!(info.len() + 56 + 20, message.len());
    }

    proptest! {
        #[test]
        fn never_panics(at in 0..300usize, to: u8, end in 0..300usize) {
            let mut message = example();
            if let Some(byte) = message.get_mut(at) {
                *byte = to;
            }
            message.truncate(end);
            let _ = negotiate_flags(&message);
            let _ = Authenticate::decode(message);
        }

        #[test]
        fn any_pairs_are_read(pairs in proptest::collection::vec(any::<u8>(), 0..100)) {
            has_mic(&pairs);
        }
    }
}
