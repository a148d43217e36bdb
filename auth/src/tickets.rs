//! Tickets: one-time secrets that let a technician into one target.

mod login;
mod nla;
mod pepper;
mod refusal;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use passerelle_desktop::Permissions;

pub use login::LoginError;
pub use nla::NlaCandidates;
pub use pepper::{Pepper, PepperError};
pub use refusal::Refusal;

use crate::{
    AttemptKey, Claim, Claimant, Fence, Issue, LockoutPolicy, Login, Random, Secret, Store, StoreError,
    Ticket, TicketContext, TicketId, TicketKey, TicketRecord, Timestamp, crockford,
};
use pepper::{Opened, TicketKeys};

/// What a reference to a ticket begins with, so that it is told from other routing tokens.
pub const REFERENCE_PREFIX: &str = "passerelle-";

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
/// user names, and one of 8 (40 bits) for VncAuth, which carries nothing else. It may have a third, a
/// reference, for the places of the RDP handshake that are in clear. Either uses up the ticket.
///
/// RDP clients reconnect within seconds: over RDP a used ticket lets the client in again from the same
/// address for [`RESUME_WINDOW`](crate::RESUME_WINDOW), and [`Redeemed::resumed`] tells so.
///
/// Failed attempts are counted by address, by identity and for everybody together; the
/// [`LockoutPolicy`] says what follows. Only wrong guesses count: whoever presents a used, expired or
/// withdrawn ticket knew its secret. Of any number of attempts at the same time no more can succeed than of
/// as many in a row.
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
    /// What is known now and the rules may ask for when it is used.
    pub context: TicketContext,
    /// Whether it gets a reference, for a `.rdp` file.
    pub reference: bool,
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
    /// What a `.rdp` file carries instead of a secret, if it was asked for: [`REFERENCE_PREFIX`] and 26
    /// characters of 128 random bits. Clients send it in clear.
    pub reference: Option<Secret>,
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
    /// Whether it was used a moment ago from the same address, so that the session that began then goes on.
    pub resumed: bool,
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
            let secrets = Opened { ticket, vnc_password };
            let reference = new.reference.then(|| draw_reference(random));
            let shown = [Some(&secrets.ticket), Some(&secrets.vnc_password), reference.as_ref()];
            let record = TicketRecord {
                ticket: Ticket {
                    id,
                    technician: new.technician.clone(),
                    target: new.target.clone(),
                    permissions: new.permissions,
                    address: new.address,
                    issued_at: now,
                    expires_at,
                    context: new.context.clone(),
                },
                digests: shown
                    .into_iter()
                    .flatten()
                    .map(|secret| self.keys.digest(secret.expose()))
                    .collect(),
                sealed: Some(self.keys.seal(id, &secrets, random)),
            };
            if self.store.issue(&record, now).await? == Issue::Issued {
                let Opened { ticket, vnc_password } = secrets;
                return Ok(Issued { id, username, ticket, vnc_password, reference, expires_at });
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
        self.redeem_typed(login, secret, address, false, now).await
    }

    /// Like [`redeem_password`](Self::redeem_password), for the user name and password of an RDP client
    /// (Client Info, MS-RDPBCGR 2.2.1.11), which may come back within a moment.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn redeem_rdp_password(
        &self,
        login: &str,
        secret: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        self.redeem_typed(login, secret, address, true, now).await
    }

    /// Redeems the reference of a routing token or preconnection blob, with or without the spaces and the
    /// line's end around it. It names nobody; who may do what stands in the ticket.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn redeem_reference(
        &self,
        reference: &str,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let claimant = Claimant { address, login: None, resume: true };
        match self.keys.digest_of_reference(reference) {
            Some(digest) => self.claim(&TicketKey::Digest(digest), &claimant, now).await,
            None => Err(self.wrong(&claimant.attempt_keys(), Refusal::NoReference, now).await),
        }
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
        let claimant = Claimant { address, login: None, resume: false };
        let keys = claimant.attempt_keys();
        self.unlocked(&keys, now).await?;

        let mut found = None;
        for candidate in self.store.candidates(None, now).await? {
            // Secrets sealed under another pepper are another gateway's and open nothing here.
            let Some(Opened { vnc_password, .. }) = self.keys.open(&candidate) else { continue };
            let as_issued = matches(vnc_password.expose());
            let in_lower_case = matches(Secret::new(vnc_password.expose().to_ascii_lowercase()).expose());
            if as_issued | in_lower_case {
                found = Some(candidate.id);
            }
        }
        match found {
            Some(id) => self.claim(&TicketKey::Id(id), &claimant, now).await,
            None => Err(self.wrong(&keys, Refusal::Unknown, now).await),
        }
    }

    async fn redeem_typed(
        &self,
        login: &str,
        secret: &str,
        address: IpAddr,
        resume: bool,
        now: Timestamp,
    ) -> Result<Redeemed, Refusal> {
        let parsed = Login::parse(login);
        let claimant = Claimant { address, login: parsed.as_ref().ok().cloned(), resume };
        let refusal = match (parsed, self.keys.digest_of_entered(secret)) {
            (Ok(_), Some(digest)) => return self.claim(&TicketKey::Digest(digest), &claimant, now).await,
            (Err(error), _) => Refusal::Login(error),
            (_, None) => Refusal::NoTicket,
        };
        Err(self.wrong(&claimant.attempt_keys(), refusal, now).await)
    }

    async fn unlocked(&self, keys: &[AttemptKey], now: Timestamp) -> Result<(), Refusal> {
        match self.store.locked(keys, now).await? {
            Some(locked) => Err(Refusal::Locked(locked)),
            None => Ok(()),
        }
    }

    async fn claim(&self, key: &TicketKey, claimant: &Claimant, now: Timestamp) -> Result<Redeemed, Refusal> {
        Err(match self.store.claim(key, claimant, &self.lockout, now).await? {
            Claim::Claimed { fence, ticket } => return Ok(Redeemed { fence, ticket, resumed: false }),
            Claim::Resumed { fence, ticket, .. } => return Ok(Redeemed { fence, ticket, resumed: true }),
            Claim::Locked(locked) => Refusal::Locked(locked),
            Claim::Used { ticket, by, at } => Refusal::Used { ticket, by, at },
            Claim::Expired { ticket } => Refusal::Expired { ticket },
            Claim::Withdrawn { ticket } => Refusal::Withdrawn { ticket },
            Claim::OtherAddress { ticket } => Refusal::OtherAddress { ticket },
            Claim::OtherLogin { ticket } => Refusal::OtherLogin { ticket },
            Claim::Unknown => Refusal::Unknown,
        })
    }

    /// Counts a wrong guess and says what becomes of it: `refusal`, unless somebody else's failure came
    /// first and locked the way.
    async fn wrong(&self, keys: &[AttemptKey], refusal: Refusal, now: Timestamp) -> Refusal {
        match self.store.fail(keys, &self.lockout, now).await {
            Ok(None) => refusal,
            Ok(Some(locked)) => Refusal::Locked(locked),
            Err(error) => Refusal::Store(error),
        }
    }
}

fn draw_reference(random: Random<'_>) -> Secret {
    let mut bytes = zeroize::Zeroizing::new([0; 16]);
    random(bytes.as_mut_slice());
    let symbols = zeroize::Zeroizing::new(crockford::encode_id(*bytes));
    Secret::new(format!("{REFERENCE_PREFIX}{}", *symbols))
}

fn draw<const N: usize>(random: Random<'_>) -> String {
    let mut bytes = zeroize::Zeroizing::new([0; N]);
    random(bytes.as_mut_slice());
    crockford::encode(&bytes)
}

#[cfg(test)]
mod tests;
