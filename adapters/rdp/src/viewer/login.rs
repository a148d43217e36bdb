//! The name with which a viewer logs in.

/// User name and domain as a viewer sent them, in NTLM or in Client Info. What they say is the peer's: of any
/// form, though of bounded length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginName {
    /// The user name.
    pub username: String,
    /// The domain; empty when none was sent.
    pub domain: String,
}

impl LoginName {
    /// The part that a technician meant as `technician:target`.
    ///
    /// Clients insist on domains: they split `DOMAIN\technician:target` or send it whole, append a
    /// `@domain` of their own, or fill in the domain of the computer they run on. None of it names anything
    /// here, so all of it is dropped. An `@` before the colon is the technician's own, as in
    /// `alice@example.com:desk`.
    pub fn resolve(&self) -> String {
        let name = self.username.rsplit_once('\\').map_or(self.username.as_str(), |(_, name)| name);
        let target = name.rfind(':').unwrap_or_default();
        let end = name.rfind('@').filter(|at| *at > target).unwrap_or(name.len());
        name.get(..end).unwrap_or(name).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_login_means_the_same() {
        for (username, domain, resolved) in [
            ("alice:desk", "", "alice:desk"),
            ("alice:desk", "CORP", "alice:desk"),
            ("CORP\\alice:desk", "", "alice:desk"),
            ("CORP\\alice:desk", "CORP", "alice:desk"),
            ("alice:desk@corp.example", "", "alice:desk"),
            ("alice:desk@corp.example", "CORP", "alice:desk"),
            ("CORP\\alice:desk@corp.example", "", "alice:desk"),
            (".\\alice:desk", "", "alice:desk"),
            ("alice@example.com:desk", "", "alice@example.com:desk"),
            ("alice@example.com:desk@corp", "", "alice@example.com:desk"),
            ("élodie:accueil 2", "", "élodie:accueil 2"),
            ("alice:123456789", "MACHINE", "alice:123456789"),
            ("alice", "", "alice"),
            ("alice@corp", "", "alice"),
            ("@corp", "", "@corp"),
            ("", "CORP", ""),
            ("CORP\\", "", ""),
        ] {
            let login = LoginName { username: username.into(), domain: domain.into() };
            assert_eq!(login.resolve(), resolved, "{login:?}");
        }
    }
}
