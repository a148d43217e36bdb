//! VeNCrypt's Plain message: user name and password behind their lengths.

use std::str::from_utf8;

use zeroize::Zeroizing;

/// The longest user name that is read or sent, in bytes.
pub const MAX_USERNAME: usize = 1024;
/// The longest password that is read or sent, in bytes: a JWT fits.
pub const MAX_PASSWORD: usize = 4096;

/// User name and password that are no acceptable Plain message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    /// The user name is too long.
    #[error("the user name is {0} bytes long; at most {MAX_USERNAME} are taken")]
    UsernameTooLong(usize),
    /// The password is too long.
    #[error("the password is {0} bytes long; at most {MAX_PASSWORD} are taken")]
    PasswordTooLong(usize),
    /// Not UTF-8.
    #[error("user name or password is not UTF-8 text")]
    NotUtf8,
}

/// Reads the message's first 8 bytes: the lengths in bytes of user name and password.
pub(super) fn lengths(header: &[u8; 8]) -> Result<(usize, usize), PlainError> {
    let [u0, u1, u2, u3, p0, p1, p2, p3] = *header;
    let username = usize::try_from(u32::from_be_bytes([u0, u1, u2, u3])).unwrap_or(usize::MAX);
    let password = usize::try_from(u32::from_be_bytes([p0, p1, p2, p3])).unwrap_or(usize::MAX);
    check(username, password)?;
    Ok((username, password))
}

/// Splits what follows the lengths.
pub(super) fn credentials(
    bytes: &[u8],
    username_len: usize,
) -> Result<(String, Zeroizing<String>), PlainError> {
    let (username, password) = bytes.split_at_checked(username_len).ok_or(PlainError::NotUtf8)?;
    let username = from_utf8(username).map_err(|_| PlainError::NotUtf8)?.to_owned();
    let password = from_utf8(password).map_err(|_| PlainError::NotUtf8)?.to_owned();
    Ok((username, Zeroizing::new(password)))
}

/// The whole message.
pub(super) fn message(username: &str, password: &str) -> Result<Vec<u8>, PlainError> {
    check(username.len(), password.len())?;
    let mut message = Vec::with_capacity(8 + username.len() + password.len());
    // `check` bounds both lengths.
    message.extend(u32::try_from(username.len()).unwrap_or(0).to_be_bytes());
    message.extend(u32::try_from(password.len()).unwrap_or(0).to_be_bytes());
    message.extend(username.as_bytes());
    message.extend(password.as_bytes());
    Ok(message)
}

fn check(username: usize, password: usize) -> Result<(), PlainError> {
    if username > MAX_USERNAME {
        return Err(PlainError::UsernameTooLong(username));
    }
    if password > MAX_PASSWORD {
        return Err(PlainError::PasswordTooLong(password));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_read() {
        let message = message("alice:front-desk", "tïcket").unwrap();
        assert_eq!(&message[..12], b"\0\0\0\x10\0\0\0\x07alic");
        let (username_len, password_len) = lengths(message[..8].try_into().unwrap()).unwrap();
        assert_eq!(message.len(), 8 + username_len + password_len);
        let (username, password) = credentials(&message[8..], username_len).unwrap();
        assert_eq!((username.as_str(), password.as_str()), ("alice:front-desk", "tïcket"));
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(lengths(&[0, 0, 4, 0, 0, 0, 16, 0]), Ok((1024, 4096)));
        assert_eq!(lengths(&[0, 0, 4, 1, 0, 0, 16, 0]), Err(PlainError::UsernameTooLong(1025)));
        assert_eq!(lengths(&[0, 0, 4, 0, 0, 0, 16, 1]), Err(PlainError::PasswordTooLong(4097)));
        assert_eq!(lengths(&[0xff; 8]), Err(PlainError::UsernameTooLong(0xffff_ffff)));
        assert_eq!(message(&"a".repeat(1025), ""), Err(PlainError::UsernameTooLong(1025)));
    }

    #[test]
    fn other_encodings_are_refused() {
        assert_eq!(credentials(b"caf\xe9secret", 4), Err(PlainError::NotUtf8));
        assert_eq!(credentials(b"cafesecr\xe9t", 4), Err(PlainError::NotUtf8));
    }
}
