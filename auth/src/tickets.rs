//! Tickets: one-time secrets that let a technician into one target.

mod login;
mod pepper;
mod refusal;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use passerelle_desktop::Permissions;

pub use login::LoginError;
pub use pepper::{Pepper, PepperError};
pub use refusal::Refusal;

use crate::{
    AttemptKey, Claim, Claimant, Fence, Issue, LockoutPolicy, Login, Outcome, Random, Secret, Store,
    StoreError, Ticket, TicketId, TicketKey, TicketRecord, Timestamp, crockford,
};
use pepper::TicketKeys;

/// Bytes of randomness in a ticket, 80 bits: enough against guessing offline.
const TICKET_BYTES: usize = 10;
/// Bytes of randomness in a VncAuth password, 40 bits: all that its 8 characters hold.
const VNC_BYTES: usize = 5;
/// Characters of a ticket.
const TICKET_SYMBOLS: usize = 16;
/// Characters of a VncAuth password.
const VNC_SYMBOLS: usize = 8;
/// How often issuing is tried when a new secret is also another ticket's, which a sound random source
/// makes happen once in 2^40 divided by the number of kept tickets.
const TRIES: usize = 3;

/// Issues tickets and redeems them.
///
/// A ticket has two secrets: one of 16 characters of Crockford's base32 (80 bits) for methods that carry
/// user names, and one of 8 (40 bits) for VncAuth, which carries nothing else. Either uses up the ticket.
///
/// Failed attempts are counted by address, by identity and for everybody together; the
/// [`LockoutPolicy`] says what follows. Only wrong guesses count: whoever presents a used, expired or
/// withdrawn ticket knew its secret.
#[derive(Clone)]
pub struct Tickets {
    store: Arc<dyn Store>,
    keys: Arc<TicketKeys>,
    policy: TicketPolicy,
    lockout: LockoutPolicy,
}

/// What holds for every ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketPolicy {
    /// How long a ticket may wait to be used.
    pub life: Duration,
}

impl Default for TicketPolicy {
    /// 60 seconds.
    fn default() -> Self {
        Self { life: Duration::from_secs(60) }
    }
}

/// What a new ticket shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTicket {
    /// Who may use it.
    pub technician: String,
    /// For which target.
    pub target: String,
    /// What the session may do at most, beyond which the rules grant nothing; nothing given means
    /// whatever the rules grant.
    pub permissions: Option<Permissions>,
    /// The only address from which it may be used, if it is to be bound to one.
    pub address: Option<IpAddr>,
}

