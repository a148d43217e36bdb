//! Apple Remote Desktop authentication, type 30: Diffie-Hellman, then user name and password under AES.
//!
//! ```text
//! server: generator u16 | length u16 | prime[length] | public[length]
//! client: AES-128-ECB(user name[64] | password[64]) | public[length]
//! ```
//! The AES key is the MD5 of the shared secret, which is padded with zeros on the left to `length` bytes. Both
//! texts end with a NUL; what follows it is random.

use std::str::from_utf8;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd, Resize};
use md5::{Digest, Md5};
use zeroize::{Zeroize, Zeroizing};

use super::wants::Random;

/// Length in bytes of a text's field.
const FIELD: usize = 64;
/// Length in bytes of the encrypted fields.
pub(super) const CIPHERTEXT_LEN: usize = 2 * FIELD;
/// Length in bytes of generator and length.
pub(super) const HEADER_LEN: usize = 4;

/// The group that the gateway offers, RFC 3526 section 3: a safe prime of 2048 bits, the shortest length
/// that every client in use takes.
const SERVER_PRIME: &str = concat!(
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74",
    "020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437",
    "4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed",
    "ee386bfb5a899fa5ae9f24117c4b1fe649286651ece45b3dc2007cb8a163bf05",
    "98da48361c55d39a69163fa8fd24cf5f83655d23dca3ad961c62f356208552bb",
    "9ed529077096966d670c354e4abc9804f1746c08ca18217c32905e462e36ce3b",
    "e39e772c180e86039b2783a2ec07a28fb5c55df06f4c52c9de2bcbf695581718",
    "3995497cea956ae515d2261898fa051015728e5a8aacaa68ffffffffffffffff",
);
const SERVER_GENERATOR: u16 = 2;
/// Length in bytes of [`SERVER_PRIME`].
pub(super) const SERVER_LEN: usize = 256;
/// In a group with a safe prime of 2048 bits an exponent of 256 bits is as good as a longer one (RFC 7919
/// section 5.2) and eight times as fast, which matters before authentication.
const SERVER_EXPONENT: usize = 32;

/// Lengths in bytes of the primes that are taken from a target.
const CLIENT_LENS: std::ops::RangeInclusive<usize> = 128..=1024;
/// A target's prime need not be a safe one, so that the exponent is longer than the server's; its length
/// also bounds what a target with a large prime can make us compute.
const CLIENT_EXPONENT: usize = 64;

/// A step of ARD authentication that cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArdError {
    /// The prime's length is out of bounds.
    #[error("the Diffie-Hellman prime is {0} bytes long; 128 to 1024 are accepted")]
    PrimeLength(usize),
    /// The prime is even or smaller than its length says.
    #[error("the Diffie-Hellman modulus is not a prime of the announced length")]
    NotPrime,
    /// The generator makes every key the same.
    #[error("the Diffie-Hellman generator {0} generates nothing")]
    Generator(u16),
    /// The peer's public value is not between 2 and p-2, so that the key would be known to anyone.
    #[error("the peer's Diffie-Hellman public value is out of range")]
    PublicValue,
    /// The decrypted texts are not what a client sends.
    #[error("the decrypted user name or password is not UTF-8 text")]
    NotUtf8,
    /// The user name does not fit.
    #[error("the user name is {0} bytes long; ARD authentication takes at most 63")]
    UsernameTooLong(usize),
    /// The password does not fit.
    #[error("the password is {0} bytes long; ARD authentication takes at most 63")]
    PasswordTooLong(usize),
}

/// The server's half of an exchange.
pub(super) struct ArdServer {
    group: Group,
    exponent: Zeroizing<BoxedUint>,
}

impl ArdServer {
    /// Draws a key and gives the message that starts the exchange.
    pub(super) fn start(random: Random<'_>) -> (Self, Vec<u8>) {
        let group = Group::of_server();
        let exponent = draw::<SERVER_EXPONENT>(random);
        let mut message = SERVER_GENERATOR.to_be_bytes().to_vec();
        // 256 fits.
        message.extend(u16::try_from(SERVER_LEN).unwrap_or(0).to_be_bytes());
        message.extend(&group.prime);
        message.extend(group.generate(SERVER_GENERATOR, &exponent));
        (Self { group, exponent }, message)
    }

    /// Length in bytes of the client's answer.
    pub(super) const ANSWER_LEN: usize = CIPHERTEXT_LEN + SERVER_LEN;

    /// Decrypts user name and password from the client's answer.
    pub(super) fn finish(
        self,
        answer: &[u8; Self::ANSWER_LEN],
    ) -> Result<(String, Zeroizing<String>), ArdError> {
        let (ciphertext, public) = answer.split_at(CIPHERTEXT_LEN);
        let cipher = self.group.cipher(public, &self.exponent)?;
        let mut texts = Zeroizing::new([0; CIPHERTEXT_LEN]);
        texts.copy_from_slice(ciphertext);
        for block in texts.as_chunks_mut::<16>().0 {
            cipher.decrypt_block(block.into());
        }
        let (username, password) = texts.split_at(FIELD);
        Ok((text(username)?.to_owned(), Zeroizing::new(text(password)?.to_owned())))
    }
}

/// The server's group and public value, as a client has read them.
pub(super) struct ArdClient {
    generator: u16,
    len: usize,
}

