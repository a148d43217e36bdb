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
