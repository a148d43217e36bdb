//! The proof of NTLMv2 (MS-NLMP 3.3.2) and the keys that follow from it (MS-NLMP 3.4).

use hmac::{Hmac, KeyInit, Mac};
use md4::Md4;
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::CredSspViolation;
use super::ntlm::{Authenticate, MIC, flags};

/// A key of NTLM.
type Key = Zeroizing<[u8; 16]>;

/// The key that follows from `secret` if it is the one that the client proved to know. A wrong secret takes the
/// same time wherever it differs.
pub(super) fn session_base_key(secret: &str, challenge: [u8; 8], authenticate: &Authenticate) -> Option<Key> {
    let Authenticate { user, domain, client_challenge, .. } = authenticate;
    let (proof, key) = respond(secret, user, domain, challenge, client_challenge);
    bool::from(proof.ct_eq(&authenticate.proof)).then_some(key)
}

/// The proof of NTLMv2, and the key that follows from it.
fn respond(
    secret: &str,
    user: &[u16],
    domain: &[u16],
    challenge: [u8; 8],
    client_challenge: &[u8],
) -> (Key, Key) {
    let bytes = |units: &[u16]| units.iter().copied().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut hash = Md4::new();
    secret.encode_utf16().for_each(|unit| hash.update(unit.to_le_bytes()));
    let nt_hash: Key = Zeroizing::new(hash.finalize().into());
    let owf = hmac_md5(&nt_hash, &[&bytes(&uppercase(user)), &bytes(domain)]);
    let proof = hmac_md5(&owf, &[&challenge, client_challenge]);
    let key = hmac_md5(&owf, &[&*proof]);
    (proof, key)
}

/// Upper case as Windows makes it: letter by letter, so that the length stays.
fn uppercase(text: &[u16]) -> Vec<u16> {
    let upper = |unit: u16| {
        let mut letters = char::from_u32(unit.into())?.to_uppercase();
        let letter = letters.next().filter(|_| letters.next().is_none())?;
        u16::try_from(u32::from(letter)).ok()
    };
    text.iter().map(|unit| upper(*unit).unwrap_or(*unit)).collect()
}

fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> Key {
    // HMAC pads a short key with zeros to a block anyway.
    let mut block = hmac::digest::Key::<Hmac<Md5>>::default();
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut hmac = Hmac::<Md5>::new(&block);
    block.as_mut_slice().zeroize();
    for part in parts {
        hmac.update(part);
    }
    Zeroizing::new(hmac.finalize().into_bytes().into())
}

/// What both sides seal their messages with.
pub(super) struct Session {
    exported: Key,
    client: Direction,
    server: Direction,
}

/// The keys and the state of one direction.
struct Direction {
    signing: Key,
    sealing: Key,
    /// The cipher runs on from message to message.
    cipher: Rc4,
    sequence: u32,
    /// Whether signatures are encrypted too (MS-NLMP 3.4.4.2).
    encrypted_signatures: bool,
}

/// Length of a signature (MS-NLMP 2.2.2.9.1).
const SIGNATURE: usize = 16;

impl Session {
    /// Derives the keys from the one that the proof gave.
    pub(super) fn new(base: Key, authenticate: &Authenticate) -> Self {
        let mut exported = base;
        if let Some(sent) = authenticate.session_key {
            let mut key = Zeroizing::new(sent);
            rc4(&exported).apply_keystream(&mut *key);
            exported = key;
        }
        let exchanged = authenticate.flags & flags::KEY_EXCHANGE != 0;
        let direction =
            |signing: &[u8], sealing: &[u8]| Direction::new(&exported, signing, sealing, exchanged);
        Self {
            client: direction(
                b"session key to client-to-server signing key magic constant\0",
                b"session key to client-to-server sealing key magic constant\0",
            ),
            server: direction(
                b"session key to server-to-client signing key magic constant\0",
                b"session key to server-to-client sealing key magic constant\0",
            ),
            exported,
        }
    }

    /// Whether the client's signature over the three messages is right, if it made one.
    pub(super) fn verify_mic(
        &self,
        negotiate: &[u8],
        challenge: &[u8],
        authenticate: &Authenticate,
    ) -> Result<(), CredSspViolation> {
        let Some(mic) = authenticate.mic else { return Ok(()) };
        // It was made with zeros in its own place.
        let (before, after) = (authenticate.message.get(..MIC.start), authenticate.message.get(MIC.end..));
        let expected = hmac_md5(
            &self.exported,
            &[negotiate, challenge, before.unwrap_or_default(), &[0; 16], after.unwrap_or_default()],
        );
        if bool::from(expected.ct_eq(&mic)) { Ok(()) } else { Err(CredSspViolation::Mic) }
    }

