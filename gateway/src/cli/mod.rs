//! The command line: what can be asked, and the commands that need no running gateway.

mod access;
mod approvals;
mod args;
mod audit;
mod audit_export;
mod check;
mod completions;
mod error;
mod explain;
mod export;
mod hash_password;
mod keeping;
mod listing;
mod output;
mod proof;
mod rdp_file;
mod recordings;
mod service_account;
mod sessions;
mod table;
mod targets;
mod ticket;
mod totp;
mod webhooks;

pub(crate) use args::{
    ApprovalsCommand, AuditCommand, Cli, Command, ExplainArgs, HashPasswordArgs, Json, RdpFileArgs,
    RecordingsArgs, RecordingsCommand, SessionsCommand, TargetsCommand, TicketArgs, WebhooksCommand,
};
pub(crate) use error::{CliError, FAILED, finish};
pub(crate) use output::{bytes, duration, print_json, print_line};
pub(crate) use table::Table;

pub(crate) use approvals::run as approvals;
pub(crate) use audit::run as audit;
pub(crate) use check::run as check;
pub(crate) use completions::{completions, man};
pub(crate) use explain::run as explain;
pub(crate) use hash_password::run as hash_password;
pub(crate) use proof::verify as verify_proof;
pub(crate) use rdp_file::run as rdp_file;
pub(crate) use recordings::run as recordings;
pub(crate) use service_account::{ServiceAccountCommand, run as service_account};
pub(crate) use sessions::run as sessions;
pub(crate) use targets::run as targets;
pub(crate) use ticket::run as ticket;
pub(crate) use totp::{TotpCommand, run as totp};
pub(crate) use webhooks::run as webhooks;
