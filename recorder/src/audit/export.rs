//! Events of the log in the forms of other systems. Pure: one event in, one record out.

mod csv;
mod ocsf;
mod syslog;

pub use csv::{CSV_HEADER, csv};
pub use ocsf::{OCSF_VERSION, ocsf};
pub use syslog::{Facility, Syslog, UnknownFacility, framed};

use super::{AuditKind, EventLine, Outcome};

/// How much an event matters to whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// It went as wanted.
    Usual,
    /// Somebody was refused.
    Refused,
    /// Something failed.
    Failed,
    /// The log itself is not what it should be.
    Evidence,
}

impl Weight {
    fn of(line: &EventLine) -> Self {
        match (line.event.kind, line.event.outcome) {
            (AuditKind::AuditGap | AuditKind::AuditMismatch, _) => Self::Evidence,
            (_, Some(Outcome::Failed)) => Self::Failed,
            (_, Some(Outcome::Refused)) => Self::Refused,
            _ => Self::Usual,
        }
    }
}

/// An outcome's name in the log.
const fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed",
    }
}

#[cfg(test)]
mod samples {
    use super::*;
    use crate::audit::AuditEvent;

    /// One event of each kind with everything that an event can have.
    pub(super) fn one_of_each() -> Vec<EventLine> {
        let line = |(seq, kind): (u64, &AuditKind)| EventLine {
            seq,
            time: "2026-11-23T06:12:18.250Z".into(),
            event: AuditEvent::new(*kind)
                .session("01hzy3")
                .technician("alice")
                .target("front-desk")
                .address("192.0.2.7:50112")
                .outcome([Outcome::Success, Outcome::Refused, Outcome::Failed][seq as usize % 3])
                .message("one sentence")
                .detail("by", "chief")
                .detail("permissions", serde_json::json!(["view", "pointer"])),
            prev: "0".repeat(64),
        };
        (1..).zip(AuditKind::ALL).map(line).collect()
    }
}