    /// Whether the client signed its list of mechanisms; then the server's signature over the same.
    pub(super) fn exchange_mech_list_mic(
        &mut self,
        mech_types: &[u8],
        mic: &[u8],
    ) -> Result<[u8; SIGNATURE], CredSspViolation> {
        if bool::from(self.client.sign_apart(mech_types).ct_eq(mic)) {
            Ok(self.server.sign_apart(mech_types))
        } else {
            Err(CredSspViolation::MechListMic)
        }
    }

    /// Seals a message for the client: the signature, then the text.
    pub(super) fn seal(&mut self, text: &[u8]) -> Vec<u8> {
        let mut sealed = vec![0; SIGNATURE];
        sealed.extend_from_slice(text);
        let (signature, body) = sealed.split_at_mut(SIGNATURE);
        self.server.cipher.apply_keystream(body);
        signature.copy_from_slice(&self.server.sign(text));
        sealed
    }

    /// Opens a message of the client.
    pub(super) fn open(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CredSspViolation> {
        let (signature, body) = sealed.split_at_checked(SIGNATURE).ok_or(CredSspViolation::Seal)?;
        let mut text = Zeroizing::new(body.to_vec());
        self.client.cipher.apply_keystream(&mut text);
        if bool::from(self.client.sign(&text).ct_eq(signature)) {
            Ok(text)
        } else {
            Err(CredSspViolation::Seal)
        }
    }
}

impl Direction {
    fn new(exported: &Key, signing: &[u8], sealing: &[u8], encrypted_signatures: bool) -> Self {
        let key = |purpose: &[u8]| -> Key {
            Zeroizing::new(Md5::new().chain_update(**exported).chain_update(purpose).finalize().into())
        };
        let sealing = key(sealing);
        Self { signing: key(signing), cipher: rc4(&sealing), sealing, sequence: 0, encrypted_signatures }
    }

    /// The signature of the next message, whose text the cipher has passed already.
    fn sign(&mut self, text: &[u8]) -> [u8; SIGNATURE] {
        let sequence = self.sequence.to_le_bytes();
        self.sequence = self.sequence.wrapping_add(1);
        let mut checksum = [0; 8];
        checksum.copy_from_slice(hmac_md5(&self.signing, &[&sequence, text]).split_at(8).0);
        if self.encrypted_signatures {
            self.cipher.apply_keystream(&mut checksum);
        }
        let mut signature = [0; SIGNATURE];
        signature[0] = 1;
        signature[4..12].copy_from_slice(&checksum);
        signature[12..].copy_from_slice(&sequence);
        signature
    }