impl ArdClient {
    /// Reads generator and length.
    pub(super) fn start(header: &[u8; HEADER_LEN]) -> Result<Self, ArdError> {
        let [g1, g0, l1, l0] = *header;
        let generator = u16::from_be_bytes([g1, g0]);
        let len = usize::from(u16::from_be_bytes([l1, l0]));
        if generator < 2 {
            return Err(ArdError::Generator(generator));
        }
        if !CLIENT_LENS.contains(&len) {
            return Err(ArdError::PrimeLength(len));
        }
        Ok(Self { generator, len })
    }

    /// Length in bytes of prime and public value together.
    pub(super) const fn parameters_len(&self) -> usize {
        2 * self.len
    }

    /// The answer that carries user name and password.
    pub(super) fn finish(
        self,
        parameters: &[u8],
        username: &str,
        password: &str,
        random: Random<'_>,
    ) -> Result<Vec<u8>, ArdError> {
        if username.len() >= FIELD {
            return Err(ArdError::UsernameTooLong(username.len()));
        }
        if password.len() >= FIELD {
            return Err(ArdError::PasswordTooLong(password.len()));
        }
        let (prime, public) = parameters.split_at_checked(self.len).ok_or(ArdError::NotPrime)?;
        let group = Group::new(prime)?;
        let exponent = draw::<CLIENT_EXPONENT>(random);
        let cipher = group.cipher(public, &exponent)?;

        let mut texts = Zeroizing::new([0; CIPHERTEXT_LEN]);
        random(texts.as_mut_slice());
        let (username_field, password_field) = texts.split_at_mut(FIELD);
        for (field, text) in [(username_field, username), (password_field, password)] {
            let terminated = text.bytes().chain([0]);
            field.iter_mut().zip(terminated).for_each(|(byte, character)| *byte = character);
        }
        for block in texts.as_chunks_mut::<16>().0 {
            cipher.encrypt_block(block.into());
        }
        let mut message = texts.to_vec();
        message.extend(group.generate(self.generator, &exponent));
        Ok(message)
    }
}

/// Arithmetic modulo a prime, in time that depends on the lengths alone.
struct Group {
    prime: Vec<u8>,
    params: BoxedMontyParams,
}

impl Group {
    fn of_server() -> Self {
        let prime = BoxedUint::from_be_hex(SERVER_PRIME, 2048).expect("the constant is hexadecimal");
        let bytes = prime.to_be_bytes().into_vec();
        let params = BoxedMontyParams::new(Odd::new(prime).expect("the constant is odd"));
        Self { prime: bytes, params }
    }

    fn new(prime: &[u8]) -> Result<Self, ArdError> {
        // A prime of the announced length begins with a byte that is not 0.
        if prime.first().is_none_or(|byte| *byte == 0) {
            return Err(ArdError::NotPrime);
        }
        let number = number(prime, prime.len()).ok_or(ArdError::NotPrime)?;
        let odd: Option<Odd<BoxedUint>> = Odd::new(number).into();
        let params = BoxedMontyParams::new_vartime(odd.ok_or(ArdError::NotPrime)?);
        Ok(Self { prime: prime.to_vec(), params })
    }

    fn generate(&self, generator: u16, exponent: &BoxedUint) -> Vec<u8> {
        let generator = BoxedUint::from(generator).resize(self.params.bits_precision());
        self.power(generator, exponent).to_vec()
    }

    /// The AES key that follows from the peer's public value.
    fn cipher(&self, public: &[u8], exponent: &BoxedUint) -> Result<Aes128, ArdError> {
        let public = number(public, self.prime.len()).ok_or(ArdError::PublicValue)?;
        let one = BoxedUint::one_with_precision(self.params.bits_precision());
        let last = self.params.modulus().as_ref().wrapping_sub(&one);
        if public <= one || public >= last {
            return Err(ArdError::PublicValue);
        }
        let shared = self.power(public, exponent);
        let mut key = Md5::digest(shared.as_slice());
        let cipher = Aes128::new(&Array::from(<[u8; 16]>::from(key)));
        key.zeroize();
        Ok(cipher)
    }

    /// `base` to the power of `exponent`, big-endian, as long as the prime.
    fn power(&self, base: BoxedUint, exponent: &BoxedUint) -> Zeroizing<Vec<u8>> {
        let power = Zeroizing::new(BoxedMontyForm::new(base, &self.params).pow(exponent).retrieve());
        // The number is as wide as the prime, rounded up to whole limbs: the surplus in front is zero.
        let bytes = Zeroizing::new(power.to_be_bytes().into_vec());
        let surplus = bytes.len().saturating_sub(self.prime.len());
        Zeroizing::new(bytes.get(surplus..).unwrap_or(&[]).to_vec())
    }
}

fn number(bytes: &[u8], len: usize) -> Option<BoxedUint> {
    let bits = u32::try_from(len.checked_mul(8)?).ok()?;
    BoxedUint::from_be_slice(bytes, bits).ok()
}

/// Draws a secret exponent of `N` bytes.
fn draw<const N: usize>(random: Random<'_>) -> Zeroizing<BoxedUint> {
    let mut bytes = Zeroizing::new([0; N]);
    random(bytes.as_mut_slice());
    Zeroizing::new(BoxedUint::from_be_slice_vartime(bytes.as_slice()))
}

/// What stands before the first NUL.
fn text(field: &[u8]) -> Result<&str, ArdError> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    from_utf8(field.get(..end).unwrap_or(field)).map_err(|_| ArdError::NotUtf8)
}

#[cfg(test)]
mod tests;
