//! Local users who log in with a password, and a second factor behind it where they have one.

mod refusal;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

pub use refusal::AccountRefusal;

use crate::totp::Accepted;
use crate::{
    AttemptKey, Document, DocumentKind, Expect, Identity, LockoutPolicy, Method, PasswordHash, Passwords,
    Put, Secret, Store, Timestamp, Totp,
};

/// A local user.
#[derive(Clone, Debug)]
pub struct Account {
    /// The name. Clients may write its ASCII letters in any case.
    pub name: String,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// What the password is checked against; without it the user has no password to log in with.
    pub password: Option<PasswordHash>,
    /// The second factor, which then has to be given with every password.
    pub totp: Option<Totp>,
}

/// Checks passwords of local users, with lockout.
///
/// Clients have one field for the password. A user with a second factor enters the code directly behind the
/// password (`hunter2123456`), or a recovery code (`hunter2ABCD-EFGH-JKMN-PQRS`).
///
/// An attempt counts as a failure before it is looked at and is forgiven when it was right, so that of any
/// number of attempts at the same time no more are looked at than of as many in a row. Whether a user exists,
/// has a password, or gave the wrong factor makes no difference to the answer, nor to the time it takes. A code
/// is good once: neither it nor an earlier one is taken again (RFC 6238 section 5.2).
#[derive(Clone)]
pub struct Accounts {
    by_name: Arc<HashMap<String, Account>>,
    any_password: bool,
    passwords: Passwords,
    store: Arc<dyn Store>,
    lockout: LockoutPolicy,
}

impl Accounts {
    /// The users that are known from now on. `passwords` bounds the checks that run at the same time.
    pub fn new(
        accounts: impl IntoIterator<Item = Account>,
        passwords: Passwords,
        store: Arc<dyn Store>,
        lockout: LockoutPolicy,
    ) -> Self {
        let by_name = accounts.into_iter().map(|account| (account.name.to_ascii_lowercase(), account));
        let by_name: HashMap<_, _> = by_name.collect();
        let any_password = by_name.values().any(|account| account.password.is_some());
        Self { by_name: Arc::new(by_name), any_password, passwords, store, lockout }
    }

    /// Whether any user could log in with a password.
    pub fn any_password(&self) -> bool {
        self.any_password
    }

    /// The groups of this user, if there is one.
    pub fn groups(&self, name: &str) -> Option<&[String]> {
        self.find(name).map(|account| account.groups.as_slice())
    }

    /// Checks what somebody who says to be `name` entered as the password.
    ///
    /// # Errors
    /// See [`AccountRefusal`].
    pub async fn log_in(
        &self,
        name: &str,
        entered: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Identity, AccountRefusal> {
        let keys = [AttemptKey::address(address), AttemptKey::identity(name), AttemptKey::Global];
        if let Some(locked) = self.store.fail(&keys, &self.lockout, now).await? {
            return Err(AccountRefusal::Locked(locked));
        }
        self.log_in_counted(name, entered, &keys, now).await
    }

    /// The same for an attempt that was counted as a failure of `keys` already.
    pub(crate) async fn log_in_counted(
        &self,
        name: &str,
        entered: &Secret,
        keys: &[AttemptKey],
        now: Timestamp,
    ) -> Result<Identity, AccountRefusal> {
        let identity = self.check(name, entered, now).await?;
        self.store.forgive(keys, &self.lockout, now).await?;
        Ok(identity)
    }

    async fn check(&self, name: &str, entered: &Secret, now: Timestamp) -> Result<Identity, AccountRefusal> {
        let account = self.find(name);
        let totp = account.and_then(|account| account.totp.as_ref());
        let parts = totp.map(|totp| totp.split(entered.expose()));
        let password = match parts {
            Some(Some((password, _))) => Secret::new(password.to_owned()),
            Some(None) | None => entered.clone(),
        };
        let hash = account.and_then(|account| account.password.clone());
        let right = self.passwords.verify(password, hash).await;
        let Some(account) = account else { return Err(AccountRefusal::Unknown) };
        if account.password.is_none() {
            return Err(AccountRefusal::NoPassword);
        }
        if !right {
            return Err(AccountRefusal::WrongPassword);
        }
        if let Some(totp) = totp {
            let (_, code) = parts.flatten().ok_or(AccountRefusal::NoCode)?;
            let accepted = totp.check(code, now).ok_or(AccountRefusal::WrongCode)?;
            self.use_up(account, totp, &accepted, now).await?;
        }
        Ok(Identity {
            technician: account.name.clone(),
            groups: account.groups.clone(),
            issuer: None,
            method: Method::Password,
            second_factor: totp.is_some(),
            permissions: None,
            target: None,
        })
    }

    /// Makes sure that a code or recovery code is taken once.
    async fn use_up(
        &self,
        account: &Account,
        totp: &Totp,
        accepted: &Accepted,
        now: Timestamp,
    ) -> Result<(), AccountRefusal> {
        let name = account.name.to_ascii_lowercase();
        let (document, expect) = match accepted {
            Accepted::Recovery(hash) => {
                let key = format!("{name}/{hash}");
                let kind = DocumentKind::RecoveryCode;
                (Document { kind, key, value: Vec::new(), expires_at: None }, Expect::Absent)
            }
            Accepted::Step(step) => {
                let kind = DocumentKind::OtpStep;
                let last = self.store.get(kind, &name, now).await?;
                let used = last.as_ref().and_then(|last| last.value.as_slice().try_into().ok());
                if used.is_some_and(|used| *step <= u64::from_be_bytes(used)) {
                    return Err(AccountRefusal::UsedCode);
                }
                let expect = last.map_or(Expect::Absent, |last| Expect::Version(last.version));
                let expires_at = Some(totp.forgotten(*step));
                (Document { kind, key: name, value: step.to_be_bytes().to_vec(), expires_at }, expect)
            }
        };
        if self.store.put(&document, expect, now).await? == Put::Conflict {
            return Err(AccountRefusal::UsedCode);
        }
        // A code that was used before the store began to remember cannot be told from one that was not. Recovery
        // codes have no age; that they may be used again after such a loss is the lesser evil.
        match accepted {
            Accepted::Step(step) if totp.is_before(*step, self.store.since(now).await?) => {
                Err(AccountRefusal::ForgottenCode)
            }
            _ => Ok(()),
        }
    }

    fn find(&self, name: &str) -> Option<&Account> {
        self.by_name.get(&name.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests;
