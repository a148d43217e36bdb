//! Tickets as the store knows them.

use std::fmt;
use std::net::IpAddr;

use passerelle_desktop::Permissions;
use serde::{Deserialize, Serialize};

use crate::{Fence, TicketId, Timestamp};

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
}

/// A ticket with what is needed to recognise its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketRecord {
    /// What it says.
    pub ticket: Ticket,
    /// One digest for each secret that redeems it.
    pub digests: Vec<Digest>,
    /// The secret for authentication methods that need it in clear, if the ticket has one.
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
    /// the ticket's, in any case of ASCII letters.
    pub login: Option<Login>,
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
    /// Its secret.
    pub sealed: SealedSecret,
}

impl Login {
    /// Whether a ticket is for this technician and target. ASCII letters match in any case.
    pub fn names(&self, ticket: &Ticket) -> bool {
        self.technician.eq_ignore_ascii_case(&ticket.technician)
            && self.target.eq_ignore_ascii_case(&ticket.target)
    }
}
