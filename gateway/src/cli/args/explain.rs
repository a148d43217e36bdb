//! What is said about a connection besides who and where to.

use std::net::IpAddr;

use clap::{Args, ValueHint};
use passerelle_auth::Timestamp;

use super::Json;

/// Why a technician connects, for rules that ask for it. Goes to the audit log.
#[derive(Debug, Args)]
pub(crate) struct Purpose {
    /// Why the technician connects, for rules that require a reason. Goes to the audit log.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) reason: Option<String>,
    /// What the technician works on in a ticket system, for rules that require it. Goes to the audit log.
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other)]
    pub(crate) ticket_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The technician's name.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) technician: String,
    /// The target's name.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) target: String,
    /// The address of the technician's client. Without it, the best is assumed of rules for certain networks,
    /// as when a ticket is issued.
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::Other)]
    pub(crate) from: Option<IpAddr>,
    /// When, instead of now: `2026-11-22T14:00`, in UTC, or with an offset, as in `2026-11-22T14:00+01:00`.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other, value_parser = time)]
    pub(crate) at: Option<Timestamp>,
    /// As if the technician were in these groups, instead of those in the configuration.
    #[arg(long, value_name = "GROUPS", value_delimiter = ',', value_hint = ValueHint::Other)]
    pub(crate) groups: Option<Vec<String>>,
    /// As if a second factor had been proved.
    #[arg(long)]
    pub(crate) second_factor: bool,
    /// As if this person had approved.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) approved_by: Option<String>,
    /// As if this reason had been given.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) reason: Option<String>,
    /// As if this had been given as what the technician works on.
    #[arg(long, value_name = "ID", value_hint = ValueHint::Other)]
    pub(crate) ticket_id: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

/// A time with an offset, or in UTC. Seconds can be left out.
fn time(text: &str) -> Result<Timestamp, String> {
    let (clock, offset) = match text.char_indices().skip(11).find(|(_, c)| matches!(c, 'Z' | 'z' | '+' | '-'))
    {
        Some((place, _)) => text.split_at(place),
        None => (text, "Z"),
    };
    let seconds = if clock.matches(':').count() == 1 { ":00" } else { "" };
    let read = format!("{clock}{seconds}{offset}").parse();
    read.map_err(|_| {
        "write it as 2026-11-22T14:00, in UTC, or with an offset as 2026-11-22T14:00+01:00".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_utc_unless_they_say_otherwise() {
        for (text, read) in [
            ("2026-11-22T14:00", "2026-11-22T14:00:00.000Z"),
            ("2026-11-22T14:00:30Z", "2026-11-22T14:00:30.000Z"),
            ("2026-11-22T14:00+01:00", "2026-11-22T13:00:00.000Z"),
            ("2026-11-22T14:00:30-05:30", "2026-11-22T19:30:30.000Z"),
        ] {
            assert_eq!(time(text).unwrap().to_string(), read);
        }
        for wrong in ["", "14:00", "2026-11-22", "2026-11-22T25:00", "tomorrow", "é026-11-22T14:0é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
