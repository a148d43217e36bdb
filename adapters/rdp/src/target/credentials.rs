//! What a target is told about who we are.

use std::fmt;

use zeroize::Zeroizing;

/// The longest user name, domain or password in UTF-16 units (MS-RDPBCGR 2.2.1.11.1.1: 512 bytes with the
/// terminator).
const LONGEST: usize = 255;

/// What a target is told about who we are.
#[derive(Clone, Default)]
pub struct TargetCredentials {
    /// User name, if the target is to get one; also as `DOMAIN\user` or `user@domain`.
    pub username: Option<String>,
    /// Password, if the target is to get one.
    pub password: Option<Zeroizing<String>>,
    /// Domain of the account; not needed for one of the target's own.
    pub domain: Option<String>,
}

impl TargetCredentials {
    /// Domain, user name and password, when both of the latter are there. `DOMAIN\user` is taken apart.
    pub(super) fn complete(&self) -> Option<Account<'_>> {
        let (username, password) = (self.username.as_deref()?, self.password.as_ref()?);
        let (domain, username) = match (self.domain.as_deref(), username.split_once('\\')) {
            (None | Some(""), Some((domain, username))) => (domain, username),
            (domain, _) => (domain.unwrap_or_default(), username),
        };
        Some(Account { domain, username, password })
    }

    /// Whether RDP can carry them.
    pub(super) fn check(&self) -> Result<(), CredentialsError> {
        let password = self.password.as_ref().map(|password| password.as_str());
        for (what, text) in [
            ("user name", self.username.as_deref()),
            ("domain", self.domain.as_deref()),
            ("password", password),
        ] {
            let text = text.unwrap_or_default();
            if text.encode_utf16().count() > LONGEST {
                return Err(CredentialsError::TooLong(what));
            }
            if text.contains('\0') {
                return Err(CredentialsError::Nul(what));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for TargetCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetCredentials")
            .field("username", &self.username)
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

/// An account on the target, with its password.
pub(super) struct Account<'a> {
    pub(super) domain: &'a str,
    pub(super) username: &'a str,
    pub(super) password: &'a str,
}

/// Credentials that cannot be used as they are configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// NLA without them.
    #[error("NLA needs a user name and a password for the target; configure both, or allow TLS without NLA")]
    Missing,
    /// Longer than its field.
    #[error("the target's {0} is longer than the 255 UTF-16 units that RDP carries")]
    TooLong(&'static str),
    /// A NUL would end it early.
    #[error("the target's {0} contains a NUL character")]
    Nul(&'static str),
    /// User name and domain in a form that NTLM does not know.
    #[error(
        "the target's user name and domain do not fit together; write the user name alone, `DOMAIN\\user` or \
         `user@domain`, the first also beside a domain"
    )]
    Name,
    /// The NTLM implementation would take it for a hash.
    #[error("a password that begins with `$NTLM$:` cannot be used with NLA; change the target's password")]
    LooksLikeHash,
    /// The viewer does not speak Unicode.
    #[error(
        "the viewer does not speak Unicode, in which the target's credentials would have to be sent; use \
         another client, or credentials of ASCII characters"
    )]
    NotAscii,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(domain: Option<&str>, username: &str) -> TargetCredentials {
        TargetCredentials {
            username: Some(username.into()),
            password: Some("correct horse".to_owned().into()),
            domain: domain.map(Into::into),
        }
    }

    #[test]
    fn names_are_taken_apart() {
        for (domain, username, expected) in [
            (None, "alice", ("", "alice")),
            (None, "CORP\\alice", ("CORP", "alice")),
            (Some(""), "CORP\\alice", ("CORP", "alice")),
            (Some("CORP"), "alice", ("CORP", "alice")),
            (None, "alice@corp.example", ("", "alice@corp.example")),
        ] {
            let credentials = of(domain, username);
            let account = credentials.complete().unwrap();
            assert_eq!((account.domain, account.username), expected);
        }
        assert!(TargetCredentials { password: None, ..of(None, "alice") }.complete().is_none());
        assert!(TargetCredentials { username: None, ..of(None, "alice") }.complete().is_none());
    }

    #[test]
    fn what_no_field_holds_is_refused() {
        assert_eq!(of(None, &"a".repeat(255)).check(), Ok(()));
        assert_eq!(of(None, &"a".repeat(256)).check(), Err(CredentialsError::TooLong("user name")));
        // Two UTF-16 units each.
        assert_eq!(of(Some(&"𝄞".repeat(128)), "a").check(), Err(CredentialsError::TooLong("domain")));
        assert_eq!(of(None, "a\0b").check(), Err(CredentialsError::Nul("user name")));
    }

    #[test]
    fn debug_hides_the_password() {
        let text = format!("{:?}", of(Some("CORP"), "alice"));
        assert!(text.contains("alice") && !text.contains("horse"), "{text}");
    }
}
