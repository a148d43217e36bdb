//! Who may do what on which target, under which conditions.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use passerelle_desktop::{Permission, Permissions};
use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// What a decision rests on. The audit log keeps it with the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Who asks.
    pub technician: String,
    /// The groups that the technician is in.
    pub groups: Vec<String>,
    /// The target's name.
    pub target: String,
    /// The target's tags.
    pub tags: Vec<String>,
    /// The protocol that the technician uses, in lower case: `rdp` or `vnc`.
    pub protocol: String,
    /// The address of the technician's client.
    pub source: IpAddr,
    /// When.
    pub now: Timestamp,
}

/// Gives permissions, under requirements, to some people on some targets.
///
/// It applies when it names the technician or one of the technician's groups, and the target or one of the
/// target's tags. Names are compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in the audit log.
    pub name: String,
    /// To whom. Nobody when empty.
    pub subjects: Vec<Subject>,
    /// Where. Nowhere when empty.
    pub targets: Vec<TargetSelector>,
    /// What it gives.
    pub permissions: Permissions,
    /// What has to be fulfilled in each session to which it applies.
    pub requirements: BTreeSet<Requirement>,
}

/// People to whom a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Every technician who has proved who they are.
    Anyone,
    /// The technician of this name.
    Identity(String),
    /// The technicians in this group.
    Group(String),
}

impl Subject {
    /// The identity of this name, or anyone for `*`.
    pub fn identity(name: &str) -> Self {
        if name == "*" { Self::Anyone } else { Self::Identity(name.to_owned()) }
    }

    /// The group of this name, or anyone for `*`.
    pub fn group(name: &str) -> Self {
        if name == "*" { Self::Anyone } else { Self::Group(name.to_owned()) }
    }

    fn covers(&self, facts: &Facts) -> bool {
        match self {
            Self::Anyone => true,
            Self::Identity(name) => *name == facts.technician,
            Self::Group(name) => facts.groups.contains(name),
        }
    }
}

/// Targets to which a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetSelector {
    /// Every target.
    Any,
    /// The target of this name.
    Name(String),
    /// The targets with this tag.
    Tag(String),
}

impl TargetSelector {
    /// Reads `*`, `tag:x` or a target's name.
    pub fn parse(text: &str) -> Self {
        match (text, text.strip_prefix("tag:")) {
            ("*", _) => Self::Any,
            (_, Some(tag)) => Self::Tag(tag.to_owned()),
            (name, None) => Self::Name(name.to_owned()),
        }
    }

    fn covers(&self, facts: &Facts) -> bool {
        match self {
            Self::Any => true,
            Self::Name(name) => *name == facts.target,
            Self::Tag(tag) => facts.tags.contains(tag),
        }
    }
}

/// Something that has to be fulfilled for a session to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// The session is recorded; without its recording it does not start and does not go on.
    Recording,
}

/// A name that is no requirement's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown requirement `{0}`")]
pub struct UnknownRequirement(pub String);

impl FromStr for Requirement {
    type Err = UnknownRequirement;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "recording" => Ok(Self::Recording),
            other => Err(UnknownRequirement(other.to_owned())),
        }
    }
}

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
    /// No rule applies to this technician and target.
    NoRule,
    /// Rules apply, but none of them gives [`Permission::View`], without which there is no session.
    NoView {
        /// Their names, sorted.
        rules: Vec<String>,
    },
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
            Self::NoView { rules } => write!(f, "no rule that applies gives `view` ({})", rules.join(", ")),
            Self::Narrowed { rules } => {
                write!(f, "the ticket was issued without `view`, which rules give ({})", rules.join(", "))
            }
        }
    }
}

/// What [`decide`] decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The technician may connect.
    Granted(Grant),
    /// The technician may not.
    Denied(Denial),
}

impl Decision {
    /// Takes away every permission that is not in `limit`, if there is one: what a ticket was issued for.
    /// Requirements stay.
    #[must_use]
    pub fn narrowed(self, limit: Option<Permissions>) -> Self {
        match (self, limit) {
            (Self::Granted(mut grant), Some(limit)) => {
                grant.permissions = grant.permissions.intersection(limit);
                if grant.permissions.allows(Permission::View) {
                    Self::Granted(grant)
                } else {
                    Self::Denied(Denial::Narrowed { rules: grant.rules })
                }
            }
            (decision, _) => decision,
        }
    }
}

/// Decides what a technician may do on a target.
///
/// What is not given is denied. Of the rules that apply, the permissions add up and so do the requirements:
/// a session has every permission that any of them gives and must fulfil everything that any of them
/// requires. Their order makes no difference, and a rule that does not apply none either.
pub fn decide(facts: &Facts, rules: &[Rule]) -> Decision {
    let mut grant =
        Grant { permissions: Permissions::NONE, requirements: BTreeSet::new(), rules: Vec::new() };
    for rule in rules.iter().filter(|rule| applies(rule, facts)) {
        grant.permissions = grant.permissions.union(rule.permissions);
        grant.requirements.extend(&rule.requirements);
        grant.rules.push(rule.name.clone());
    }
    grant.rules.sort_unstable();
    if grant.rules.is_empty() {
        Decision::Denied(Denial::NoRule)
    } else if !grant.permissions.allows(Permission::View) {
        Decision::Denied(Denial::NoView { rules: grant.rules })
    } else {
        Decision::Granted(grant)
    }
}

fn applies(rule: &Rule, facts: &Facts) -> bool {
    rule.subjects.iter().any(|subject| subject.covers(facts))
        && rule.targets.iter().any(|target| target.covers(facts))
}

#[cfg(test)]
mod tests;
