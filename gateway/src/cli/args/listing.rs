//! What can be typed about lists of recordings.

use clap::{Args, ValueHint};
use passerelle_auth::Timestamp;

use super::Json;

/// Which recordings are listed.
#[derive(Debug, Args)]
pub(crate) struct RecordingsArgs {
    /// Only this technician's.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) technician: Option<String>,
    /// Only of this target.
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    pub(crate) target: Option<String>,
    /// Only those that started at this time or later (RFC 3339).
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    pub(crate) from: Option<Timestamp>,
    /// Only those that started before this time.
    #[arg(long, value_name = "TIME", value_hint = ValueHint::Other)]
    pub(crate) until: Option<Timestamp>,
    /// Only those in which all of these beginnings of words occur: names, files, events, and the clipboard's text if
    /// it was kept. Asks the running gateway, whose audit log keeps who searched for what.
    #[arg(long, value_name = "WORDS", value_hint = ValueHint::Other)]
    pub(crate) search: Option<String>,
    /// Also those of which nothing is left on this machine: asks the object store, and reads the last segment of each
    /// of them.
    #[arg(long, conflicts_with = "search")]
    pub(crate) remote: bool,
    #[command(flatten)]
    pub(crate) output: Json,
}
