//! Tickets as the store knows them.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use passerelle_desktop::Permissions;
use serde::{Deserialize, Serialize};

use crate::{AttemptKey, Fence, Locked, TicketId, Timestamp};

/// How long after its claim a ticket lets the same client in once more, for protocols that ask for it
/// ([`Claimant::resume`]).
///
/// Some clients drop a connection within seconds and open another with the same secret.
pub const RESUME_WINDOW: Duration = Duration::from_secs(10);

/// HMAC-SHA-256 of a ticket's secret under a key that is not in the store.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A secret under authenticated encryption with a key that is not in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(pub Vec<u8>);

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(…)")
    }
}

/// What a ticket says. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its name.
    pub id: TicketId,
    /// Who may use it.
    pub technician: String,
    /// For which target.
    pub target: String,
    /// What the session may do at most; nothing given means whatever the rules grant.
    pub permissions: Option<Permissions>,
    /// The only address from which it may be used, if it is bound to one.
    pub address: Option<IpAddr>,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// What was known when it was issued and the rules may ask for.
    #[serde(default)]
    pub context: TicketContext,
}

/// What was known when a ticket was issued, besides who and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TicketContext {
    /// The technician's groups, if something else than the configuration named them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
    /// Whether the technician proved a second factor.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub second_factor: bool,
    /// Why the technician wants to connect, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The number of the case in another system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_id: Option<String>,
    /// Who approved it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// Who asked for it to be issued, if not the technician.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<String>,
}

/// A ticket with what is needed to recognise its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRecord {
    /// What it says.
    pub ticket: Ticket,
    /// One digest for each secret that redeems it.
    pub digests: Vec<Digest>,
    /// The secrets for authentication methods that need them in clear, if the ticket has such.
    pub sealed: Option<SealedSecret>,
}

/// Whether a ticket was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    /// It was.
    Issued,
    /// It was not: one of its secrets is also another ticket's. Make new ones.
    SecretTaken,
}

/// How a claimant names a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketKey {
    /// By the digest of one of its secrets.
    Digest(Digest),
    /// By its id, after the secret was recognised among the [`Candidate`]s.
    Id(TicketId),
}

/// Who claims a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The address of the client.
    pub address: IpAddr,
    /// The names that came with the secret, if the authentication method has room for them. They must be
    /// the ticket's, see [`Login::names`].
    pub login: Option<Login>,
    /// Whether a ticket that was claimed from the same address less than [`RESUME_WINDOW`] ago lets this
    /// claimant in again.
    pub resume: bool,
}

impl Claimant {
    /// What a failure of this claimant is counted by.
    pub fn attempt_keys(&self) -> Vec<AttemptKey> {
        let mut keys = vec![AttemptKey::address(self.address), AttemptKey::Global];
        keys.extend(self.login.as_ref().map(|login| AttemptKey::identity(&login.technician)));
        keys
    }
}

/// What a technician enters as the user name: `technician:target`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Login {
    /// Who.
    pub technician: String,
    /// Where to.
    pub target: String,
}

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The ticket was live and is now used.
    Claimed {
        /// The number of this claim.
        fence: Fence,
        /// The ticket.
        ticket: Ticket,
    },
    /// It was used a moment ago by the same client, which comes back.
    Resumed {
        /// The number of this claim.
        fence: Fence,
        /// The ticket.
        ticket: Ticket,
        /// When it was first claimed.
        at: Timestamp,
    },
    /// One of the claimant's [attempt keys](Claimant::attempt_keys) is locked. The ticket was not looked at.
    Locked(Locked),
    /// It was used before.
    Used {
        /// The ticket.
        ticket: Ticket,
        /// From which address it was used.
        by: IpAddr,
        /// When.
        at: Timestamp,
    },
    /// It has expired unused.
    Expired {
        /// The ticket.
        ticket: Ticket,
    },
    /// It was withdrawn.
    Withdrawn {
        /// The ticket.
        ticket: Ticket,
    },
    /// It is bound to another address. It stays live.
    OtherAddress {
        /// The ticket.
        ticket: Ticket,
    },
    /// It is another technician's or for another target. It stays live.
    OtherLogin {
        /// The ticket.
        ticket: Ticket,
    },
    /// There is no such ticket.
    Unknown,
}

/// A ticket that is recognised by its secret, not by a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its name, under which it is claimed.
    pub id: TicketId,
    /// Its secrets.
    pub sealed: SealedSecret,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// From where and when it was used, if it was.
    pub used: Option<(IpAddr, Timestamp)>,
}

impl Candidate {
    /// Whether a client at `address` could claim it at `now`, for the first time or again.
    pub fn is_open_to(&self, address: IpAddr, now: Timestamp) -> bool {
        self.used.is_none_or(|(by, at)| is_resumable(by, at, address, now))
    }
}

/// Whether a ticket that was used from `by` at `at` lets a client at `address` in again.
pub(crate) fn is_resumable(by: IpAddr, at: Timestamp, address: IpAddr, now: Timestamp) -> bool {
    // Clocks of nodes differ by a little; a clock that was set back by more must not prolong the window.
    by.to_canonical() == address.to_canonical()
        && now.since(at) < RESUME_WINDOW
        && at.since(now) < RESUME_WINDOW
}

impl Login {
    /// Whether a ticket is for this technician and target. ASCII letters match in any case.
    ///
    /// Clients that want a domain may have put one around the names, as in `CORP\alice:front-desk` or
    /// `alice:front-desk@corp.example`. It says nothing here and is left out where the ticket's names have
    /// no such part.
    pub fn names(&self, ticket: &Ticket) -> bool {
        self.is_for(&ticket.technician, &ticket.target)
    }

    /// Whether these are the names of `technician` and `target`, as [`names`](Self::names) compares them.
    pub fn is_for(&self, technician: &str, target: &str) -> bool {
        let without_domain = self.target.rsplit_once('@').map(|(target, _)| target);
        self.technician.eq_ignore_ascii_case(technician)
            && (self.target.eq_ignore_ascii_case(target)
                || without_domain.is_some_and(|name| name.eq_ignore_ascii_case(target)))
    }
}
