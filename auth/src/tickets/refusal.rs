//! Why a ticket was not redeemed.

use std::net::IpAddr;

use crate::{Locked, LoginError, StoreError, Ticket, Timestamp};

/// Why a ticket was not redeemed: for the audit log, not for the technician.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Too many failures; what was presented was not looked at.
    #[error("{} is locked until {} after too many failed attempts", .0.key, .0.until)]
    Locked(Locked),
    /// The user name cannot be read.
    #[error(transparent)]
    Login(LoginError),
    /// The password does not have the form of a ticket.
    #[error("the password is no ticket")]
    NoTicket,
    /// The routing token or preconnection blob does not have the form of a reference.
    #[error("the routing token or preconnection blob holds no reference to a ticket")]
    NoReference,
    /// No ticket has this secret.
    #[error("there is no such ticket")]
    Unknown,
    /// The ticket was used before.
    #[error("ticket {} was used from {by} at {at}", .ticket.id)]
    Used {
        /// The ticket.
        ticket: Ticket,
        /// From which address it was used.
        by: IpAddr,
        /// When.
        at: Timestamp,
    },
    /// The ticket has expired.
    #[error("ticket {} expired at {}", .ticket.id, .ticket.expires_at)]
    Expired {
        /// The ticket.
        ticket: Ticket,
    },
    /// The ticket was withdrawn.
    #[error("ticket {} was withdrawn", .ticket.id)]
    Withdrawn {
        /// The ticket.
        ticket: Ticket,
    },
    /// The ticket is bound to another address.
    #[error("ticket {} may only be used from another address", .ticket.id)]
    OtherAddress {
        /// The ticket.
        ticket: Ticket,
    },
    /// The user name is not the ticket's.
    #[error("ticket {} is {}'s for {} and was presented under another user name", .ticket.id, .ticket.technician, .ticket.target)]
    OtherLogin {
        /// The ticket.
        ticket: Ticket,
    },
    /// The store failed, so nothing can be said about the ticket.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Refusal {
    /// What the technician is told. The same for every refusal that depends on what was presented, so
    /// that it does not help guessing.
    pub const fn for_technician(&self) -> &'static str {
        match self {
            Self::Store(_) => "The gateway cannot check tickets at the moment. Try again in a minute.",
            _ => "The user name or the ticket is not valid. Ask for a new ticket and try again.",
        }
    }

    /// A word for the audit log that stays the same from version to version.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Locked(_) => "locked",
            Self::Login(_) => "malformed_login",
            Self::NoTicket => "malformed_ticket",
            Self::NoReference => "malformed_reference",
            Self::Unknown => "unknown_ticket",
            Self::Used { .. } => "used_ticket",
            Self::Expired { .. } => "expired_ticket",
            Self::Withdrawn { .. } => "withdrawn_ticket",
            Self::OtherAddress { .. } => "other_address",
            Self::OtherLogin { .. } => "other_login",
            Self::Store(_) => "store_failed",
        }
    }

    /// The ticket whose secret was presented, if it is known.
    pub const fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Used { ticket, .. }
            | Self::Expired { ticket }
            | Self::Withdrawn { ticket }
            | Self::OtherAddress { ticket }
            | Self::OtherLogin { ticket } => Some(ticket),
            Self::Locked(_)
            | Self::Login(_)
            | Self::NoTicket
            | Self::NoReference
            | Self::Unknown
            | Self::Store(_) => None,
        }
    }
}
