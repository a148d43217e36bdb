//! Local users' passwords.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::Secret;

/// Bytes that a password may have.
const LONGEST: usize = 1024;
/// The most memory that checking a password may take, in KiB: 256 MiB.
const MOST_MEMORY: u32 = 256 * 1024;
/// The most work that checking a password may take, in passes over that memory or in lanes.
const MOST_PASSES: u32 = 16;

/// A password or its hash cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The password is empty.
    #[error("the password is empty")]
    Empty,
    /// The password is longer than 1,024 bytes.
    #[error("the password is longer than {LONGEST} bytes")]
    TooLong,
    /// The hash is in no known form.
    #[error(
        "this is no argon2id hash: it has to begin with `$argon2id$v=19$`, as `passerelle hash-password` prints it"
    )]
    NotArgon2id,
    /// Checking a password against the hash would take too much memory or time.
    #[error(
        "the hash asks for more work than is allowed: at most m={MOST_MEMORY}, t={MOST_PASSES} and p={MOST_PASSES}"
    )]
    TooCostly,
}

/// The argon2id parameters that OWASP recommends (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane.
fn recommended() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the recommended parameters are valid");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password for the configuration with argon2id. `salt` has to be random.
///
/// # Errors
/// [`PasswordError::Empty`] and [`PasswordError::TooLong`].
pub fn hash_password(password: &Secret, salt: [u8; 16]) -> Result<PasswordHash, PasswordError> {
    match password.expose().len() {
        0 => Err(PasswordError::Empty),
        1..=LONGEST => {
            let hash = recommended()
                .hash_password_with_salt(password.expose().as_bytes(), &salt)
                .expect("valid parameters and a password of bounded length can be hashed");
            Ok(PasswordHash(hash))
        }
        _ => Err(PasswordError::TooLong),
    }
}

/// An argon2id hash of a password. Read from and written as a PHC string:
/// `$argon2id$v=19$m=19456,t=2,p=1$…$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(phc::PasswordHash);

impl PasswordHash {
    fn verify(&self, password: &Secret) -> bool {
        // The parameters of the hash apply, not those of the verifier.
        recommended().verify_password(password.expose().as_bytes(), &self.0).is_ok()
    }
}

impl FromStr for PasswordHash {
    type Err = PasswordError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hash = phc::PasswordHash::new(text).map_err(|_| PasswordError::NotArgon2id)?;
        let complete =
            hash.salt.is_some() && hash.hash.is_some() && hash.version == Some(Version::V0x13.into());
        if hash.algorithm != Algorithm::Argon2id.ident() || !complete {
            return Err(PasswordError::NotArgon2id);
        }
        let params = Params::try_from(&hash).map_err(|_| PasswordError::NotArgon2id)?;
        if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_PASSES || params.p_cost() > MOST_PASSES {
            return Err(PasswordError::TooCostly);
        }
        Ok(Self(hash))
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Checks passwords, a bounded number of them at a time, since each takes much memory and time.
#[derive(Clone)]
pub struct Passwords {
    running: Arc<Semaphore>,
    /// The hash of no password, checked for technicians who do not exist.
    nobody: PasswordHash,
}

impl Passwords {
    /// At most `concurrency` checks run at a time, at least one; others wait.
    pub fn new(concurrency: usize) -> Self {
        let nobody = hash_password(&Secret::new("nobody".to_owned()), [0; 16])
            .expect("the password of nobody is neither empty nor long");
        Self { running: Arc::new(Semaphore::new(concurrency.max(1))), nobody }
    }

    /// Tells whether `password` is the one that was hashed.
    ///
    /// Without a hash, that is for a technician who does not exist, the answer is no and takes as long as
    /// for a hash made by [`hash_password`].
    pub async fn verify(&self, password: Secret, hash: Option<PasswordHash>) -> bool {
        if password.expose().len() > LONGEST {
            return false;
        }
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else { return false };
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobody.clone());
        // The permit moves along: a check goes on, and counts, when nobody waits for it any more.
        let check = spawn_blocking(move || {
            let matches = hash.verify(&password);
            drop(permit);
            matches
        });
        // A check that could not be done has not succeeded.
        check.await.unwrap_or(false) && known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[tokio::test]
    async fn passwords_are_told_apart() {
        let hash = hash_password(&secret("correct horse"), [7; 16]).unwrap();
        assert!(hash.to_string().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let read: PasswordHash = hash.to_string().parse().unwrap();
        let passwords = Passwords::new(2);
        assert!(passwords.verify(secret("correct horse"), Some(read.clone())).await);
        assert!(!passwords.verify(secret("correct horsf"), Some(read.clone())).await);
        assert!(!passwords.verify(secret(""), Some(read)).await);
        assert!(!passwords.verify(secret("nobody"), None).await, "the password of nobody opens nothing");
        assert!(!passwords.verify(secret(&"x".repeat(LONGEST + 1)), None).await);
    }

    /// A test vector of the reference implementation.
    #[tokio::test]
    async fn hashes_of_other_tools_are_understood() {
        let hash = REFERENCE.parse().unwrap();
        assert!(Passwords::new(1).verify(secret("password"), Some(hash)).await);
    }

    const REFERENCE: &str =
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

    #[tokio::test]
    async fn checks_wait_for_each_other() {
        let passwords = Passwords::new(1);
        let held = Arc::clone(&passwords.running).acquire_owned().await.unwrap();
        let waiting = tokio::spawn({
            let passwords = passwords.clone();
            async move { passwords.verify(secret("x"), None).await }
        });
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        drop(held);
        assert!(!waiting.await.unwrap());
    }

    #[test]
    fn bad_passwords_and_hashes_are_refused() {
        assert_eq!(hash_password(&secret(""), [0; 16]), Err(PasswordError::Empty));
        assert_eq!(hash_password(&secret(&"x".repeat(LONGEST + 1)), [0; 16]), Err(PasswordError::TooLong));
        let salt_and_hash = "c29tZXNhbHQxMjM0NTY3OA$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
        for (start, error) in [
            ("$argon2i$v=19$m=4096,t=2,p=1", PasswordError::NotArgon2id),
            ("$argon2id$v=16$m=4096,t=2,p=1", PasswordError::NotArgon2id),
            ("$argon2id$m=4096,t=2,p=1", PasswordError::NotArgon2id),
            ("$argon2id$v=19$m=4,t=2,p=1", PasswordError::NotArgon2id),
            ("$argon2id$v=19$m=262145,t=2,p=1", PasswordError::TooCostly),
            ("$argon2id$v=19$m=4096,t=17,p=1", PasswordError::TooCostly),
            ("$argon2id$v=19$m=4096,t=2,p=17", PasswordError::TooCostly),
            ("secret", PasswordError::NotArgon2id),
        ] {
            let text = format!("{start}${salt_and_hash}");
            assert_eq!(text.parse::<PasswordHash>(), Err(error), "{text}");
        }
        assert!(format!("$argon2id$v=19$m=4096,t=2,p=1${salt_and_hash}").parse::<PasswordHash>().is_ok());
        assert_eq!("$argon2id$v=19$m=4096,t=2,p=1".parse::<PasswordHash>(), Err(PasswordError::NotArgon2id));
        assert_eq!("".parse::<PasswordHash>(), Err(PasswordError::NotArgon2id));
    }
}