/// A new ticket with its secrets, which are shown once.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Its name in the audit log.
    pub id: TicketId,
    /// What to enter as the user name: `alice:front-desk`.
    pub username: String,
    /// What to enter as the password next to the user name: 16 characters.
    pub ticket: Secret,
    /// What to enter where only a password is asked for (VncAuth): 8 characters.
    pub vnc_password: Secret,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// A ticket could not be issued.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The names cannot be entered in a client.
    #[error(transparent)]
    Name(#[from] LoginError),
    /// New secrets were always those of other tickets.
    #[error("the random source repeats itself: no ticket was issued")]
    Randomness,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A ticket that has just been used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redeemed {
    /// The number of the claim.
    pub fence: Fence,
    /// What the ticket says: who, where to, and what at most.
    pub ticket: Ticket,
}

impl Tickets {
    /// A service over a store. All nodes that share the store need the same pepper.
    pub fn new(store: Arc<dyn Store>, pepper: &Pepper, policy: TicketPolicy, lockout: LockoutPolicy) -> Self {
        Self { store, keys: Arc::new(TicketKeys::derive(pepper)), policy, lockout }
    }

    /// Issues a ticket.
    ///
    /// # Errors
    /// See [`IssueError`]. Whether the technician and the target exist is the caller's to know.
    pub async fn issue(
        &self,
        new: &NewTicket,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Issued, IssueError> {
        let username = Login::new(&new.technician, &new.target)?.to_string();
        let expires_at = now.saturating_add(self.policy.life);
        for _ in 0..TRIES {
            let id = TicketId::new(now, random);
            let ticket = Secret::new(draw::<TICKET_BYTES>(random));
            let vnc_password = Secret::new(draw::<VNC_BYTES>(random));
            let record = TicketRecord {
                ticket: Ticket {
                    id,
                    technician: new.technician.clone(),
                    target: new.target.clone(),
                    permissions: new.permissions,
                    address: new.address,
                    issued_at: now,
                    expires_at,
                },
                digests: vec![self.keys.digest(ticket.expose()), self.keys.digest(vnc_password.expose())],
                sealed: Some(self.keys.seal(id, &vnc_password, random)),
            };
            if self.store.issue(&record, now).await? == Issue::Issued {
                return Ok(Issued { id, username, ticket, vnc_password, expires_at });
            }
        }
        Err(IssueError::Randomness)
    }

    /// Redeems a user name and a password. `login` is `technician:target`; `secret` is either secret of
    /// the ticket, in any case, with O for 0, I and L for 1, and hyphens and spaces where people put them.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn redeem_password(
        &self,
        login: &str,
        secret: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let parsed = Login::parse(login);
        let mut keys = vec![AttemptKey::address(address), AttemptKey::Global];
        keys.extend(parsed.as_ref().ok().map(|login| AttemptKey::identity(&login.technician)));
        self.unlocked(&keys, now).await?;

        let login = match parsed {
            Ok(login) => login,
            Err(error) => return self.wrong(&keys, Refusal::Login(error), now).await,
        };
        let Some(digest) = self.keys.digest_of_entered(secret) else {
            return self.wrong(&keys, Refusal::NoTicket, now).await;
        };
        let claimant = Claimant { address, login: Some(login) };
        self.claim(&TicketKey::Digest(digest), &claimant, &keys, now).await
    }

    /// Redeems a VncAuth response. `matches` tells whether a password gives the response that the client
    /// sent; it is asked about every live ticket whatever it answers, so that the time taken tells nothing
    /// but their number.
    ///
    /// VncAuth encrypts with the very characters that were typed, so each password is tried as it was
    /// issued and in lower case. That makes no guess worth more: one that is right in one spelling is
    /// wrong in the other.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn redeem_vnc(
        &self,
        matches: &mut (dyn FnMut(&str) -> bool + Send),
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let keys = [AttemptKey::address(address), AttemptKey::Global];
        self.unlocked(&keys, now).await?;

        let mut found = None;
        for candidate in self.store.candidates(now).await? {
            // A secret sealed under another pepper is another gateway's and opens nothing here.
            let Some(password) = self.keys.open(&candidate) else { continue };
            let as_issued = matches(password.expose());
            let in_lower_case = matches(Secret::new(password.expose().to_ascii_lowercase()).expose());
            if as_issued | in_lower_case {
                found = Some(candidate.id);
            }
        }
        match found {
            Some(id) => self.claim(&TicketKey::Id(id), &Claimant { address, login: None }, &keys, now).await,
            None => self.wrong(&keys, Refusal::Unknown, now).await,
        }
    }

    async fn unlocked(&self, keys: &[AttemptKey], now: Timestamp) -> Result<(), Refusal> {
        match self.store.locked(keys, now).await? {
            Some(locked) => Err(Refusal::Locked(locked)),
            None => Ok(()),
        }
    }

    async fn claim(
        &self,
        key: &TicketKey,
        claimant: &Claimant,
        keys: &[AttemptKey],
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let (fence, ticket) = match self.store.claim(key, claimant, now).await? {
            Claim::Claimed { fence, ticket } => (fence, ticket),
            Claim::Used { ticket, by, at } => return Err(Refusal::Used { ticket, by, at }),
            Claim::Expired { ticket } => return Err(Refusal::Expired { ticket }),
            Claim::Withdrawn { ticket } => return Err(Refusal::Withdrawn { ticket }),
            Claim::OtherAddress { ticket } => return Err(Refusal::OtherAddress { ticket }),
            Claim::OtherLogin { ticket } => {
                return self.wrong(keys, Refusal::OtherLogin { ticket }, now).await;
            }
            Claim::Unknown => return self.wrong(keys, Refusal::Unknown, now).await,
        };
        let keys = [AttemptKey::address(claimant.address), AttemptKey::identity(&ticket.technician)];
        self.store.attempt(&keys, Outcome::Success, &self.lockout, now).await?;
        Ok(Redeemed { fence, ticket })
    }

    /// Counts a wrong guess, then refuses it.
    async fn wrong(
        &self,
        keys: &[AttemptKey],
        refusal: Refusal,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        self.store.attempt(keys, Outcome::Failure, &self.lockout, now).await?;
        Err(refusal)
    }
}

fn draw<const N: usize>(random: Random<'_>) -> String {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    random(bytes.as_mut_slice());
    crockford::encode(&bytes)
}

#[cfg(test)]
mod tests;
