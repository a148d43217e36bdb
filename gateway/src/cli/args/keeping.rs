//! What can be typed about keeping recordings.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::Json;

/// An order about recordings, and why.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// The recordings, as `recordings list` calls them.
    #[arg(value_name = "RECORDING", required = true, value_hint = ValueHint::Other)]
    pub(crate) recordings: Vec<String>,
    /// Why; it goes to the audit log.
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    /// What of them.
    #[arg(long, value_name = "CLASS")]
    pub(crate) class: ErasedClass,
    #[command(flatten)]
    pub(crate) output: Json,
}

/// What of a recording is erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ErasedClass {
    /// What was on the screen.
    Screen,
    /// Keys, pointer and clipboard content, as far as they are stored.
    Input,
    /// What happened around the session.
    Events,
    /// Everything.
    All,
}

impl ErasedClass {
    /// The name in the API.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Input => "input",
            Self::Events => "events",
            Self::All => "all",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RewrapArgs {
    /// The recordings, as `recordings list` calls them.
    #[arg(value_name = "RECORDING", required_unless_present = "all", conflicts_with = "all", value_hint = ValueHint::Other)]
    pub(crate) recordings: Vec<String>,
    /// Every recording that is over.
    #[arg(long)]
    pub(crate) all: bool,
    /// The age public key of somebody who is to read them; can be given several times.
    #[arg(long, value_name = "RECIPIENT", value_hint = ValueHint::Other, required_unless_present = "remove")]
    pub(crate) add: Vec<String>,
    /// The age public key of somebody who is not to read them any more; can be given several times.
    #[arg(long, value_name = "RECIPIENT", value_hint = ValueHint::Other)]
    pub(crate) remove: Vec<String>,
    /// The age identity file that opens them, instead of the gateway's own.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) identity: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DuArgs {
    /// How the recordings are grouped.
    #[arg(long, value_name = "GROUP", default_value = "technician")]
    pub(crate) by: Group,
    #[command(flatten)]
    pub(crate) output: Json,
}

/// How recordings are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// By who helped.
    Technician,
    /// By the machine that was helped.
    Target,
    /// By the month in which they began.
    Month,
}
