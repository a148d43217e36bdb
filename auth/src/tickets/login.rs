//! What technicians enter as the user name.

use std::fmt;

use crate::Login;

/// Bytes that a technician's or a target's name may have.
const LONGEST: usize = 128;

/// A text is no `technician:target`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// There is no colon.
    #[error("the user name has no colon: `technician:target` is expected")]
    NoColon,
    /// There is more than one colon.
    #[error("the user name has more than one colon: `technician:target` is expected")]
    ManyColons,
    /// Nothing stands before the colon.
    #[error("the user name has no technician before the colon")]
    NoTechnician,
    /// Nothing stands behind the colon.
    #[error("the user name has no target behind the colon")]
    NoTarget,
    /// A name is longer than 128 bytes.
    #[error("the user name has a part of more than {LONGEST} bytes")]
    TooLong,
    /// A name has a control character, such as a line break.
    #[error("the user name has a control character")]
    ControlCharacter,
}

impl Login {
    /// Reads `technician:target`. Spaces around either name are ignored, and so is a domain before them
    /// (`CORP\technician:target`).
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn parse(text: &str) -> Result<Self, LoginError> {
        let (technician, target) = text.split_once(':').ok_or(LoginError::NoColon)?;
        let technician = technician.rsplit_once('\\').map_or(technician, |(_, technician)| technician);
        Self::new(technician.trim_matches(' '), target.trim_matches(' '))
    }

    /// Puts two names together, if the result can be read again.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub fn new(technician: &str, target: &str) -> Result<Self, LoginError> {
        if technician.is_empty() {
            return Err(LoginError::NoTechnician);
        }
        if target.is_empty() {
            return Err(LoginError::NoTarget);
        }
        for name in [technician, target] {
            if name.len() > LONGEST {
                return Err(LoginError::TooLong);
            }
            if name.contains(':') {
                return Err(LoginError::ManyColons);
            }
            if name.contains(char::is_control) {
                return Err(LoginError::ControlCharacter);
            }
        }
        Ok(Self { technician: technician.to_owned(), target: target.to_owned() })
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.technician, self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_technician_and_target() {
        for text in [
            "alice:front-desk",
            "  alice:front-desk ",
            "alice : front-desk",
            "CORP\\alice:front-desk",
            ".\\alice:front-desk",
        ] {
            let login = Login::parse(text).unwrap();
            assert_eq!((login.technician.as_str(), login.target.as_str()), ("alice", "front-desk"));
            assert_eq!(login.to_string(), "alice:front-desk");
        }
        assert_eq!(Login::parse("élodie:accueil 2").unwrap().target, "accueil 2");
    }

    #[test]
    fn says_what_is_wrong() {
        let long = format!("alice:{}", "x".repeat(129));
        for (text, error) in [
            ("", LoginError::NoColon),
            ("alice", LoginError::NoColon),
            (":", LoginError::NoTechnician),
            (" :front-desk", LoginError::NoTechnician),
            ("CORP\\:front-desk", LoginError::NoTechnician),
            ("alice: ", LoginError::NoTarget),
            ("alice:front:desk", LoginError::ManyColons),
            ("alice:front\ndesk", LoginError::ControlCharacter),
            ("al\0ice:front-desk", LoginError::ControlCharacter),
            (&long, LoginError::TooLong),
        ] {
            assert_eq!(Login::parse(text), Err(error), "{text:?}");
        }
    }
}
