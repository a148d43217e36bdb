//! VNC Authentication: challenge and response with DES (RFC 6143 section 7.2.2).

use std::fmt;

use des::Des;
use des::cipher::{Array, BlockCipherEncrypt, KeyInit};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Length in bytes of challenge and response.
pub(super) const CHALLENGE_LEN: usize = 16;

/// A viewer's answer to a challenge: proof that it knows a secret, which only the secret itself can check.
///
/// Only the first eight bytes of a secret count.
#[derive(Clone)]
pub struct VncAuthProof {
    /// What the viewer was asked.
    pub challenge: [u8; CHALLENGE_LEN],
    /// What it answered.
    pub response: [u8; CHALLENGE_LEN],
}

impl VncAuthProof {
    /// Whether the answer was made with `secret`. Takes the same time for every answer.
    pub fn matches(&self, secret: &str) -> bool {
        let expected = Zeroizing::new(respond(&self.challenge, secret.as_bytes()));
        expected.ct_eq(&self.response).into()
    }
}

/// Shows neither half: together they let anyone try secrets at leisure.
impl fmt::Debug for VncAuthProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VncAuthProof")
    }
}

/// The answer to `challenge` that proves the knowledge of `secret`.
pub(super) fn respond(challenge: &[u8; CHALLENGE_LEN], secret: &[u8]) -> [u8; CHALLENGE_LEN] {
    let mut key = Array::from([0; 8]);
    for (key_byte, secret_byte) in key.iter_mut().zip(secret) {
        // RFC 6143: the lowest bit of each byte comes first; DES ignores what then is the parity bit.
        *key_byte = secret_byte.reverse_bits();
    }
    let cipher = Des::new(&key);
    key.zeroize();
    let mut response = *challenge;
    for block in response.as_chunks_mut::<8>().0 {
        cipher.encrypt_block(block.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    /// Made with Python's `cryptography` 48: TripleDES in ECB mode with three times the same key, each byte of
    /// which has its bits reversed.
    const VECTORS: [(&str, [u64; 2]); 5] = [
        ("", [0x491e890de9ace932, 0x838a49792f2213f3]),
        ("abc", [0x9c22b4f2088c3465, 0xa1562c4b9d6edb04]),
        ("7K2M9QXZ", [0x93a05a27c7bbec06, 0x8de1ff9115ebf6ee]),
        ("7K2M9QXZ-and-more", [0x93a05a27c7bbec06, 0x8de1ff9115ebf6ee]),
        ("pässwörd", [0x7d13fc5643ca0c04, 0x8e71796fe629ecf3]),
    ];

    #[test]
    fn answers_are_those_of_another_implementation() {
        for (secret, words) in VECTORS {
            let response: Vec<u8> = words.into_iter().flat_map(u64::to_be_bytes).collect();
            assert_eq!(respond(&CHALLENGE, secret.as_bytes()).as_slice(), response, "{secret}");
        }
    }

    #[test]
    fn a_proof_matches_its_secret_alone() {
        let proof = VncAuthProof { challenge: CHALLENGE, response: respond(&CHALLENGE, b"7K2M9QXZ") };
        assert!(proof.matches("7K2M9QXZ"));
        for other in ["", "7K2M9QX", "7K2M9QXY", "8K2M9QXZ"] {
            assert!(!proof.matches(other), "{other}");
        }
        let another = VncAuthProof { challenge: [7; 16], ..proof.clone() };
        assert!(!another.matches("7K2M9QXZ"));
        assert_eq!(format!("{proof:?}"), "VncAuthProof");
    }
}
