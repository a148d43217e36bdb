//! What comes out of a decision.

use std::collections::BTreeSet;
use std::fmt;

use passerelle_desktop::{Permission, Permissions};
use serde::Serialize;

use super::Requirement;

/// What a technician may do in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// The permissions; [`Permission::View`] is always among them.
    pub permissions: Permissions,
    /// What has to be fulfilled.
    pub requirements: BTreeSet<Requirement>,
    /// The names of the rules that applied, sorted.
    pub rules: Vec<String>,
}

/// Why a technician may not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// No rule gives anything to this technician on this target now.
    NoRule,
    /// Rules take [`Permission::View`] away, without which there is no session.
    Forbidden {
        /// The names of the rules that take away, sorted.
        rules: Vec<String>,
    },
    /// Rules apply, but none of them gives [`Permission::View`].
    NoView {
        /// Their names, sorted.
        rules: Vec<String>,
    },
    /// The target is under maintenance, and no rule that gives [`Permission::View`] does so then.
    Maintenance,
    /// Rules would let the technician connect, but what the ticket was issued for leaves out
    /// [`Permission::View`].
    Narrowed {
        /// Their names, sorted.
        rules: Vec<String>,
    },
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRule => f.write_str("no rule applies to this technician and target"),
            Self::Forbidden { rules } => write!(f, "a rule forbids it ({})", rules.join(", ")),
            Self::NoView { rules } => write!(f, "no rule that applies gives `view` ({})", rules.join(", ")),
            Self::Maintenance => f.write_str("the target is under maintenance"),
            Self::Narrowed { rules } => {
                write!(f, "the ticket was issued without `view`, which rules give ({})", rules.join(", "))
            }
        }
    }
}

/// What [`decide`](super::decide) decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The technician may connect.
    Granted(Grant),
    /// The technician may not.
    Denied(Denial),
    /// The technician may connect as soon as something that is missing is there.
    Missing {
        /// What the technician may do then.
        grant: Grant,
        /// What is missing; never empty, sorted.
        missing: Vec<Requirement>,
    },
}

impl Decision {
    /// Takes away every permission that is not in `limit`, if there is one: what a ticket was issued for.
    /// Requirements stay.
    #[must_use]
    pub fn narrowed(mut self, limit: Option<Permissions>) -> Self {
        if let (Self::Granted(grant) | Self::Missing { grant, .. }, Some(limit)) = (&mut self, limit) {
            grant.permissions = grant.permissions.intersection(limit);
            if !grant.permissions.allows(Permission::View) {
                return Self::Denied(Denial::Narrowed { rules: std::mem::take(&mut grant.rules) });
            }
        }
        self
    }

    /// The grant that counts, or why there is none.
    ///
    /// # Errors
    /// The technician may not connect, or not yet.
    pub fn granted(self) -> Result<Grant, Refused> {
        match self {
            Self::Granted(grant) => Ok(grant),
            Self::Denied(denial) => Err(Refused::Denied(denial)),
            Self::Missing { missing, .. } => Err(Refused::Missing(missing)),
        }
    }
}

/// Why a session must not begin. The sentence goes on from `You may not connect: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The rules do not allow it.
    #[error("{0}")]
    Denied(Denial),
    /// They would if this were there; sorted.
    #[error("{} missing", list(.0))]
    Missing(Vec<Requirement>),
}

impl Refused {
    /// What is missing; nothing when that would not help.
    pub fn missing(&self) -> &[Requirement] {
        match self {
            Self::Missing(missing) => missing,
            Self::Denied(_) => &[],
        }
    }
}

/// `a reason is`, `a reason and a second factor are`
fn list(missing: &[Requirement]) -> String {
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    match names.split_last() {
        Some((last, [])) => format!("{last} is"),
        Some((last, before)) => format!("{} and {last} are", before.join(", ")),
        None => "nothing is".to_owned(),
    }
}
