//! Why a password was refused.

use crate::{Locked, StoreError};

/// Why a password was refused: for the audit log, not for the technician.
#[derive(Debug, thiserror::Error)]
pub enum AccountRefusal {
    /// Too many failures; what was presented was not looked at.
    #[error("{} is locked until {} after too many failed attempts", .0.key, .0.until)]
    Locked(Locked),
    /// Nobody has this name.
    #[error("there is no such user")]
    Unknown,
    /// The user has no password.
    #[error("the user has no password")]
    NoPassword,
    /// The password is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// The password is right, but no code stands behind it.
    #[error("the password has no code of the second factor behind it")]
    NoCode,
    /// The password is right, but the code behind it is not.
    #[error("the code of the second factor is wrong")]
    WrongCode,
    /// The code was right, and was used before or is older than one that was.
    #[error("the code of the second factor was used before")]
    UsedCode,
    /// The code was right, but may have been used before the store lost its memory.
    #[error(
        "the code of the second factor is older than what the store remembers; wait for the next but one"
    )]
    ForgottenCode,
    /// The store failed, so nothing can be said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountRefusal {
    /// What the technician is told. The same for every refusal that depends on what was presented, so that it
    /// does not help guessing.
    pub const fn for_technician(&self) -> &'static str {
        match self {
            Self::Store(_) => "The gateway cannot check passwords at the moment. Try again in a minute.",
            _ => {
                "The user name, the password or the code is not valid. Wait for the next code and try again."
            }
        }
    }

    /// A word for the audit log that stays the same from version to version.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked(_) => "locked",
            Self::Unknown => "unknown_user",
            Self::NoPassword => "no_password",
            Self::WrongPassword => "wrong_password",
            Self::NoCode => "no_code",
            Self::WrongCode => "wrong_code",
            Self::UsedCode => "used_code",
            Self::ForgottenCode => "forgotten_code",
            Self::Store(_) => "store_failed",
        }
    }
}
