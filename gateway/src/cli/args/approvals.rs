//! Approvals by a second person.

use clap::{Args, Subcommand, ValueHint};
use passerelle_config::HumanDuration;

use super::{Json, Purpose, duration};

/// Why a ticket or `.rdp` file is asked for, and with whose consent.
#[derive(Debug, Args)]
pub(crate) struct Given {
    #[command(flatten)]
    pub(crate) purpose: Purpose,
    /// The approval, as `approvals list` calls it, for rules that require one. Its reason and ticket id count then.
    #[arg(long, value_name = "APPROVAL", value_hint = ValueHint::Other)]
    pub(crate) approval: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ApprovalsCommand {
    /// List what was asked for and has not expired.
    List {
        /// Only those in this state: `pending`, `approved`, `denied` or `used`.
        #[arg(long, value_name = "STATE", value_parser = ["pending", "approved", "denied", "used"])]
        state: Option<String>,
        #[command(flatten)]
        output: Json,
    },
    /// Show what was asked for and what became of it.
    Show {
        /// The approval, as `approvals list` calls it.
        #[arg(value_hint = ValueHint::Other)]
        id: String,
        #[command(flatten)]
        output: Json,
    },
    /// Ask for an approval on behalf of a technician.
    ///
    /// Somebody else has to approve, and a ticket be issued, within its life.
    #[command(after_long_help = "\
Example:
  passerelle approvals request alice front-desk --reason 'printer is stuck' --life 30m")]
    Request {
        /// The technician's name, one of the configuration's `users`.
        #[arg(value_hint = ValueHint::Other)]
        technician: String,
        /// The target's name, one of the configuration's `targets`.
        #[arg(value_hint = ValueHint::Other)]
        target: String,
        /// How long there is to approve and then to get the ticket, such as `30m`; at most and by default
        /// `approvals.life`.
        #[arg(long, value_name = "DURATION", value_hint = ValueHint::Other, value_parser = duration)]
        life: Option<HumanDuration>,
        #[command(flatten)]
        purpose: Purpose,
        #[command(flatten)]
        output: Json,
    },
    /// Approve what somebody else asked for.
    ///
    /// One ticket can be issued with it then. Whoever approved cannot get it on the technician's behalf.
    #[command(after_long_help = "\
Example:
  passerelle approvals approve 01kb3x… --note 'called them, it is urgent'")]
    Approve(Decision),
    /// Deny what somebody asked for, or take an approval back with which no ticket was issued yet.
    Deny(Decision),
    /// Withdraw what you have asked for.
    Withdraw {
        /// The approval, as `approvals list` calls it.
        #[arg(value_hint = ValueHint::Other)]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Decision {
    /// The approval, as `approvals list` calls it.
    #[arg(value_hint = ValueHint::Other)]
    pub(crate) id: String,
    /// What is to be said about it. Goes to the audit log and to whoever asked.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) note: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}
