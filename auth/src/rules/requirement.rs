//! What has to be fulfilled for a session to run.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use regex_lite::Regex;
use serde::{Serialize, Serializer};

use super::Facts;

/// Something that has to be fulfilled for a session to run.
///
/// Displayed as what is needed: `a second factor`. Serialized as its name, and `{"ticket_id": PATTERN}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "Form")]
pub enum Requirement {
    /// The technician proved a second factor.
    SecondFactor,
    /// The technician said why.
    Reason,
    /// The technician named an entry of a ticket system, of this form if one is given.
    TicketId(Option<TicketIdPattern>),
    /// Another person approved it.
    Approval,
    /// Somebody at the target agrees before anything is shown.
    Consent,
    /// The session is recorded; without its recording it does not start and does not go on.
    Recording,
}

impl Requirement {
    /// Whether nothing is left to do before a session may begin.
    pub(crate) fn is_met_by(&self, facts: &Facts) -> bool {
        match self {
            Self::SecondFactor => facts.second_factor,
            Self::Reason => facts.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty()),
            Self::TicketId(pattern) => facts.ticket_id.as_ref().is_some_and(|id| match pattern {
                Some(pattern) => pattern.matches(id),
                None => !id.trim().is_empty(),
            }),
            // Names of technicians match in any case when they log in.
            Self::Approval => facts
                .approved_by
                .as_ref()
                .is_some_and(|by| !by.trim().is_empty() && !by.eq_ignore_ascii_case(&facts.technician)),
            Self::Consent | Self::Recording => true,
        }
    }

    /// The name used in the configuration, the audit log and the API.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SecondFactor => "second_factor",
            Self::Reason => "reason",
            Self::TicketId(_) => "ticket_id",
            Self::Approval => "approval",
            Self::Consent => "consent",
            Self::Recording => "recording",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondFactor => f.write_str("a second factor"),
            Self::Reason => f.write_str("a reason"),
            Self::TicketId(None) => f.write_str("a ticket id"),
            Self::TicketId(Some(pattern)) => write!(f, "a ticket id of the form `{pattern}`"),
            Self::Approval => f.write_str("another person's approval"),
            Self::Consent => f.write_str("the consent of somebody at the target"),
            Self::Recording => f.write_str("a recording"),
        }
    }
}

/// A requirement as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Form {
    Name(&'static str),
    TicketId { ticket_id: TicketIdPattern },
}

impl From<Requirement> for Form {
    fn from(requirement: Requirement) -> Self {
        let name = requirement.name();
        match requirement {
            Requirement::TicketId(Some(ticket_id)) => Self::TicketId { ticket_id },
            _ => Self::Name(name),
        }
    }
}

/// The form that ticket ids must have. Clones share it.
#[derive(Clone, Debug)]
pub struct TicketIdPattern {
    text: Arc<str>,
    regex: Arc<Regex>,
}

impl TicketIdPattern {
    /// A pattern that is shown as `text`. An id has the form when `regex` matches all of it.
    pub fn new(text: &str, regex: Regex) -> Self {
        Self { text: text.into(), regex: Arc::new(regex) }
    }

    fn matches(&self, id: &str) -> bool {
        self.regex.find(id).is_some_and(|found| found.range() == (0..id.len()))
    }
}

impl fmt::Display for TicketIdPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for TicketIdPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl PartialEq for TicketIdPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.regex.as_str() == other.regex.as_str()
    }
}

impl Eq for TicketIdPattern {}

impl Ord for TicketIdPattern {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.text, self.regex.as_str()).cmp(&(&other.text, other.regex.as_str()))
    }
}

impl PartialOrd for TicketIdPattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
