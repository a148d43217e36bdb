//! The security handshake of RFB 3.8 (RFC 6143, section 7.1.2): None and VNC authentication.

use anyhow::{Result, bail, ensure};
use des::Des;
use des::cipher::{Array, BlockCipherEncrypt, KeyInit};

use super::Viewer;

/// What a viewer logs in with.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    /// Nothing is asked for.
    None,
    /// VNC authentication with a password or ticket, of which eight characters count.
    Password(String),
}

impl Viewer {
    pub(super) fn log_in(&mut self, login: &Login) -> Result<()> {
        let count = self.array::<1>()?[0];
        ensure!(count > 0, "the server refused the connection: {}", self.reason()?);
        let mut offered = Vec::new();
        for _ in 0..count {
            offered.extend(self.array::<1>()?);
        }
        let chosen = match login {
            Login::None => 1,
            Login::Password(_) => 2,
        };
        ensure!(offered.contains(&chosen), "the server offers security types {offered:?} and not {chosen}");
        self.transport.send(&[chosen])?;
        if let Login::Password(password) = login {
            let challenge: [u8; 16] = self.array()?;
            self.transport.send(&response(password, challenge))?;
        }
        match u32::from_be_bytes(self.array()?) {
            0 => Ok(()),
            _ => bail!("the server refused the login: {}", self.reason()?),
        }
    }

    fn reason(&mut self) -> Result<String> {
        let length = usize::try_from(u32::from_be_bytes(self.array()?))?;
        ensure!(length <= 4096, "the server gave a reason of {length} bytes");
        let mut text = Vec::new();
        self.transport.consume(length, |piece| text.extend(piece))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// Both halves of the challenge under DES, with the password's bytes taken least significant bit first.
fn response(password: &str, mut challenge: [u8; 16]) -> [u8; 16] {
    let mut key = [0; 8];
    for (slot, byte) in key.iter_mut().zip(password.bytes()) {
        *slot = byte.reverse_bits();
    }
    let cipher = Des::new(&Array::from(key));
    for half in challenge.chunks_exact_mut(8) {
        let mut block = Array::try_from(&*half).unwrap_or_default();
        cipher.encrypt_block(&mut block);
        half.copy_from_slice(&block);
    }
    challenge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_is_that_of_openssl() {
        // printf '0123456789abcdef' | openssl enc -des-ecb -nopad -K <bit-reversed "vncpass1"> -provider legacy
        let expected =
            [0x56, 0x25, 0x32, 0x4f, 0x9f, 0xeb, 0x0e, 0x61, 0xe5, 0x29, 0xa1, 0x7e, 0xdd, 0x40, 0x79, 0x46];
        assert_eq!(response("vncpass1", *b"0123456789abcdef"), expected);
    }
}
