//! Why a login was refused.

use crate::{AccountRefusal, JwtRefusal, Locked, Refusal, Ticket};

/// Why a user name and what came with it were refused: for the audit log, not for the technician.
#[derive(Debug, thiserror::Error)]
pub enum LoginRefusal {
    /// What was presented is no ticket that could be used.
    #[error(transparent)]
    Ticket(Box<Refusal>),
    /// What was presented is no password of the user.
    #[error(transparent)]
    Account(#[from] AccountRefusal),
    /// What was presented is no token that could be used.
    #[error(transparent)]
    Token(#[from] JwtRefusal),
    /// The token was right, and is used up, but it is not for what the user name says.
    #[error("the token is {0}'s and was presented under another user name")]
    OtherLogin(String),
    /// The ticket was right, but its technician is no longer configured.
    #[error("{} is no longer configured", .ticket.technician)]
    Departed {
        /// The ticket, which is used up.
        ticket: Box<Ticket>,
    },
}

impl From<Refusal> for LoginRefusal {
    fn from(refusal: Refusal) -> Self {
        Self::Ticket(Box::new(refusal))
    }
}

impl LoginRefusal {
    /// What the technician is told. The same for every refusal that depends on what was presented, so that it
    /// does not help guessing.
    pub fn for_technician(&self) -> &'static str {
        match self {
            Self::Ticket(refusal) => refusal.for_technician(),
            Self::Account(refusal) => refusal.for_technician(),
            Self::Token(refusal) => refusal.for_technician(),
            Self::OtherLogin(_) => "The token is not valid. Ask for a new one and try again.",
            Self::Departed { .. } => {
                "The user name or the ticket is not valid. Ask for a new ticket and try again."
            }
        }
    }

    /// A word for the audit log that stays the same from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ticket(refusal) => refusal.code(),
            Self::Account(refusal) => refusal.code(),
            Self::Token(refusal) => refusal.code(),
            Self::OtherLogin(_) => "other_login",
            Self::Departed { .. } => "unknown_user",
        }
    }

    /// Whether what was presented was not looked at after too many failures.
    pub fn is_locked(&self) -> bool {
        self.locked().is_some()
    }

    /// The lock because of which what was presented was not looked at.
    pub fn locked(&self) -> Option<&Locked> {
        match self {
            Self::Account(AccountRefusal::Locked(locked)) | Self::Token(JwtRefusal::Locked(locked)) => {
                Some(locked)
            }
            Self::Ticket(refusal) => match &**refusal {
                Refusal::Locked(locked) => Some(locked),
                _ => None,
            },
            Self::Account(_) | Self::Token(_) | Self::OtherLogin(_) | Self::Departed { .. } => None,
        }
    }

    /// Whether nothing can be said about what was presented, because something else failed.
    pub fn is_failure(&self) -> bool {
        matches!(
            self,
            Self::Account(AccountRefusal::Store(_))
                | Self::Token(JwtRefusal::Store(_) | JwtRefusal::NoKeys { .. })
        ) || matches!(self, Self::Ticket(refusal) if matches!(**refusal, Refusal::Store(_)))
    }

    /// The ticket whose secret was presented, if it is known.
    pub fn ticket(&self) -> Option<&Ticket> {
        match self {
            Self::Ticket(refusal) => refusal.ticket(),
            Self::Departed { ticket } => Some(ticket),
            Self::Account(_) | Self::Token(_) | Self::OtherLogin(_) => None,
        }
    }
}