    /// The signature of a message before the first sealed one. It takes a sequence number, but leaves the
    /// cipher where it was (MS-SPNG 3.3.5.1).
    fn sign_apart(&mut self, text: &[u8]) -> [u8; SIGNATURE] {
        let signature = self.sign(text);
        self.cipher = rc4(&self.sealing);
        signature
    }
}

fn rc4(key: &Key) -> Rc4 {
    // Any key of 1 to 256 bytes is one of RC4.
    Rc4::new_from_slice(&**key).unwrap_or_else(|_| unreachable!("a key of 16 bytes"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::viewer::nla::ntlm::tests::example;

    impl Session {
        /// What the client has.
        pub(in crate::viewer::nla) fn mirrored(self) -> Self {
            Self { client: self.server, server: self.client, exported: self.exported }
        }

        /// A signature of its own over the list of mechanisms.
        pub(in crate::viewer::nla) fn sign_list(&mut self, mech_types: &[u8]) -> [u8; SIGNATURE] {
            self.server.sign_apart(mech_types)
        }

        /// Whether the peer's signature is right.
        pub(in crate::viewer::nla) fn verify_list(&mut self, mech_types: &[u8], mic: &[u8]) -> bool {
            self.client.sign_apart(mech_types) == mic
        }
    }

    /// The AUTHENTICATE_MESSAGE of a client that answers `challenge`, without key exchange or signature.
    pub(in crate::viewer::nla) fn authenticate(user: &str, secret: &str, challenge: [u8; 8]) -> Vec<u8> {
        let mut client_challenge = vec![1, 1, 0, 0, 0, 0, 0, 0];
        client_challenge.extend([0; 32]);
        let user: Vec<u16> = user.encode_utf16().collect();
        let (proof, _) = respond(secret, &user, &[], challenge, &client_challenge);
        let response = [&proof[..], &client_challenge].concat();
        let user: Vec<u8> = user.into_iter().flat_map(u16::to_le_bytes).collect();
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        let at = 72 + response.len();
        for (len, offset) in [(0, 0), (response.len(), 72), (0, 0), (user.len(), at), (0, 0), (0, 0)] {
            message.extend(u16::try_from(len).unwrap().to_le_bytes());
            message.extend(u16::try_from(len).unwrap().to_le_bytes());
            message.extend(u32::try_from(offset).unwrap().to_le_bytes());
        }
        message.extend((flags::ACCEPTED & !flags::KEY_EXCHANGE).to_le_bytes());
        message.extend([0; 8]);
        message.extend(response);
        message.extend(user);
        message
    }

    const CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];

    fn session() -> Session {
        let authenticate = Authenticate::decode(example()).unwrap();
        let base = session_base_key("Password", CHALLENGE, &authenticate).unwrap();
        Session::new(base, &authenticate)
    }

    /// MS-NLMP 4.2.4.
    #[test]
    fn proof_and_keys_are_those_of_the_specification() {
        let authenticate = Authenticate::decode(example()).unwrap();
        let base = session_base_key("Password", CHALLENGE, &authenticate).unwrap();
        assert_eq!(
            *base,
            [0x8D, 0xE4, 0x0C, 0xCA, 0xDB, 0xC1, 0x4A, 0x82, 0xF1, 0x5C, 0xB0, 0xAD, 0x0D, 0xE9, 0x5C, 0xA3]
        );
        let session = Session::new(base, &authenticate);
        assert_eq!(*session.exported, [0x55; 16]);
        assert_eq!(
            *session.client.signing,
            [0x47, 0x88, 0xDC, 0x86, 0x1B, 0x47, 0x82, 0xF3, 0x5D, 0x43, 0xFD, 0x98, 0xFE, 0x1A, 0x2D, 0x39]
        );
        assert_eq!(
            *session.client.sealing,
            [0x59, 0xF6, 0x00, 0x97, 0x3C, 0xC4, 0x96, 0x0A, 0x25, 0x48, 0x0A, 0x7C, 0x19, 0x6E, 0x4C, 0x58]
        );
        for wrong in ["", "password", "Password "] {
            assert!(session_base_key(wrong, CHALLENGE, &authenticate).is_none(), "{wrong}");
        }
        assert!(session_base_key("Password", [0; 8], &authenticate).is_none());
    }

    /// MS-NLMP 4.2.4.4.
    #[test]
    fn opens_the_specification_s_message() {
        let sealed = [
            0x01, 0x00, 0x00, 0x00, 0x7F, 0xB3, 0x8E, 0xC5, 0xC5, 0x5D, 0x49, 0x76, 0x00, 0x00, 0x00, 0x00,
            0x54, 0xE5, 0x01, 0x65, 0xBF, 0x19, 0x36, 0xDC, 0x99, 0x60, 0x20, 0xC1, 0x81, 0x1B, 0x0F, 0x06,
            0xFB, 0x5F,
        ];
        let text: Vec<u8> = "Plaintext".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(*session().open(&sealed).unwrap(), text);
        for at in 0..sealed.len() {
            let mut other = sealed;
            other[at] ^= 1;
            assert!(session().open(&other).is_err(), "{at}");
            assert!(session().open(&sealed[..at]).is_err(), "{at}");
        }
        // A message a second time is not the second message.
        let mut session = session();
        session.open(&sealed).unwrap();
        assert!(session.open(&sealed).is_err());
    }

    #[test]
    fn names_are_raised_letter_by_letter() {
        let raised =
            |text: &str| String::from_utf16(&uppercase(&text.encode_utf16().collect::<Vec<_>>())).unwrap();
        assert_eq!(raised("alice:desk"), "ALICE:DESK");
        assert_eq!(raised("élodie"), "ÉLODIE");
        assert_eq!(raised("straße"), "STRAßE");
        assert_eq!(raised("😀x"), "😀X");
    }
}
